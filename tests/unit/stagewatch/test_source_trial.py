"""What a look at a new source's newest records shows: `sources try`, without broker and worker."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas import Column, Recorded, TableMapping
from schemas.mapping import Format
from stagewatch.__main__ import run
from stagewatch.source_trial import Trial, try_records
from stagewatch.trial_report import as_json, masked_example
from tests.helpers.decoding import AT, table
from tests.helpers.decoding import mapping as shipped
from tests.helpers.dialect_wire import ROW, SHELF, WRITERS, Writer
from tests.helpers.hostile_wire import FINDING, HOSTILE, OK, SILENT, Hostile, dump, envelope
from tests.helpers.viewing import with_views

Said = pytest.CaptureFixture[str]
TYPES = {"id": "int", "app": "text", "amt": "decimal", "at": "timestamp"}
MAPPING = table(TYPES, instance="app")


def recorded(value: Any, key: Any = None, *, partition: int = 0, offset: int = 0, headers: Any = None) -> Recorded:
    raw = value if value is None or isinstance(value, bytes) else dump(value)
    raw_key = key if key is None or isinstance(key, bytes) else dump(key)
    return Recorded("cdc.x.t", partition, offset, AT, raw_key, raw, headers or {})


def row(number: int = 1, *, lsn: int = 5, op: str = "c", before: Any = None, **changes: Any) -> Recorded:
    values = {"id": number, "app": "A1", "amt": "12.50", "at": "2026-03-02T01:00:00Z"} | changes
    return recorded(envelope(values, op=op, before=before, lsn=lsn), {"id": number}, offset=lsn)


def placeless() -> Recorded:
    values = {"id": 1, "app": "A1", "amt": "12.50", "at": "2026-03-02T01:00:00Z"}
    return recorded({"op": "c", "before": None, "after": values, "source": None}, {"id": 1})


def tried(*records: Recorded, mapping: TableMapping = MAPPING, partitions: int | None = None) -> Trial:
    return try_records(mapping, records, partitions=partitions)


def column(trial: Trial, name: str) -> tuple[int, int, int, int]:
    found = next(each for each in trial.columns if each.name == name)
    return found.seen, found.null, found.missing, found.unreadable


@pytest.mark.parametrize("writer", WRITERS, ids=str)
def test_every_dialect_is_tried_and_its_undeclared_columns_are_seen(writer: Writer) -> None:
    mapping = replace(writer.mapping, columns={n: c for n, c in writer.mapping.columns.items() if n != "stage"})
    records = [recorded(value, key) for key, value in writer.records("c", ROW | {"new": "甲"})]
    trial = try_records(mapping, records, schema_of=SHELF.schema_of)
    assert (trial.decoded, trial.instances, trial.faults) == (1, 1, [])
    assert all((each.seen, each.unreadable) == (1, 0) for each in trial.columns)
    assert {each.name for each in trial.undeclared} == {"stage", "new"}


def test_values_are_counted_as_seen_null_missing_and_unreadable() -> None:
    without = recorded(envelope({"id": 3, "app": "A1", "at": None}, lsn=7), {"id": 3})
    trial = tried(row(1), row(2, lsn=6, amt="much", at="soon"), without)
    assert column(trial, "amt") == (1, 0, 1, 1)
    assert column(trial, "at") == (1, 1, 0, 1)
    assert column(trial, "app") == (3, 0, 0, 0), "a column that cannot be read hides no other"
    assert (trial.decoded, trial.refused["wrong-type"].count) == (2, 1)


def test_a_refusal_names_reason_place_and_what_the_record_looks_like() -> None:
    maxwell = recorded({"type": "insert", "database": "x", "table": "t", "data": {"id": 1}}, offset=7, partition=2)
    trial = tried(row(), maxwell, recorded(b"{", offset=8, partition=2))
    wrong = trial.refused["wrong-dialect"]
    assert (wrong.count, wrong.place, wrong.looks_like) == (1, "cdc.x.t[2]@7", "maxwell-json")
    assert trial.faults == ["1 of 3 refused: wrong-dialect", "1 of 3 refused: not-json"]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_hostile_record_is_refused_as_a_worker_refuses_it(hostile: Hostile) -> None:
    record = Recorded(hostile.topic, 0, 0, AT, hostile.key, hostile.value, {})
    trial = try_records(shipped(hostile.topic), [record])
    refused = set() if hostile.expect in {OK, FINDING, SILENT} else {hostile.expect}
    assert set(trial.refused) == refused
    assert as_json(trial)["works"] is (hostile.expect in {OK, FINDING})


def test_a_topic_of_tombstones_alone_does_not_work() -> None:
    assert "no record tells of a row (only: tombstone)" in tried(recorded(None, {"id": 1})).faults[0]


def test_a_row_without_its_instance_is_refused_unless_that_is_declared() -> None:
    assert tried(row(app=None)).faults == ["1 of 1 refused: missing-key"]
    optional = tried(row(app=None), mapping=replace(MAPPING, is_instance_optional=True))
    assert (optional.faults, optional.of_none) == ([], 1)
    assert "no row names its instance: app is always null" in optional.advice


def test_a_topic_that_is_not_keyed_as_declared_does_not_work() -> None:
    mapping = replace(MAPPING, message_key="json", key_form=b'{"app":"%b"}')
    assert "1 of 1 changes are not keyed by" in tried(row(), mapping=mapping).faults[0]
    assert tried(recorded(row().value, b'{"app":"A1"}'), mapping=mapping).faults == []


UNITS: list[tuple[str, Any, str]] = [
    ("at", 1_772_413_200_000, "declare `timestamp_unit: ms`"),
    ("at", 1_772_413_200, "declare `timestamp_unit: s`"),
    ("amt", "BOI=", "decimals are written as bytes"),
]


@pytest.mark.parametrize(("name", "value", "advice"), UNITS)
def test_values_in_another_form_than_declared_are_advised_on(name: str, value: Any, advice: str) -> None:
    assert [line for line in tried(row(**{name: value})).advice if advice in line and f"column {name}:" in line]


SETUPS: list[tuple[str, Callable[[], Trial]]] = [
    ("no message key", lambda: tried(replace(row(), key=None))),
    ("has one partition", lambda: tried(row(), partitions=1)),
    ("1 changes stand behind newer ones", lambda: tried(row(lsn=9), replace(row(lsn=8), offset=10))),
    (
        "which counts is told by their places in the source's log",
        lambda: tried(row(), replace(row(lsn=6), partition=1)),
    ),
    ("told by the records' times, to the millisecond", lambda: tried(placeless(), replace(placeless(), partition=1))),
    ("updates come without the row before", lambda: tried(row(op="u"))),
    ("op_ts", lambda: tried(*(ogg(number) for number in range(30)), mapping=replace(MAPPING, dialect="ogg-json"))),
    ("app never came: did you mean app_, which", lambda: renamed("app_")),
    ("never came: app, amt, at; misspelt", lambda: renamed("belongs_to")),
]


def ogg(number: int) -> Recorded:
    """Eight hours before its arrival, if its time is read as UTC."""
    after = {"id": number, "app": "A1"}
    meta = {"op_type": "I", "op_ts": "2026-03-01 17:00:00.000000", "pos": f"{number:020}"}
    return recorded({**meta, "after": after}, str(number).encode(), offset=number)


def renamed(name: str) -> Trial:
    mapping = replace(MAPPING, instance=None, columns=MAPPING.columns)
    return tried(recorded(envelope({"id": 1, name: "A1"}, lsn=5), {"id": 1}), mapping=mapping)


@pytest.mark.parametrize(("advice", "trial"), SETUPS, ids=[advice for advice, _ in SETUPS])
def test_a_producer_s_setup_is_advised_on(advice: str, trial: Callable[[], Trial]) -> None:
    found = trial()
    assert [line for line in found.advice if advice in line], found.advice
    assert found.faults == []


def test_a_good_source_gets_no_advice() -> None:
    before = {"id": 1, "app": "A1"}
    trial = tried(row(), row(op="u", lsn=6, before=before), row(2, lsn=7), partitions=8)
    assert (trial.faults, trial.advice, trial.decoded) == ([], [], 3)


def test_rows_from_files_among_captured_ones_need_no_position() -> None:
    mapping = replace(MAPPING, dialect="maxwell-json", format=Format())
    line = dump({"op": "c", "after": {"id": 1, "app": "A1", "amt": 1, "at": None, "more": 1}, "source": {"src_ts": AT}})
    trial = tried(recorded(line, {"id": 1}, headers={"stagewatch.ingest": b"{}"}), mapping=mapping)
    assert (trial.decoded, trial.advice, [each.name for each in trial.undeclared]) == (1, [], ["more"])


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("cust_name", "王小明", "王**"),
        ("mobile", "13812345678", "1**"),
        ("target", "13812345678", "138****78"),
        ("reason", "打13812345678联系", "打138****78联系"),
        ("app_no", "332600000010", "332600000010"),
        ("owner", "33010219800101123X", "******"),
    ],
)
def test_examples_show_no_person(name: str, value: str, shown: str) -> None:
    assert masked_example(name, value) == shown


def test_the_machines_form_holds_no_raw_value() -> None:
    mapping = replace(MAPPING, columns={**MAPPING.columns, "mobile": Column("mobile", "text")})
    said = json.dumps(as_json(tried(row(mobile="13812345678", phone="13900001111"), mapping=mapping)))
    assert "13812345678" not in said
    assert "13900001111" not in said


def test_a_captured_file_is_tried_without_a_broker(tmp_path: Path, capsys: Said) -> None:
    captured = tmp_path / "captured.jsonl"
    lines = [line("cdc.lean.lean_prj_schedule", {"prj_no": "P1", "duration_days": days}) for days in (30, 31, "few")]
    captured.write_text("\n".join(lines), "utf-8")
    assert run(["sources", "try", "lean_prj_schedule", "--file", str(captured), "-o", "json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown["works"], shown["decoded"], shown["refused"][0]["reason"]) == (False, 2, "wrong-type")
    assert run(["sources", "try", "lean_prj_schedule", "--file", str(captured), "--records", "1"]) == 1
    assert "does not work: 1 of 1 refused: wrong-type" in capsys.readouterr().err
    assert run(["sources", "try", "mkt.mkt_app", "--file", str(captured)]) == 1
    assert "holds no record of cdc.mkt.mkt_app; it holds cdc.lean.lean_prj_schedule" in capsys.readouterr().err


def line(topic: str, after: dict[str, Any]) -> str:
    value = {"op": "c", "after": after}
    return json.dumps({"topic": topic, "partition": 0, "offset": 1, "timestamp": AT, "key": None, "value": value})


def test_an_unknown_table_says_how_to_begin(capsys: Said) -> None:
    assert run(["sources", "try", "mkt_ap"]) == 1
    assert "`stagewatch sources draft TOPIC` begins a declaration" in capsys.readouterr().err


def test_each_further_view_is_tried_by_itself() -> None:
    mapping = with_views(
        MAPPING,
        {"entity": "first", "instance": "one:{app}", "when": {"id": 1}},
        {"entity": "all", "instance": "day:{id}:{app}", "of": "first"},
    )
    first, every = tried(
        row(1), row(2, lsn=6), row(2, lsn=7, app="A2"), row(1, lsn=8, op="d", before={"id": 1, "app": "A1"}),
        mapping=mapping,
    ).views  # fmt: skip
    assert (first.rows, first.instances, first.gone, dict(first.untold)) == (1, {"one:A1"}, 1, {"other id": 2})
    assert (every.rows, every.instances, dict(every.untold)) == (3, {"day:1:A1", "day:2:A1", "day:2:A2"}, {})


def test_rows_that_a_view_cannot_place_are_counted_by_reason_and_advised_on() -> None:
    mapping = with_views(table(TYPES, instance=None), {"entity": "money", "instance": "money:{app}"})
    without = recorded(envelope({"id": 4, "amt": "1.00"}, op="u", lsn=9), {"id": 4}, offset=9)
    trial = tried(row(1), row(2, lsn=6, app=None), without, mapping=mapping)
    assert trial.views[0].untold == {"app is null": 1, "without app, the instance": 1}
    assert [line for line in trial.advice if "and are not told there" in line]
    assert trial.faults == []


def test_a_record_that_only_a_view_refuses_is_refused_as_in_a_worker() -> None:
    mapping = with_views(table(TYPES, instance=None), {"entity": "money", "instance": "app"})
    trial = tried(row(1), row(2, lsn=6, app="\0"), mapping=mapping)
    assert (trial.views[0].rows, trial.refused["wrong-type"].count) == (1, 1)
    assert trial.faults == ["1 of 2 refused: wrong-type"]


def test_the_views_are_shown_to_people_and_machines(tmp_path: Path, capsys: Said) -> None:
    file = tmp_path / "payments.jsonl"
    values = {"pay_no": "P1", "cons_no": "3401013800138001", "bill_no": None, "amount": "1.00"}
    line = {"topic": "cdc.mkt.mkt_payment", "partition": 0, "offset": 0, "timestamp": AT, "key": {"pay_no": "P1"},
            "value": envelope(values)}  # fmt: skip
    file.write_text(json.dumps(line, default=str) + "\n", encoding="utf-8")
    assert run(["sources", "try", "mkt.mkt_payment", "--file", str(file), "-o", "json"]) == 0
    views = {view["instance"]: view for view in json.loads(capsys.readouterr().out)["views"]}
    assert (views["billing:{cons_no}"]["rows"], views["billing:{cons_no}"]["instances"]) == (1, 1)
    assert views["dunning:{bill_no}"]["untold"] == {"bill_no is null": 1}
    assert run(["sources", "try", "mkt.mkt_payment", "--file", str(file)]) == 0
    assert "1 bill_no is null" in capsys.readouterr().out
