"""The fast reading of usual records gives exactly what the long way gives, whatever stands between them."""

import json
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import BadInput, Change, Column, Decoder, TableMapping
from tests.helpers.hostile_wire import HOSTILE
from tests.helpers.records import Record

TOPIC = "cdc.mkt.row"
MOST_BYTES = 10_000
"""Larger hostile values make examples that nobody can read; they are decoded in other tests."""
MAPPING = TableMapping(
    source="mkt", table="row", topic=TOPIC, entity="visit", key=("id",), instance="app_no",
    columns={
        "app_no": Column("app_no", "text"), "stage_code": Column("stage", "text"), "visit_no": Column("visit", "int"),
        "entered_at": Column("entered_at", "timestamp"), "capacity": Column("capacity", "decimal"),
        "due": Column("due", "date"), "is_public": Column("is_public", "bool"),
    },
    constants={"kind": "x"},
)  # fmt: skip
OTHER = msgspec.structs.replace(MAPPING, key=("app_no",), constants={})


TEXTS = st.sampled_from(["A1", "A2", "勘查", "", 'quo"te', "back\\slash", "\\u0041", "[x]", "{{", "😀", 7, 7.5])
TIMES = st.sampled_from([None, 1_772_413_200_000_000, "2026-03-02T09:00:00.123456Z", "2026-03-02", "never", 1 << 70])
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "id": st.sampled_from([1, 2, "3", None, ""]),
    "app_no": st.none() | TEXTS,
    "stage_code": st.none() | TEXTS | st.just("__debezium_unavailable_value"),
    "visit_no": st.sampled_from([None, 1, "2", 1 << 64, True, 2.0]),
    "entered_at": TIMES,
    "capacity": st.sampled_from([None, "100.50", 3, 2.5, "NaN", "1_0", " 1"]),
    "due": TIMES | st.just(20_514),
    "is_public": st.sampled_from([None, True, 1, "yes"]),
}
usual = st.fixed_dictionaries(COLUMNS)
odd = st.fixed_dictionaries({}, optional=COLUMNS | {"STAGE_CODE": TEXTS, "other": st.recursive(TEXTS, st.lists)})
sources = st.fixed_dictionaries(
    {}, optional={"lsn": st.sampled_from([5, "6", -1, 1 << 63]), "commit_scn": st.sampled_from(["12", "x", 4]),
                  "sequence": st.just('["1","2"]'), "txSeq": st.sampled_from([1, None])}
)  # fmt: skip
envelopes = st.fixed_dictionaries(
    {"op": st.sampled_from(["c", "u", "r", "u", "d", "t", "x", None]), "after": usual | odd | st.none()},
    optional={"before": usual | odd | st.none(), "source": sources, "schema": st.none(), "ts_ms": st.just(1)},
)


SMALL = [h.value for h in HOSTILE if h.value is None or len(h.value) < MOST_BYTES]


def _json(value: object) -> bytes:
    """Write as Debezium does; whatever has escapes in it, with escapes only."""
    data = msgspec.json.encode(value)
    return json.dumps(value).encode() if b"\\" in data else data


JUNK = [
    b'"ok"',
    b'"\xff"',
    b'"\\ud800"',
    b'"\\ud83d\\ude00"',
    b'"\\n"',
    b"[" * 70 + b"]" * 70,
    b'{"a":' * 70 + b"1" + b"}" * 70,
]
"""What stands in a column that is not declared: it is skipped, and still must not be nonsense."""
GOOD: dict[str, Any] = {
    "id": 1, "app_no": "A1", "stage_code": "S", "visit_no": 1, "entered_at": 1, "capacity": "1.5", "due": 1,
    "is_public": True,
}  # fmt: skip
FIRST = _json({"op": "c", "after": GOOD})
UNKNOWN = _json({"op": "c", "after": GOOD | {"stage_code": "__debezium_unavailable_value"}})
beside = st.sampled_from(JUNK).map(
    lambda junk: b'{"before":null,"after":%b,"op":"u"}' % _json({**GOOD, "x": "@"}).replace(b'"@"', junk)
)

values = (
    envelopes.map(_json)
    | beside
    | st.just(UNKNOWN)
    | envelopes.map(lambda e: _json({"schema": {"type": "struct"}, "payload": e}))
    | st.integers(0, len(SMALL) - 1).map(SMALL.__getitem__)
    | st.sampled_from([b'{"op":"c","after":' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}", b"\xff{}", None])
)


def _long_way(mapping: TableMapping, records: list[Record]) -> tuple[list[Change], list[tuple[int, str]]]:
    """Decode record by record, each with a decoder that has seen nothing before."""
    changes, refused, high = [], [], 0
    for record in records:
        high = max(high, record.timestamp)
        try:
            changes += Decoder(mapping).decode_all(
                key=record.key, value=record.value, headers=(), timestamp=high, topic=TOPIC, partition=3,
                offset=record.offset,
            )  # fmt: skip
        except BadInput as why:
            refused.append((record.offset, why.reason))
    return changes, refused


@example(found=[], before=[FIRST], mapping=MAPPING)
@given(
    found=st.lists(st.tuples(st.integers(0, 9), values), max_size=8),
    before=st.sampled_from([[FIRST], []]),
    mapping=st.sampled_from([MAPPING, OTHER]),
)
def test_a_run_gives_what_record_by_record_gives(
    found: list[tuple[int, bytes | None]], before: list[bytes], mapping: TableMapping
) -> None:
    found = [*((0, value) for value in before), *found]
    records = [Record(offset, at, b'{"id":1,"app_no":"A9"}', value) for offset, (at, value) in enumerate(found)]
    changes, refused, high = Decoder(mapping).decode_run(records, topic=TOPIC, partition=3, high=0)
    expected, expected_refused = _long_way(mapping, records)
    assert changes == expected
    assert [(each.record.offset, each.why.reason) for each in refused] == expected_refused
    assert high == max((at for at, _ in found), default=0)


def test_usual_records_do_not_go_the_long_way() -> None:
    decoder = Decoder(MAPPING)
    records = [Record(n, n, None, FIRST) for n in range(50)]
    decoder.decode_run(records, topic=TOPIC, partition=0, high=0)
    decoder.decode = None  # type: ignore[method-assign,assignment]  # whoever calls it fails
    changes, _, _ = decoder.decode_run(records, topic=TOPIC, partition=0, high=0)
    assert len(changes) == len(records)
