"""What may leave a network: allowed columns, masked personal data, and nothing that nobody named."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.relay import FolderBox, Outward, Read, RelayedRecord, Sender, Withheld, load_relay, mask, unseal
from connectors.relay.envelope import Crossing
from schemas import Decoder, DefinitionError
from schemas.ingested import Origin, encode_ingested, read_origin
from tests.helpers.decoding import catalog, mapping

TOPIC = "cdc.mkt.mkt_app"
RULE = Outward(["app_no", "org_no", "source_count"], ["cust_name"])
ROW: dict[str, Any] = {
    "app_no": "A1",
    "org_no": "3340101",
    "cust_name": "张三丰",
    "phone": "13812345678",
    "source_count": 2,
}
GEHEIM = ("13812345678", "张三丰", "geheim")


def record(value: object, key: bytes | None = b'{"app_no":"A1"}') -> RelayedRecord:
    raw = value if isinstance(value, bytes | None) else json.dumps(value, ensure_ascii=False).encode()
    headers = [("stagewatch.ingest", b"push"), ("user", b"geheim")]
    return RelayedRecord(TOPIC, 0, 7, 1, key, raw, headers)


DEBEZIUM = {
    "op": "u", "before": ROW, "after": ROW, "ts_ms": 1, "transaction": {"id": "geheim"},
    "source": {"connector": "oracle", "scn": "7", "query": "update x set y='geheim'", "user_name": "geheim"},
}  # fmt: skip
SHAPES: dict[str, Any] = {
    "debezium": DEBEZIUM,
    "with schema": {"schema": {"type": "struct"}, "payload": DEBEZIUM},
    "goldengate": {"table": "MKT.MKT_APP", "op_type": "U", "before": ROW, "after": ROW, "tokens": {"T": "geheim"}},
    "canal": {"type": "UPDATE", "data": [ROW, ROW], "old": [{"phone": "13812345678"}], "sql": "geheim"},
    "maxwell": {"type": "update", "data": ROW, "old": {"phone": 1}, "query": "geheim", "primary_key": ["geheim"]},
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_only_what_is_named_leaves(shape: str) -> None:
    passed = RULE.passed(record(SHAPES[shape]))
    text = (passed.value or b"").decode()
    assert not any(word in text for word in GEHEIM)
    value = json.loads(text)
    value = value.get("payload", value)
    rows = value.get("after") or value["data"]
    row = rows[0] if isinstance(rows, list) else rows
    assert row == {"app_no": "A1", "org_no": "3340101", "source_count": 2, "cust_name": "张**"}
    assert passed.headers == [("stagewatch.ingest", b"push")]


def test_what_passes_is_as_the_source_wrote_it() -> None:
    value = b'{"op":"c","after":{"app_no":"A1","source_count":1.10000000000000000001,"org_no":"\\u5f20"},"ts_ms":1}'
    passed = RULE.passed(record(value)).value or b""
    assert b'"source_count":1.10000000000000000001' in passed
    assert b'"org_no":"\\u5f20"' in passed


def test_a_key_is_filtered_as_its_row_and_a_tombstone_passes() -> None:
    passed = RULE.passed(record(None, b'{"app_no":"A1","phone":"13812345678"}'))
    assert (passed.key, passed.value) == (b'{"app_no":"A1"}', None)
    assert RULE.passed(record(None, b"A1")).key == b"A1"


@pytest.mark.parametrize("value", [b"A1|13812345678", b'{"APP_NO":"A1","phone":"13812345678"}', b"[]", b"\xff", b""])
def test_what_nobody_can_look_into_stays(value: bytes) -> None:
    with pytest.raises(Withheld, match="app/0/7: no JSON with rows") as caught:
        RULE.passed(record(value))
    assert "13812345678" not in str(caught.value)


def test_a_row_that_counts_as_it_comes_still_does_on_the_other_side() -> None:
    origin = Origin(connector="stagewatch-push", src="web", src_ts=1_772_413_200_000, by_arrival=True)
    passed = RULE.passed(record(encode_ingested("u", ROW, origin)))
    found = read_origin(passed.value or b"")
    assert found is not None
    assert found.by_arrival


def test_an_envelope_with_names_of_the_sources_own_passes() -> None:
    rule = Outward(["app_no"], [], meta={"op_type": "optype", "tokens": "token"})
    value = {"table": "MKT.MKT_APP", "optype": "U", "token": "geheim", "before": ROW, "after": ROW}
    told = json.loads(rule.passed(record(value)).value or b"")
    assert told == {"table": "MKT.MKT_APP", "optype": "U", "before": {"app_no": "A1"}, "after": {"app_no": "A1"}}


def test_a_worker_on_the_other_side_reads_what_has_left() -> None:
    passed = RULE.passed(record(DEBEZIUM | {"source": {"connector": "oracle", "scn": "7", "commit_scn": "9"}}))
    change = Decoder(mapping(TOPIC)).decode(
        key=passed.key, value=passed.value, timestamp=0, topic=TOPIC, partition=0, offset=0
    )
    assert change is not None
    assert (change.row, change.op, change.fields["cust_name"]) == ("A1", "u", "张**")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("13812345678", "138****5678"),
        ("340102199001011234", "340***********1234"),
        ("张三", "张*"),
        ("x", "*"),
        ("", ""),
    ],
)
def test_a_person_is_told_apart_and_not_told(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_a_sender_passes_on_what_may_leave_and_tells_of_what_may_not(tmp_path: Path) -> None:
    forward = FolderBox(tmp_path / "forward")
    sender = Sender(
        "dmz", tmp_path / "outer.db", forward, FolderBox(tmp_path / "back"), secret="s", clock=lambda: 1_772_413_200.0,
        outward={TOPIC: RULE},
    )  # fmt: skip
    withheld = []
    found = Read([record(DEBEZIUM), record(b"no JSON")], {f"{TOPIC}:0": 9})

    class Reader:
        def read(self, positions: Any, most: int) -> Read:
            return Read([], {}) if positions else found

    assert sender.collect(Reader(), lambda record, why: withheld.append((record.value, str(why)))) == 1
    sender.send()
    crossing = unseal(forward.take(1) or b"", Crossing, channel="dmz", secret="s")
    assert len(crossing.records) == 1
    assert "13812345678" not in (crossing.records[0].value or b"").decode()
    assert [value for value, _ in withheld] == [b"no JSON"]
    assert sender.collect(Reader(), lambda record, why: withheld.append((record.value, str(why)))) is None
    sender.close()


DEFINITION = """version: relay/v1
name: dmz
topics: [cdc.mkt.mkt_app, cdc.mkt.nothing]
columns:
  cdc.mkt.mkt_app: {allow: [org_no, adr], mask: [cust_name]}
  cdc.ech.ech_app: {allow: [net_app_no]}
key: env:KEY
folder: {forward: a, back: b}
"""


def test_every_fault_of_a_definition_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "relay.yaml"
    path.write_text(DEFINITION, "utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_relay(path, catalog().mappings)
    messages = [str(fault) for fault in caught.value.faults]
    assert any(":3:27: no source declares 'cdc.mkt.nothing'" in message for message in messages)
    assert any("no column 'adr'; known are addr" in message for message in messages)
    assert any("the key column 'app_no' must cross as it is" in message for message in messages)
    assert any("'cdc.ech.ech_app' is not among the topics" in message for message in messages)
    good = DEFINITION.replace(", cdc.mkt.nothing", "").replace("org_no, adr", "app_no, org_no")
    path.write_text("\n".join(line for line in good.splitlines() if "ech_app" not in line), "utf-8")
    assert load_relay(path, catalog().mappings).outward(catalog().mappings).keys() == {TOPIC}
