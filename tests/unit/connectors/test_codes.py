"""S0-07: two sources with different codes give one standard code; an unknown one is kept and counted."""

from pathlib import Path
from typing import Any

import pytest

from connectors import SourceCatalog, load_sources
from schemas import Decoder, DefinitionError, TableMapping, epoch_ms
from schemas.codes import CodeList, CodeMeaning
from tests.helpers.decoding import AT, mapping
from tests.helpers.hostile_wire import dump, envelope
from tests.helpers.records import Record

LISTS = """\
version: codes/v1
lists:
  volt: {title: 电压等级, codes: {AC380: 380V, AC10K: 10kV, AC20K: 20kV}}
"""
SOURCE = """\
version: source/v1
source: x
tables:
  x_app:
    entity: application
    key: [app_no]
    instance: app_no
    columns:
      app_no: text
      accepted_at: timestamp
      volt: {type: text, codes: volt}
codes:
  volt:
    - {code: "1", to: AC380}
    - {code: "2", to: AC10K, valid_to: 2020-12-31}
    - {code: "2", to: AC20K, valid_from: 2021-01-01}
    - {code: 10千伏, to: AC10K}
"""
DATED = SOURCE.replace("codes: volt}", "codes: {list: volt, by: accepted_at}}")


def load(tmp_path: Path, *texts: str) -> SourceCatalog:
    for number, text in enumerate(texts):
        (tmp_path / f"s{number}.yaml").write_text(text)
    return load_sources([tmp_path])


def table(tmp_path: Path, text: str = SOURCE) -> TableMapping:
    found = load(tmp_path, LISTS, text).mapping_for("cdc.x.x_app")
    assert found is not None
    return found


def voltage(decoder: Decoder, code: Any, **row: Any) -> Any:
    value = dump(envelope({"app_no": "A1", "volt": code, **row}))
    change = decoder.decode(key=None, value=value, timestamp=AT, topic="t", partition=0, offset=0)
    assert change is not None
    return change.fields["volt"]


def test_two_sources_with_different_codes_for_the_same_voltage_give_one_standard_code() -> None:
    row = {"app_no": "A1", "volt_level_code": "AC00101"}
    fields = [
        Decoder(mapping(topic)).decode(
            key=None, value=dump(envelope({**row, "volt_level_code": code})), timestamp=AT, topic=topic,
            partition=0, offset=0,
        )
        for topic, code in (("cdc.mkt.mkt_app", "AC00101"), ("cdc.lean.lean_app_detail", "02"))
    ]  # fmt: skip
    assert [change and change.fields["volt_level_code"] for change in fields] == ["AC00101", "AC00101"]


@pytest.mark.parametrize(
    ("code", "standard"), [("1", "AC380"), (1, "AC380"), ("10千伏", "AC10K"), ("AC20K", "AC20K"), (None, None)]
)
def test_code_becomes_the_standard_one(tmp_path: Path, code: object, standard: str | None) -> None:
    decoder = Decoder(table(tmp_path))
    assert voltage(decoder, code) == standard
    assert decoder.unknown_codes == {}


@pytest.mark.parametrize("code", ["9", "", "AC"])
def test_unknown_code_is_kept_as_it_came_and_counted(tmp_path: Path, code: str) -> None:
    decoder = Decoder(table(tmp_path))
    assert [voltage(decoder, code), voltage(decoder, "1")] == [code, "AC380"]
    assert decoder.unknown_codes == {"volt": 1}


def test_of_two_meanings_the_present_one_counts_where_no_column_dates_them(tmp_path: Path) -> None:
    assert voltage(Decoder(table(tmp_path)), "2", accepted_at="2019-05-01") == "AC20K"


@pytest.mark.parametrize(
    ("accepted_at", "standard"),
    [("2020-12-31 23:59:59", "AC10K"), ("2021-01-01 00:00:00", "AC20K"), (None, "AC20K"), ("2015-01-01", "AC10K")],
)
def test_old_codes_of_history_mean_what_they_meant_then(tmp_path: Path, accepted_at: str | None, standard: str) -> None:
    assert voltage(Decoder(table(tmp_path, DATED)), "2", accepted_at=accepted_at) == standard


def test_dated_code_without_a_meaning_is_kept_and_counted(tmp_path: Path) -> None:
    decoder = Decoder(table(tmp_path, DATED))
    assert voltage(decoder, "7", accepted_at="2015-01-01") == "7"
    assert decoder.unknown_codes == {"volt": 1}


@pytest.mark.parametrize("text", [SOURCE, DATED])
def test_run_of_usual_records_is_converted_as_each_alone(tmp_path: Path, text: str) -> None:
    rows = [
        {"app_no": f"A{n}", "accepted_at": "2019-05-01", "volt": code}
        for n, code in enumerate(["1", "2", "AC10K", "9", None, 1] * 300)
    ]
    records = [Record(n, AT, None, dump(envelope(row, lsn=n + 1))) for n, row in enumerate(rows)]
    run, alone = Decoder(table(tmp_path, text)), Decoder(table(tmp_path, text))
    changes, refused, _ = run.decode_run(records, topic="t", partition=0, high=0)
    assert refused == []
    assert [change.fields["volt"] for change in changes] == [voltage(alone, **_of(row)) for row in rows]
    assert run.unknown_codes == alone.unknown_codes == {"volt": 300}


def _of(row: dict[str, Any]) -> dict[str, Any]:
    return {"code": row["volt"], "accepted_at": row["accepted_at"]}


def test_view_of_old_codes_still_answers() -> None:
    split = epoch_ms("2021-01-01T00:00:00+08:00")
    codes = CodeList(
        "volt", {"AC10K": "10kV"}, {"2": (CodeMeaning("AC10K", None, split),), "B": (CodeMeaning("AC10K", split),)}
    )
    assert (codes.sources_code("AC10K", split - 1), codes.sources_code("AC10K", split)) == ("2", "B")
    assert codes.sources_code("AC10K") == "B"
    assert codes.sources_code("AC20K") is None
    assert codes.meaning("2") == "AC10K"  # ended, and still told
    assert (codes.meaning("2", split), codes.meaning("2", split - 1)) == (None, "AC10K")


def test_standard_codes_are_known_by_entity_and_field(tmp_path: Path) -> None:
    assert load(tmp_path, LISTS, SOURCE).known_codes() == {"application": {"volt": {"AC380", "AC10K", "AC20K"}}}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("to: AC380", "to: AC999", "s1.yaml:14:23: 'AC999' is no standard code of volt"),
        ("valid_from: 2021-01-01", "valid_from: 2020-12-31", "s1.yaml:16:7: '2' has two meanings on the same day"),
        ("codes: volt}", "codes: colour}", "s1.yaml:11:13: no code list 'colour'; known are volt"),
        ("codes:\n  volt:", "codes:\n  tint:", "s1.yaml:13:3: no standard code list 'tint'; known are volt"),
    ],
)
def test_fault_of_codes_has_its_place(tmp_path: Path, old: str, new: str, fault: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path, LISTS, SOURCE.replace(old, new))
    assert str(caught.value.faults[0]).replace(f"{tmp_path}/", "") == fault


def test_code_list_declared_twice_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"s1.yaml:3:3: code list 'volt' is declared twice"):
        load(tmp_path, LISTS, LISTS, SOURCE)
