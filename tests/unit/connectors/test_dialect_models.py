"""What source files and the `dialects` setting say about how records are written, and who wins."""

from pathlib import Path

import pytest

from connectors import check_source, load_sources, run_source_tests
from schemas import DefinitionError, TableMapping
from schemas.mapping import Format

SOURCE = """\
version: source/v1
source: x
{more}tables:
  x_thing:
    entity: thing
    key: [id]
    {table}
    columns: {{id: text, amt: {{type: decimal{scale}}}, memo: text}}
"""


def text(more: str = "", table: str = "title: a thing", scale: str = "") -> str:
    return SOURCE.format(more=f"{more}\n" if more else "", table=table, scale=scale)


def mapping(tmp_path: Path, source: str, dialects: dict[str, object] | None = None) -> TableMapping:
    (tmp_path / "x.yaml").write_text(source, encoding="utf-8")
    found = load_sources([tmp_path], dialects).mapping_for("cdc.x.x_thing")
    assert found is not None
    return found


def test_nothing_said_is_the_producers_default(tmp_path: Path) -> None:
    assert mapping(tmp_path, text()).format == Format()


def test_the_source_says_and_the_table_and_then_the_setting_win(tmp_path: Path) -> None:
    source = text(
        'format: {null_marker: "-", missing_marker: "?", lob_columns: [MEMO]}',
        'format: {null_marker: "~", columns: [ID, Amt, MEMO]}',
    )
    form = mapping(
        tmp_path, source, {"cdc.x.*": {"dialect": "ogg-delimited", "format": {"missing_marker": "!"}}}
    ).format
    assert form == Format(
        null_marker="~", missing_marker="!", lob_columns=frozenset({"memo"}), columns=("id", "amt", "memo")
    )


def test_the_setting_alone_makes_a_topic_delimited_text(tmp_path: Path) -> None:
    said = {
        "dialect": "ogg-delimited",
        "format": {"delimiter": "|", "columns": ["id", "amt", "memo"], "head": ["op_type", "pos"]},
    }
    found = mapping(tmp_path, text(), {"cdc.x.x_thing": said})
    assert (found.dialect, found.format.delimiter, found.format.head) == ("ogg-delimited", "|", ("op_type", "pos"))


def test_moments_of_a_log_that_began_anew_hold_for_the_source_and_may_differ_by_table(tmp_path: Path) -> None:
    said = text('format: {log_resets: ["2026-03-02T09:00:00+08:00", "2026-03-02T01:00:01.5Z"]}')
    assert mapping(tmp_path, said).format.log_resets == (1_772_413_200_000, 1_772_413_201_500)
    other: dict[str, object] = {"cdc.*": {"format": {"log_resets": ["2026-03-02T01:00:00Z"]}}}
    assert mapping(tmp_path, said, other).format.log_resets == (1_772_413_200_000,)


def test_how_topics_grow_holds_for_the_source_and_may_differ_by_topic(tmp_path: Path) -> None:
    said = text("format: {partitions: multiplied}")
    assert mapping(tmp_path, text()).format.partitions == "any"
    assert mapping(tmp_path, said).format.partitions == "multiplied"
    assert mapping(tmp_path, said, {"cdc.*": {"format": {"partitions": "any"}}}).format.partitions == "any"


def test_scales_of_decimals_that_are_bytes(tmp_path: Path) -> None:
    assert mapping(tmp_path, text("format: {decimal: base64}", scale=", scale: 2")).columns["amt"].scale == 2


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (text("dialect: ogg-delimited"), "x.yaml:5:3: 'cdc.x.x_thing' is ogg-delimited: list every column in order"),
        (text("format: {decimal: base64}"), "'amt' is written as bytes: it needs its `scale`"),
        (text("format: {decimal: float}"), "x.yaml:3:19: decimal"),
        (text("format: {trail_epoch: 32}"), "x.yaml:3:23: trail_epoch"),
        (text('format: {log_resets: ["2026-11-22T03:00:00"]}'), "should have timezone info"),
        (
            text('format: {log_resets: ["2026-11-22T03:00:00Z", "2026-11-22T02:00:00Z"]}'),
            "each moment must be later than the one before",
        ),
        (text("format: {partitions: doubled}"), "x.yaml:3:22: partitions"),
        (text('format: {delimiter: ""}'), "x.yaml:3:21: delimiter"),
        (text("format: {operations: {INS: merge}}"), "x.yaml:3:28: INS"),
        (text("format: {colour: red}"), "colour"),
    ],
)
def test_what_is_missing_or_wrong_is_a_fault_with_its_place(source: str, fault: str) -> None:
    assert any(fault in str(found) for found in check_source(source, "x.yaml"))


def test_a_setting_that_says_nothing_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="says nothing"):
        mapping(tmp_path, text(), {"cdc.*": {}})


@pytest.mark.parametrize(
    "dialect", ["debezium-json", "debezium-avro", "ogg-json", "ogg-json-row", "canal-json", "maxwell-json"]
)
def test_every_other_dialect_needs_its_name_alone(tmp_path: Path, dialect: str) -> None:
    assert mapping(tmp_path, text(f"dialect: {dialect}")).dialect == dialect


SAMPLES = {
    "debezium-avro": "{op: c, after: {ID: 1, MEMO: a}}",
    "ogg-json": "{op_type: I, op_ts: 2026-03-02 01:00:00, after: {ID: 1, MEMO: a}}",
    "ogg-json-row": "{op_type: I, op_ts: 2026-03-02 01:00:00, ID: 1, MEMO: a}",
    "ogg-delimited": "{op_type: I, op_ts: 2026-03-02 01:00:00, ID: 1, MEMO: a}",
    "canal-json": "{type: INSERT, data: [{ID: '1', MEMO: a}]}",
    "maxwell-json": "{type: insert, data: {ID: 1, MEMO: a}}",
}


@pytest.mark.parametrize("dialect", SAMPLES)
def test_samples_are_written_in_the_sources_dialect(tmp_path: Path, dialect: str) -> None:
    sample = (
        f"{{name: a row, table: x_thing, record: {SAMPLES[dialect]}, expect: {{row: '1', op: c, fields: {{memo: a}}}}}}"
    )
    source = text(f"dialect: {dialect}", "format: {columns: [id, amt, memo]}") + f"tests: [{sample}]\n"
    (tmp_path / "x.yaml").write_text(source, encoding="utf-8")
    (result,) = run_source_tests(load_sources([tmp_path]))
    assert result.fault is None


def test_a_sample_of_several_changes_is_a_fault(tmp_path: Path) -> None:
    sample = "{name: two, table: x_thing, record: {type: INSERT, data: [{id: '1'}, {id: '2'}]}, expect: {row: '1'}}"
    (tmp_path / "x.yaml").write_text(text("dialect: canal-json") + f"tests: [{sample}]\n", encoding="utf-8")
    (result,) = run_source_tests(load_sources([tmp_path]))
    assert "tells 2 changes" in str(result.fault)
