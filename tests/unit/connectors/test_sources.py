"""Source files: the shipped ones, what overrules them, and every fault with its place."""

from pathlib import Path

import pytest

from connectors import SHIPPED_SOURCES, SourceCatalog, check_source, load_sources, run_source_tests
from schemas import DefinitionError

MINIMAL = """\
version: source/v1
source: x
tables:
  x_thing:
    entity: thing
    key: [id]
    columns: {id: text, at: timestamp}
"""


def load(tmp_path: Path, *texts: str, dialects: dict[str, object] | None = None) -> SourceCatalog:
    for number, text in enumerate(texts):
        (tmp_path / f"s{number}.yaml").write_text(text)
    return load_sources([tmp_path], dialects)


def faults(tmp_path: Path, *texts: str, dialects: dict[str, object] | None = None) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path, *texts, dialects=dialects)
    return [str(fault).replace(f"{tmp_path}/", "") for fault in caught.value.faults]


def test_shipped_sources_pass_their_own_tests() -> None:
    catalog = load_sources([SHIPPED_SOURCES])
    results = run_source_tests(catalog)
    assert [result.fault for result in results if result.fault] == []
    assert {Path(result.file) for result in results} == {Path(file.file) for file in catalog.files}


@pytest.mark.parametrize(
    ("topic", "entity", "instance", "is_reference"),
    [
        ("cdc.mkt.mkt_app", "application", "app_no", False),
        ("cdc.mkt.mkt_app_progress", "visit", "app_no", False),
        ("cdc.mkt.mkt_cust_prj", "customer_project", "app_no", False),
        ("cdc.mkt.mkt_cons", "customer", None, True),
        ("cdc.mkt.tg_manager", "tg_manager", None, True),
        ("cdc.mkt.customer_manager", "customer_manager", None, True),
        ("cdc.mkt.stakeholder", "stakeholder", None, True),
        ("cdc.lean.lean_neg_trans", "negative_item", "nl_no", True),
        ("cdc.lean.lean_neg_line", "negative_item", "nl_no", True),
        ("cdc.lean.lean_prj_schedule", "project_schedule", None, True),
        ("cdc.ymd.ymd_org", "org", None, True),
        ("cdc.ymd.ymd_tg", "tg", None, True),
        ("cdc.ymd.ymd_line", "line", None, True),
        ("cdc.ech.ech_works_report", "works_report", "app_no", False),
    ],
)
def test_shipped_table(topic: str, entity: str, instance: str | None, is_reference: bool) -> None:  # noqa: FBT001
    mapping = load_sources([SHIPPED_SOURCES]).mapping_for(topic)
    assert mapping is not None
    assert (mapping.entity, mapping.instance, mapping.is_reference) == (entity, instance, is_reference)


def test_topics_are_matched_without_regard_to_case() -> None:
    catalog = load_sources([SHIPPED_SOURCES])
    assert catalog.mapping_for("CDC.MKT.MKT_APP") is catalog.mapping_for("cdc.mkt.mkt_app")
    assert catalog.mapping_for("cdc.mkt.unknown") is None


def test_defaults_of_a_minimal_source(tmp_path: Path) -> None:
    mapping = load(tmp_path, MINIMAL).mapping_for("cdc.x.x_thing")
    assert mapping is not None
    assert mapping.is_reference
    assert (mapping.dialect, mapping.timestamp_unit, mapping.column_timezone) == (
        "debezium-json", "us", "Asia/Shanghai",
    )  # fmt: skip


def test_source_says_its_own_topic_pattern_and_a_table_its_own_topic(tmp_path: Path) -> None:
    text = MINIMAL.replace("source: x\n", 'source: X\ntopic: "{source}-{table}"\n')
    catalog = load(tmp_path, text + "  y:\n    entity: y\n    key: [id]\n    topic: Other\n    columns: {id: text}\n")
    assert catalog.topics == ("Other", "x-x_thing")


def test_names_are_lower_case_whatever_the_file_says(tmp_path: Path) -> None:
    text = MINIMAL.replace("x_thing", "X_THING").replace("[id]", "[ID]").replace("{id:", "{ID:")
    mapping = load(tmp_path, text).mapping_for("cdc.x.x_thing")
    assert mapping is not None
    assert mapping.key == ("id",)
    assert list(mapping.columns) == ["id", "at"]
    assert mapping.columns["id"].name == "id"


def test_dialects_setting_overrules_by_the_longest_pattern(tmp_path: Path) -> None:
    dialects: dict[str, object] = {
        "cdc.X.x_*": {"column_timezone": "Asia/Tokyo"},
        "cdc.*": {"dialect": "debezium-json", "column_timezone": "UTC", "op_ts_timezone": "Asia/Shanghai"},
        "cdc.other.*": {"dialect": "canal-json"},
    }
    mapping = load(tmp_path, MINIMAL, dialects=dialects).mapping_for("cdc.x.x_thing")
    assert mapping is not None
    assert (mapping.column_timezone, mapping.op_ts_timezone) == ("Asia/Tokyo", "Asia/Shanghai")


def test_faults_of_the_dialects_setting_name_the_pattern(tmp_path: Path) -> None:
    dialects: dict[str, object] = {"cdc.*": {"dialect": "morse", "colour": 1, "column_timezone": "Mars/Base"}, "x": 5}
    found = faults(tmp_path, MINIMAL, dialects=dialects)
    assert [fault.split(": ")[1] for fault in found] == [
        "dialects.cdc.*.dialect", "dialects.cdc.*.column_timezone", "dialects.cdc.*.colour", "dialects.x",
    ]  # fmt: skip


def test_every_fault_of_every_file_is_reported_with_its_place(tmp_path: Path) -> None:
    first = MINIMAL.replace("timestamp", "moment").replace("entity: thing", "entitty: thing")
    second = "version: source/v1\nsource: [\n"
    third = MINIMAL.replace("source/v1", "source/v2").replace("source: x", "source: x\ncolumn_timezone: Asia/Shangai")
    assert faults(tmp_path, first, second, third) == [
        "s0.yaml:4:3: field 'entity' is missing",
        "s0.yaml:5:5: unknown field 'entitty'",
        "s0.yaml:7:29: type: Input should be 'text', 'int', 'decimal', 'bool', 'timestamp' or 'date'",
        "s1.yaml:3:1: not YAML: while parsing a flow node, did not find expected node content",
        "s2.yaml:1:10: version: Input should be 'source/v1'",
        "s2.yaml:3:18: column_timezone: unknown time zone 'Asia/Shangai'",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("{id: text,", "{id: text, ID: int,", "s0.yaml:5:5: x_thing: column 'id' is declared twice"),
        ("at: timestamp", "at: {type: timestamp, field: id}", "s0.yaml:5:5: x_thing: field 'id' is declared twice"),
        ("key: [id]", "key: [id]\n    constants: {at: 1}", "s0.yaml:5:5: x_thing: field 'at' is declared twice"),
        ("key: [id]", "key: []", "s0.yaml:6:10: key: List should have at least 1 item after validation, not 0"),
        ("key: [id]", "key: [id]\n    is_tracked: false",
         "s0.yaml:5:5: x_thing: is_tracked: only a table with an instance column can be tracked"),
        ("key: [id]", "key: [id]\n    quiet_after: soon",
         "s0.yaml:7:18: quiet_after: 'soon' is no span of time; write 90s, 15m, 16h or 4d"),
        ("at: timestamp", "at: {type: timestamp, codes: volt_level}",
         "s0.yaml:7:29: at: codes: a column of codes is text, not timestamp"),
        ("at: timestamp", "at: {type: text, codes: colour}",
         "s0.yaml:7:29: no code list 'colour'; known are volt_level"),
        ("id: text", "id: {type: text, is_kept: false}",
         "s0.yaml:7:19: 'id' is needed to read the row; it must be kept"),
        ("key: [id]", "key: [id]\n    joins: {idd: y}",
         "s0.yaml:7:18: no column 'idd' in this table; known are id, at"),
        ("source: x", "source: x\ntopic: 'a.{b}'", "s0.yaml:1:1: topic: only {source} and {table} may stand in braces"),
        ("source: x", "source: x\ndialect: ogg-delimited",
         "s0.yaml:5:3: 'cdc.x.x_thing' is ogg-delimited: list every column in order"),
        ("x_thing:", "x-thing:", "s0.yaml:4:3: name 'x-thing': String should match pattern"),
    ],
)  # fmt: skip
def test_fault_of_a_table(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert faults(tmp_path, MINIMAL.replace(old, new))[0].startswith(fault)


def test_a_topic_of_two_tables_is_a_fault(tmp_path: Path) -> None:
    found = faults(tmp_path, MINIMAL, MINIMAL)
    assert len(found) == 1
    assert found[0].startswith("s1.yaml:4:3: topic 'cdc.x.x_thing' is declared twice, here and in ")


def test_missing_folder_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="no such file or folder"):
        load_sources([tmp_path / "nowhere"])


def test_one_file_may_be_named_and_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x: [")
    (tmp_path / "x.yaml").write_text(MINIMAL)
    assert load_sources([tmp_path]).topics == load_sources([tmp_path / "x.yaml"]).topics == ("cdc.x.x_thing",)


def test_check_gives_the_faults_of_one_text() -> None:
    assert check_source(MINIMAL, "m.yaml") == []
    assert str(check_source("version: 1", "m.yaml")[0]).startswith("m.yaml:1:1: field 'source'")
    assert "is ogg-delimited" in str(check_source(MINIMAL + "dialect: ogg-delimited\n", "m.yaml")[0])


@pytest.mark.parametrize(
    ("expect", "fault"),
    [
        ("{row: a}", None),
        ("{row: b}", "row: expected 'b', not 'a'"),
        ("{op: d}", "op: expected 'd', not 'c'"),
        ("{instance: z}", "instance: expected 'z', not ''"),
        ("{fields: {at: '2026-03-02T01:00:00Z'}}", None),
        ("{fields: {at: '2026-03-02T09:00:00+08:00'}}", None),
        ("{fields: {at: '2026-03-02T01:00:01Z'}}",
         "field 'at': expected '2026-03-02T01:00:01Z', not '2026-03-02T01:00:00.000Z'"),
        ("{fields: {at: soon}}", "field 'at': expected 'soon', not '2026-03-02T01:00:00.000Z'"),
        ("{fields: {no: 1}}", "field 'no' is missing"),
        ("{fields: {id: 1}}", "field 'id': expected '1', not 'a'"),
        ("{missing: [id]}", "field 'id' should be missing"),
        ("{missing: [no]}", None),
        ("{refused: wrong-type}", "not refused as wrong-type"),
        ("{silent: true}", "the record says something"),
    ],
)  # fmt: skip
def test_sample_records_are_compared(tmp_path: Path, expect: str, fault: str | None) -> None:
    sample = "tests:\n  - name: s\n    table: x_thing\n    record: {op: c, after: {id: a, at: '2026-03-02 09:00:00'}}\n"
    catalog = load(tmp_path, f"{MINIMAL}{sample}    expect: {expect}\n")
    found = run_source_tests(catalog)[0].fault
    assert (None if found is None else found.message) == (None if fault is None else f"test 's': {fault}")
    assert found is None or (found.line, found.column) == (9, 5)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("table: y\n    record: {}\n    expect: {}", "no table 'y' in this file"),
        ("table: x_thing\n    record: {op: c}\n    expect: {}", "refused: no-row-image: operation c"),
        ("table: x_thing\n    record: {op: c}\n    expect: {refused: empty}", "refused: no-row-image: operation c"),
        ("table: x_thing\n    expect: {}", "the record says nothing"),
    ],
)
def test_sample_record_that_cannot_be_compared(tmp_path: Path, more: str, fault: str) -> None:
    catalog = load(tmp_path, f"{MINIMAL}tests:\n  - name: s\n    {more}\n")
    found = run_source_tests(catalog)[0].fault
    assert found is not None
    assert found.message == f"test 's': {fault}"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [("key: [id]", "key: [ids]", "s0.yaml:6:11"), ("key: [id]", "key: [id]\n    instance: nosuch", "s0.yaml:7:15")],
)
def test_key_and_instance_are_columns_of_the_table(tmp_path: Path, old: str, new: str, place: str) -> None:
    (fault,) = faults(tmp_path, MINIMAL.replace(old, new))
    assert fault.startswith(f"{place}: no column")


def test_a_key_column_may_come_from_the_records_key_alone(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL.replace("key: [id]", "key: [serial]")).vocabulary() == {"thing": {"id", "at"}}


VISITS = MINIMAL.replace("entity: thing", "entity: visit\n    instance: app_no").replace(
    "columns: {id: text, at: timestamp}", "columns: {app_no: text, stage: int, entered_at: timestamp, handler: text}"
)


def test_a_field_of_a_visit_has_the_type_that_state_holds(tmp_path: Path) -> None:
    assert faults(tmp_path, VISITS) == ["s0.yaml:8:36: 'stage' of a visit is text, not int"]


def test_the_message_key_of_a_table_without_instances_is_its_row(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, MINIMAL.replace("key: [id]", "key: [id]\n    message_key: json"))
    assert "is keyed by its row" in fault


def test_a_message_key_is_the_json_of_the_instance_column_as_it_is_spelt(tmp_path: Path) -> None:
    text = VISITS.replace("app_no", "APP_NO").replace("stage: int", "stage: text")
    catalog = load(tmp_path, text.replace("key: [id]", "key: [id]\n    message_key: json"))
    assert catalog.mappings[0].key_form % b"A1" == b'{"APP_NO":"A1"}'


VIEWED = """\
version: source/v1
source: x
tables:
  x_thing:
    entity: thing
    key: [id]
    columns: {id: text, at: timestamp, who: text}
    also: [%s]
"""


def test_a_view_is_told_only_where_its_instances_are_followed(tmp_path: Path) -> None:
    catalog = load(
        tmp_path, VIEWED % '{entity: case, instance: "case:{who}"}, {entity: step, instance: who, of: thing}'
    )
    (mapping,) = catalog.told({"case"}).mappings
    assert [view.entity for view in mapping.also] == ["case"]
    assert [len(each.mappings[0].also) for each in (catalog, catalog.told({"thing"}), catalog.told(set()))] == [2, 1, 0]
    assert catalog.told({"case"}).mapping_for(mapping.topic) == mapping


def test_rules_may_read_what_views_tell(tmp_path: Path) -> None:
    view = '{entity: case, instance: "case:{who}", columns: {at: opened_at}, constants: {kind: x}}'
    catalog = load(tmp_path, VIEWED % view)
    assert catalog.vocabulary()["case"] == {"id", "who", "opened_at", "kind"}
    assert catalog.entities(reference=False) == {"case"}


@pytest.mark.parametrize(
    ("view", "place", "said"),
    [
        ("{entity: v, instance: whom}", "8:34", "no column 'whom' in this table; known are who, "),
        ('{entity: v, instance: "v:{whom}"}', "8:34", "no column 'whom'"),
        ("{entity: v, instance: who, when: {kind: 1}}", "8:52", "no column 'kind'"),
        ("{entity: v, instance: who, row: [id, no]}", "8:49", "no column 'no'"),
        ("{entity: v, instance: who, columns: [at, upto]}", "8:", "no column 'upto'"),
        ("{entity: v, instance: who, columns: {at: x, id: x}}", "8:", "field 'x' is fed by two columns"),
        ("{entity: v, instance: who, of: nobody}", "8:", "no table or view tells the entity 'nobody'"),
        ("{entity: visit, instance: who, columns: {who: entered_at}}", "8:", "a visit is date or timestamp, not"),
        ('{entity: v, instance: "v{who}"}', "8:", "instance"),
        ("{entity: v, instance: who, beside: [x_things]}", "8:", "no table 'x_things'; near are x_thing"),
        ("{entity: thing, instance: who}", "8:", "'thing' is a look-up that every worker holds"),
        ("{entity: v, instance: who}, {entity: v, instance: id, of: w}, {entity: w, instance: id}", "8:",
         "a row of 'v' is an instance itself"),
    ],
)  # fmt: skip
def test_a_fault_of_a_view_has_its_place(tmp_path: Path, view: str, place: str, said: str) -> None:
    found = faults(tmp_path, VIEWED % view)
    assert any(line.startswith(f"s0.yaml:{place}") and said in line for line in found), found


def test_views_of_one_entity_cannot_be_spread_in_two_ways(tmp_path: Path) -> None:
    keyed = MINIMAL.replace("x_thing", "y_thing").replace("source: x", "source: y").replace(
        "    columns:", "    instance: who\n    message_key: json\n    columns:"
    ).replace("at: timestamp", "who: text")  # fmt: skip
    view = "{entity: v, instance: who}, {entity: v, instance: id, of: v}"
    assert load(tmp_path, VIEWED.replace("key: [id]", "key: [id]\n    is_reference: false") % view).mappings
    found = faults(tmp_path, VIEWED.replace("key: [id]", "key: [id]\n    is_reference: false") % view, keyed)
    assert ["rows of 'v' belong to instances of two kinds" in fault for fault in found] == [True, True]


def test_a_view_follows_the_dialect_that_the_settings_say(tmp_path: Path) -> None:
    catalog = load(tmp_path, VIEWED % "{entity: v, instance: who}", dialects={"cdc.x.*": {"dialect": "ogg-json"}})
    assert catalog.mappings[0].also[0].dialect == "ogg-json"


def test_a_view_that_lives_on_another_table_is_told_only_where_that_is_captured(tmp_path: Path) -> None:
    catalog = load(tmp_path, VIEWED % "{entity: v, instance: who, beside: [y_thing]}", MINIMAL.replace("x_th", "y_th"))
    own, other = (mapping.topic for mapping in catalog.mappings)
    assert [len(catalog.captured(topics).mappings[0].also) for topics in ([own], [own, other])] == [0, 1]


def test_a_view_may_follow_instances_of_a_shipped_source_that_is_not_connected_here() -> None:
    lean = load_sources([SHIPPED_SOURCES / "lean.yaml"])
    progress = lean.mapping_for("cdc.lean.lean_prj_progress")
    assert progress is not None
    assert [view.entity for view in progress.also] == ["project_progress"]
