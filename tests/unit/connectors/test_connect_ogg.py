"""GoldenGate's handler: what is made from a declaration, and what is wrong with what others wrote."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import SourceCatalog, load_sources
from connectors.ogg import check_properties, load_handler, parse_properties
from connectors.ogg_properties import FORMATS, escaped
from schemas import Decoder, DefinitionError

SOURCE = """\
version: source/v1
source: mkt
dialect: ogg-json
tables:
  mkt_app: {entity: application, key: [app_no], instance: app_no, columns: {app_no: text}}
"""
FILE = "version: ogg/v1\nname: mkt\nsource: mkt\n"
META = "${objectname[table]},${optype[op_type]},${timestamp[op_ts]},${position[pos]}"
THEIRS = """\
# what people really write
gg.handlerlist = kafkahandler
gg.handler.kafkahandler.type=kafka
gg.handler.kafkahandler.mode=tx
gg.handler.kafkahandler.topicMappingTemplate=oracle
gg.handler.kafkahandler.KEYMappingTemplate=${currentTimestamp}
gg.handler.kafkahandler.format=avro_op
gg.handler.kafkahandler.format.metaColumnsTemplate=${objectname[table]},\\
    ${optype[op_type]}
gg.handler.kafkahandler.format.omitNullValues=true
"""


@pytest.fixture
def catalog(tmp_path: Path) -> SourceCatalog:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "mkt.yaml").write_text(SOURCE, encoding="utf-8")
    return load_sources([folder])


def delimited(tmp_path: Path, said: str) -> SourceCatalog:
    (tmp_path / "sources").mkdir()
    text = SOURCE.replace("ogg-json", "ogg-delimited").replace(
        "tables:", f"format: {{columns: [app_no], {said}}}\ntables:"
    )
    (tmp_path / "sources" / "mkt.yaml").write_text(text, encoding="utf-8")
    return load_sources([tmp_path / "sources"])


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mkt.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_made_handler_has_nothing_wrong(tmp_path: Path, catalog: SourceCatalog) -> None:
    handler, warnings = load_handler(written(tmp_path, FILE), catalog)
    assert warnings == []
    found = parse_properties(handler.text)
    assert found["gg.handler.mkt.mode"] == "op"
    assert found["gg.handler.mkt.keyMappingTemplate"] == "${primaryKeys}"
    assert found["gg.handler.mkt.topicMappingTemplate"] == "cdc.mkt.${toLowerCase[${tableName}]}"
    assert found["goldengate.userexit.timestamp"] == "utc"
    assert list(check_properties(found, catalog.mappings)) == []


def test_the_format_is_the_declared_dialects(tmp_path: Path, catalog: SourceCatalog) -> None:
    (tmp_path / "sources" / "mkt.yaml").write_text(SOURCE.replace("ogg-json", "ogg-json-row"), encoding="utf-8")
    handler, _ = load_handler(written(tmp_path, FILE), load_sources([tmp_path / "sources"]))
    assert handler.properties["gg.handler.mkt.format"] == "json_row"


@pytest.mark.parametrize("form", ["json", "json_row", "delimitedtext"])
def test_what_the_made_handler_would_write_is_read(tmp_path: Path, form: str) -> None:
    said = "columns: [app_no, org_no], meta: {op_ts: at}, head: [op_type, at, pos], delimiter: '|'"
    text = SOURCE.replace("ogg-json", FORMATS[form]).replace("tables:", f"format: {{{said}}}\ntables:")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "mkt.yaml").write_text(text, encoding="utf-8")
    catalog = load_sources([tmp_path / "sources"])
    handler, warnings = load_handler(written(tmp_path, FILE), catalog)
    assert warnings == []
    own = {key.removeprefix("gg.handler.mkt.format."): value for key, value in handler.properties.items()}
    names = re.findall(r"\[(\w+)\]", own["metaColumnsTemplate"])
    meta = dict.fromkeys(names, "x") | {"op_type": "U", "at": "2026-03-02 01:00:00.000000", "pos": "0" * 20}
    row = {"app_no": "A1", "org_no": "33401"}
    value = {
        "json": lambda: json.dumps(meta | {"before": row, "after": row}),
        "json_row": lambda: json.dumps(meta | row),
        "delimitedtext": lambda: own["fieldDelimiter"].join([*map(meta.__getitem__, names), *row.values()]),
    }[form]()
    change = Decoder(catalog.mappings[0]).decode(
        key=b"A1", value=value.encode(), headers=(), timestamp=0, topic="cdc.mkt.mkt_app", partition=0, offset=0
    )
    assert change is not None
    assert (change.op, change.row, change.position) == ("u", "A1", 1 << 32)  # the first place of the trail's first file
    # Of a changed primary key the row's form has one image: the old row goes only if it is deleted.
    assert own.get("pkUpdateHandling") == (None if form == "json" else "delete-insert")


def test_a_delimiter_that_is_not_printed_is_written_as_goldengate_reads_it(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    text = SOURCE.replace("ogg-json", "ogg-delimited").replace("tables:", "format: {columns: [app_no]}\ntables:")
    (tmp_path / "sources" / "mkt.yaml").write_text(text, encoding="utf-8")
    handler, _ = load_handler(written(tmp_path, FILE), load_sources([tmp_path / "sources"]))
    assert "gg.handler.mkt.format.fieldDelimiter=CDATA[\\u0001]\n" in handler.text


@pytest.mark.parametrize(
    ("said", "written_as"),
    [
        (r"null_marker: '\N'", r"nullValueRepresentation=\\N"), ("delimiter: ' '", "fieldDelimiter=CDATA[ ]"),
        (r"delimiter: '\|'", r"fieldDelimiter=\\|"), ("null_marker: '空'", r"nullValueRepresentation=\u7a7a"),
        ("delimiter: '¦'", r"fieldDelimiter=\u00a6"), (r"missing_marker: '\M'", r"missingValueRepresentation=\\M"),
    ],
)  # fmt: skip
def test_marks_are_written_as_java_reads_them(tmp_path: Path, said: str, written_as: str) -> None:
    handler, warnings = load_handler(written(tmp_path, FILE), delimited(tmp_path, said))
    assert warnings == []
    assert f"format.{written_as}\n" in handler.text
    assert parse_properties(handler.text) == handler.properties


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_comes_back_from_a_properties_file(value: str) -> None:
    assert parse_properties(f"a.b={escaped(value)}\n") == {"a.b": value}
    assert escaped(value).isascii()


def test_a_properties_file_is_read_as_java_reads_it() -> None:
    text = "a\\:b = x\\\n   y\nc=d\\\\\ne=\\u0001\\t\\N\n! f=g\n"
    assert parse_properties(text) == {"a:b": "xy", "c": "d\\", "e": "\x01\tN"}


@pytest.mark.parametrize("word", ["xid", "csn", "opType", "timestamp", "uuid", "opTimestamp", "currentDate"])
def test_a_key_that_differs_from_change_to_change_is_a_fault(tmp_path: Path, catalog: SourceCatalog, word: str) -> None:
    text = f"{FILE}settings: {{keyMappingTemplate: '${{primaryKeys}}-${{{word}}}'}}\n"
    with pytest.raises(DefinitionError, match="scatters the changes of one row"):
        load_handler(written(tmp_path, text), catalog)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("format.nullValueRepresentation: X", 'null_marker: "X"'), ("format.fieldDelimiter: ';'", 'delimiter: ";"'),
        (r"format.fieldDelimiter: 'CDATA[\u0002]'", r'delimiter: "\u0002"'),
        ("format.missingValueRepresentation: '-'", 'missing_marker: "-"'),
    ],
)  # fmt: skip
def test_marks_that_the_declaration_does_not_know_are_warned_of(tmp_path: Path, setting: str, said: str) -> None:
    catalog = delimited(tmp_path, "null_marker: 'NULL'")
    _, warnings = load_handler(written(tmp_path, f"{FILE}settings: {{{setting}}}\n"), catalog)
    assert [said in str(each) for each in warnings] == [True]


@pytest.mark.parametrize("setting", ["format.includeColumnNames: true", "format.lineDelimiter: ';'"])
def test_delimited_text_that_cannot_be_cut_is_a_fault(tmp_path: Path, setting: str) -> None:
    with pytest.raises(DefinitionError, match="taken for"):
        load_handler(written(tmp_path, f"{FILE}settings: {{{setting}}}\n"), delimited(tmp_path, "null_marker: 'NULL'"))


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("mode: tx", "4:12: tx puts a whole transaction into one message"),
        ('keyMappingTemplate: "${null}"', "4:12: '${null}' scatters the changes of one row"),
        ("keyMappingTemplate: x", "4:12: 'x' is the same for every row"),
        ('keyMappingTemplate: "${tableName}"', "4:12: '${tableName}' is the same for every row"),
        ("format: xml", "4:12: 'xml' cannot be decoded"),
        ('format.metaColumnsTemplate: "${objectname[table]}"', "4:12: lacks ${optype[op_type]},${timestamp[op_ts]}"),
        ("format.omitNullValues: true", "4:12: null and missing look alike"),
        ("gg.handler.mkt.mode: tx", "4:12: tx puts"),
        ("format.encoding: GBK", "4:12: 'GBK' cannot be decoded"),
        ("format: json_row, format.pkUpdateHandling: update", "4:30: update leaves the row of the old key behind"),
        ("format: json_row, format.pkUpdateHandling: abend", "4:30: abend stops there when a primary key is changed"),
    ],
)
def test_what_the_worker_could_not_use_is_a_fault(
    tmp_path: Path, catalog: SourceCatalog, setting: str, fault: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_handler(written(tmp_path, FILE + f"settings: {{{setting}}}\n"), catalog)
    assert [f"mkt.yaml:{fault}" in str(each) for each in caught.value.faults] == [True]


@pytest.mark.parametrize(
    ("setting", "warning"),
    [
        ("topicMappingTemplate: oracle", "mkt_app goes to oracle, but its declaration says cdc.mkt.mkt_app"),
        ("format: json_row", "the source is declared as ogg-json; say so in the settings: dialects:"),
        (f"format.metaColumnsTemplate: '{META.replace('op_ts', 'ts')}'", "`format: {meta: {op_ts: ts}}`"),
        ("format.updateOpKey: UPD", "`format: {operations: {UPD: update}}`"),
        ("goldengate.userexit.timestamp: local", "op_ts is written in the server's own zone"),
    ],
)
def test_what_the_declaration_says_otherwise_is_a_warning(
    tmp_path: Path, catalog: SourceCatalog, setting: str, warning: str
) -> None:
    _, warnings = load_handler(written(tmp_path, FILE + f"settings: {{{setting}}}\n"), catalog)
    assert len(warnings) == 1
    assert warning in str(warnings[0])


def test_a_file_of_theirs_is_told_all_that_is_wrong_with_it(catalog: SourceCatalog) -> None:
    found = {
        each.key.rpartition("kafkahandler.")[2]: each
        for each in check_properties(parse_properties(THEIRS), catalog.mappings)
    }
    assert {key for key, each in found.items() if each.is_fault} == {
        "mode", "keyMappingTemplate", "format", "format.metaColumnsTemplate", "format.omitNullValues",
    }  # fmt: skip
    assert "${timestamp[op_ts]},${position[pos]}" in found["format.metaColumnsTemplate"].text
    assert {key for key, each in found.items() if not each.is_fault} == {
        "topicMappingTemplate", "goldengate.userexit.timestamp",
    }  # fmt: skip


def test_a_file_without_a_kafka_handler_says_so(catalog: SourceCatalog) -> None:
    assert [each.text for each in check_properties({}, catalog.mappings) if each.is_fault] == [
        "names no handler of type kafka"
    ]


def test_an_unknown_source_or_table_lists_the_known(tmp_path: Path, catalog: SourceCatalog) -> None:
    for text, fault in (
        (FILE.replace("source: mkt", "source: mtk"), "3:9: no source 'mtk' is declared; known: mkt"),
        (FILE + "tables: [mkt_apps]\n", "4:10: source 'mkt' declares no table 'mkt_apps'; known: mkt_app"),
    ):
        with pytest.raises(DefinitionError, match=r"mkt\.yaml") as caught:
            load_handler(written(tmp_path, text), catalog)
        assert str(caught.value).endswith(fault)
