"""Which of two changes of a row counts, per source: as its own log orders them, whatever is told in one transaction.

Each life of a row is written as its source writes it, in the order of the topic; what is known at its end must be what
the database holds. Positions and their order are looked at here only by what becomes of the row.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import pytest

from rules.engine.fusion import fuse_row, fuse_visit, new_row, new_visit
from rules.reference import Reference
from schemas import Change, Decoder, TableMapping, decode_change, encode_change
from schemas.ingested import INGEST_HEADER, Origin, encode_ingested
from schemas.mapping import Format
from tests.helpers.decoding import AT, table
from tests.helpers.hostile_wire import dump

MINUTE = 60_000


class Told(NamedTuple):
    """One record: operation, handler of the row, the source's own words about its place."""

    op: str
    handler: str
    source: dict[str, Any]


def mapping(dialect: str = "debezium-json", **form: Any) -> TableMapping:
    columns = {"id": "text", "stage": "text", "handler": "text"}
    return table(columns, instance="id", entity="visit", dialect=dialect, format=Format(**form))


def debezium(told: Told) -> bytes:
    row = {"id": "1", "stage": "ACCEPT", "handler": told.handler}
    gone = told.op == "d"
    return dump(
        {"op": told.op, "before": row if gone else None, "after": None if gone else row, "source": told.source}
    )  # fmt: skip


def ogg(told: Told) -> bytes:
    row = {"id": "1", "stage": "ACCEPT", "handler": told.handler}
    kind = {"c": "I", "u": "U", "d": "D"}[told.op]
    return dump({"op_type": kind, "op_ts": "2026-03-02 01:00:00", **told.source, "before": row, "after": row})


def maxwell(told: Told) -> bytes:
    kind = {"c": "insert", "u": "update", "d": "delete"}[told.op]
    row = {"id": "1", "stage": "ACCEPT", "handler": told.handler}
    return dump({"database": "x", "table": "t", "type": kind, "data": row, **told.source})


WRITE = {"debezium-json": debezium, "ogg-json": ogg, "maxwell-json": maxwell}


def changes(
    lives: Sequence[Told], of: TableMapping | None = None, *, every_ms: int = 1, first: int = 0
) -> list[Change]:
    """Decode the records as one partition holds them, through our own encoding."""
    of = of or mapping()
    decoder, found = Decoder(of), []
    for n, told in enumerate(lives, start=first):
        found += decoder.decode_all(
            key=b'{"id":"1"}', value=WRITE[of.dialect](told), timestamp=AT + n * every_ms, topic=of.topic, partition=0,
            offset=n,
        )  # fmt: skip
    return [decode_change(encode_change(change)) for change in found]


def known(told: Sequence[Change]) -> str | None:
    """Give the row's handler at the end, None if it is gone: the same as a row, as a visit, as reference data."""
    row, visit, reference = new_row(told[0]), new_visit(told[0]), Reference(frozenset({"visit"}))
    reference.add(told[0])
    for change in told[1:]:
        fuse_row(row, change)
        fuse_visit(visit, change)
        reference.add(change)
    fields = reference.get("visit", "1", told[-1].at)
    found = {
        None if row.is_deleted else row.fields["handler"],
        None if visit.is_deleted else visit.handler,
        fields["handler"] if fields is not None else None,
    }
    assert len(found) == 1, found
    handler = found.pop()
    assert handler is None or isinstance(handler, str)
    return handler


def oracle(scn: int, **more: Any) -> dict[str, Any]:
    return {"connector": "oracle", "scn": str(scn - 5), "commit_scn": str(scn), "txSeq": None, **more}


def sql_server(commit: int, change: int | None, serial: int | None = 1) -> dict[str, Any]:
    def lsn(number: int) -> str:
        return f"00000027:{number:08x}:0002"

    return {
        "connector": "sqlserver",
        "commit_lsn": lsn(commit),
        "change_lsn": None if change is None else lsn(change),
        "event_serial_no": serial,
    }


def trail(csn: int, sequence: int, rba: int) -> dict[str, Any]:
    return {"csn": str(csn), "pos": f"{sequence:010}{rba:010}"}


def mysql(serial: int, pos: int, **more: Any) -> dict[str, Any]:
    return {"connector": "mysql", "file": f"bin.{serial:06}", "pos": pos, "row": 0, **more}


LIVES: dict[str, tuple[str, list[Told], str | None]] = {
    "oracle: insert and update of one transaction, not numbered": (
        "debezium-json", [Told("c", "M1", oracle(1000)), Told("u", "M2", oracle(1000))], "M2",
    ),
    "oracle: insert and delete of one transaction, not numbered": (
        "debezium-json", [Told("c", "M1", oracle(1000)), Told("d", "M1", oracle(1000))], None,
    ),
    "oracle: far into a large transaction": (
        "debezium-json", [Told("u", "M1", oracle(9, txSeq=70_000)), Told("u", "M2", oracle(9, txSeq=70_001))], "M2",
    ),
    "oracle: a numbered transaction, of which the first change alone comes again": (
        "debezium-json",
        [Told("c", "M1", oracle(9, txSeq=1)), Told("u", "M2", oracle(9, txSeq=2)), Told("c", "M1", oracle(9, txSeq=1))],
        "M2",
    ),
    "oracle: open at the snapshot, committed after it": (
        "debezium-json",
        [Told("r", "M1", {"scn": "1000", "commit_scn": None}), Told("u", "M2", {"scn": "990", "commit_scn": "1001"})],
        "M2",
    ),
    "sql server: open at the snapshot, committed after it": (
        "debezium-json", [Told("r", "M1", sql_server(900, None, None)), Told("u", "M2", sql_server(905, 890))], "M2",
    ),
    "sql server: a transaction, of which the first change alone comes again": (
        "debezium-json",
        [Told("u", "M1", sql_server(9, 7)), Told("u", "M2", sql_server(9, 8)), Told("u", "M1", sql_server(9, 7))],
        "M2",
    ),
    "mysql: a transaction, of which the first change alone comes again": (
        "debezium-json", [Told("c", "M1", mysql(3, 40)), Told("u", "M2", mysql(3, 90)), Told("c", "M1", mysql(3, 40))],
        "M2",
    ),
    "goldengate: the next file of the trail in a quiet database": (
        "ogg-json", [Told("u", "M1", trail(2049, 12, 400_500_000)), Told("u", "M2", trail(2057, 13, 1_500))], "M2",
    ),
    "goldengate: a transaction over two files of the trail": (
        "ogg-json", [Told("c", "M1", trail(2049, 12, 400_500_000)), Told("u", "M2", trail(2049, 13, 1_500))], "M2",
    ),
    "goldengate: two changes within 32 bytes, of which the first comes again": (
        "ogg-json",
        [Told("u", "M1", trail(9, 1, 96)), Told("u", "M2", trail(9, 1, 97)), Told("u", "M1", trail(9, 1, 96))],
        "M2",
    ),
    "postgresql: an incremental snapshot repairs what differs": (
        "debezium-json", [Told("u", "M1", {"lsn": 50}), Told("r", "M2", {"lsn": None, "snapshot": "incremental"})],
        "M2",
    ),
    "postgresql: open at the incremental snapshot, committed after it": (
        "debezium-json",
        [Told("u", "M1", {"lsn": 50}), Told("r", "M1", {"snapshot": "incremental"}), Told("u", "M2", {"lsn": 51})],
        "M2",
    ),
    "postgresql: an incremental snapshot brings an unknown row, which then changes": (
        "debezium-json", [Told("r", "M1", {"snapshot": "incremental"}), Told("u", "M2", {"lsn": 51})], "M2",
    ),
    "postgresql: open at the first snapshot, committed after it": (
        "debezium-json", [Told("r", "M1", {"lsn": 50, "snapshot": "last"}), Told("u", "M2", {"lsn": 49})], "M2",
    ),
    "postgresql: deleted in a transaction that was open at the first snapshot": (
        "debezium-json", [Told("r", "M1", {"lsn": 50, "snapshot": "true"}), Told("d", "M1", {"lsn": 49})], None,
    ),
    "postgresql: open at the first snapshot, and changed again": (
        "debezium-json",
        [Told("r", "M1", {"lsn": 50, "snapshot": "true"}), Told("u", "M2", {"lsn": 49}), Told("u", "M3", {"lsn": 60})],
        "M3",
    ),
    "postgresql: a second snapshot tells what was missed, and the log goes on from before it": (
        "debezium-json",
        [Told("u", "M1", {"lsn": 50}), Told("r", "M3", {"lsn": 70, "snapshot": "true"}), Told("u", "M1", {"lsn": 50}),
         Told("u", "M3", {"lsn": 65})],
        "M3",
    ),
    "sql server: a snapshot that says it is older changes nothing": (
        "debezium-json",
        [Told("u", "M2", sql_server(50, 50)), Told("r", "M1", sql_server(49, None) | {"snapshot": "true"})],
        "M2",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "lives", "end"), LIVES.values(), ids=LIVES.keys())
def test_what_is_known_is_what_the_source_holds(dialect: str, lives: list[Told], end: str | None) -> None:
    assert known(changes(lives, mapping(dialect))) == end


@pytest.mark.parametrize(("dialect", "lives", "end"), LIVES.values(), ids=LIVES.keys())
def test_what_is_sent_again_as_a_whole_ends_the_same(dialect: str, lives: list[Told], end: str | None) -> None:
    assert known(changes(lives * 2, mapping(dialect))) == end


@pytest.mark.parametrize("op", ["u", "d"])
@pytest.mark.parametrize("is_read_first", [True, False])
def test_a_snapshot_in_another_partition_does_not_bring_back_what_changed_since(
    op: str, *, is_read_first: bool
) -> None:
    (snapshot,) = changes([Told("r", "M1", {"lsn": 500, "snapshot": "true"})])
    (since,) = changes([Told(op, "M2", {"lsn": 1000})], first=7)
    (before,) = changes([Told("u", "M0", {"lsn": 300})], first=9)
    since, before = (msgspec.structs.replace(change, partition=1, at=snapshot.at) for change in (since, before))
    told = [before, snapshot, since] if is_read_first else [since, snapshot, before]
    assert known(told) == (None if op == "d" else "M2")
    assert known([snapshot, before]) == "M1"


def test_flattened_snapshot_rows_count_by_the_topic_as_well() -> None:
    told = [Told("r", "M1", {"lsn": 50}), Told("u", "M2", {"lsn": 49})]  # `add.fields` without source.snapshot
    assert known(changes(told)) == "M2"


def test_a_row_from_a_file_over_a_captured_one_is_not_undone_by_a_repeat() -> None:
    captured = changes([Told("c", "M1", oracle(1000)), Told("u", "M2", oracle(1000))])
    origin = Origin(connector="stagewatch-file", src="manual", src_ts=AT)
    value = encode_ingested("u", {"id": "1", "stage": "ACCEPT", "handler": "M3"}, origin)
    by_hand = Decoder(mapping()).decode_all(
        key=None, value=value, headers=[(INGEST_HEADER, b"file")], timestamp=AT + 9, topic="cdc.x.t", partition=0,
        offset=9,
    )  # fmt: skip
    again = changes([Told("u", "M2", oracle(1000))], first=10)
    assert known([*captured, *by_hand, *again]) == "M3"
    assert known([*captured, *by_hand, *again, *changes([Told("u", "M4", oracle(1001))], first=11)]) == "M4"


def test_a_repeat_that_says_the_same_changes_nothing_at_all() -> None:
    first, again = changes([Told("c", "M1", oracle(1000))] * 2)
    row, visit = new_row(first), new_visit(first)
    assert not fuse_row(row, again)
    assert not fuse_visit(visit, again)
    assert row.place.offset == visit.place.offset == 0


RESETS: dict[str, tuple[str, Told, Told]] = {
    "mysql, another server": ("debezium-json", Told("u", "M1", mysql(900, 5)), Told("u", "M2", mysql(12, 4))),
    "maxwell, another server": (
        "maxwell-json", Told("u", "M1", {"position": "bin.000900:5"}), Told("u", "M2", {"position": "bin.000012:4"}),
    ),
    "postgresql, restored": ("debezium-json", Told("u", "M1", {"lsn": 99_999_999}), Told("r", "M2", {"lsn": 1000})),
    "oracle, resetlogs": ("debezium-json", Told("u", "M1", oracle(10**13)), Told("u", "M2", oracle(10**12))),
    "sql server, restored": (
        "debezium-json", Told("u", "M1", sql_server(900, 900)), Told("u", "M2", sql_server(20, 20)),
    ),
    "goldengate, another database": ("ogg-json", Told("u", "M1", trail(900, 9, 5)), Told("u", "M2", trail(12, 0, 5))),
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "before", "after"), RESETS.values(), ids=RESETS.keys())
def test_a_log_that_began_anew_counts_from_the_declared_moment_on(dialect: str, before: Told, after: Told) -> None:
    assert known(changes([before, after], mapping(dialect))) == "M1"  # it could be a repeat
    declared = mapping(dialect, log_resets=(AT + 1,))
    assert known(changes([before, after], declared)) == "M2"


def test_several_resets_each_begin_over_the_one_before() -> None:
    lives = [Told("u", f"M{n}", mysql(900 - n, 4)) for n in range(5)]
    assert known(changes(lives, mapping(log_resets=tuple(AT + n for n in range(1, 5))))) == "M4"


def test_a_log_that_went_back_is_warned_of_with_the_moment_to_declare() -> None:
    decoder = Decoder(mapping())
    told = [Told("u", "M1", mysql(900, 5)), *(Told("u", "M2", mysql(12, n)) for n in range(100))]
    for n, each in enumerate(told):
        assert decoder.warnings == []
        decoder.decode_all(
            key=None, value=debezium(each), timestamp=AT + n * MINUTE, topic="cdc.x.t", partition=0, offset=n
        )  # fmt: skip
    (warning,) = decoder.warnings
    assert "log_resets: ['2026-03-02T01:01:00.000Z']" in warning
    moment = int(datetime.fromisoformat("2026-03-02T01:01:00.000Z").timestamp() * 1000)
    assert known(changes(told[:2], mapping(log_resets=(moment,)), every_ms=MINUTE)) == "M2"


def test_what_a_restarted_connector_sends_again_is_not_warned_of() -> None:
    decoder = Decoder(mapping())
    first = [Told("u", "M1", mysql(900, n)) for n in range(1000)]
    for n, each in enumerate([*first, *first, Told("u", "M2", mysql(901, 4))]):
        decoder.decode_all(
            key=None, value=debezium(each), timestamp=AT + n * 100, topic="cdc.x.t", partition=0, offset=n
        )  # fmt: skip
    assert decoder.warnings == []


def warned(lives: Sequence[Told], *, starts: Sequence[int] = (0,)) -> list[str]:
    """Give what the last of several decoders warns of, each of which goes on where the one before was ended."""
    decoder = Decoder(mapping())
    for n, each in enumerate(lives):
        if n in starts:
            decoder = Decoder(mapping())
        decoder.decode_all(
            key=None, value=debezium(each), timestamp=AT + n * MINUTE, topic="cdc.x.t", partition=0, offset=n
        )  # fmt: skip
    return decoder.warnings


def test_a_reader_that_starts_in_the_middle_never_takes_what_goes_on_for_a_new_log() -> None:
    goes_on = [Told("u", "M1", mysql(900 + n // 50, n % 50)) for n in range(300)]
    sent_again = [*goes_on, *goes_on[250:], Told("u", "M2", mysql(907, 4))]
    assert warned(sent_again, starts=(0, 120, 310)) == []


def test_a_log_that_began_anew_while_nobody_read_is_told_by_reading_from_the_front() -> None:
    told = [Told("u", "M1", mysql(900, n)) for n in range(50)]
    anew = [Told("u", "M2", mysql(12, n)) for n in range(120)]
    # What a reader keeps in memory is gone; the topic has it all.
    assert warned([*told, *anew], starts=(50,)) == []
    (warning,) = warned([*told, *anew])
    assert "log_resets: ['2026-03-02T01:50:00.000Z']" in warning
