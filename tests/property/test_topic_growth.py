"""Topics that grow, of sources that tell no place in their log: the newest change of a row counts, however it is read.

The law: of two changes of a row, the later in its partition counts; in two partitions (the topic has grown between
them), the one that arrived in a later millisecond. Arrival is the running maximum of a partition's timestamps. So for
every history in which a row's first record in its new partition is later than everything before it in its old one, any
interleaving of the partitions, with any repeats and a take-over between any two changes, ends with the newest row.

Where the topic grows only to a multiple of its partitions, and says so, no clock counts at all: whatever times the
records bear, the same ends with the newest row.

What cannot be had without: two brokers or producers whose clocks differ by more than the time between the two changes,
and a record dated in the future that stands in the old partition. Such a row shows its last state there until a change
of it arrives that is later (`test_what_moved_behind_a_record_of_the_future_waits_until_its_time`).
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine.fusion import fuse_row, fuse_visit, new_row, new_visit
from rules.reference import Reference
from rules.state import Row, Visit
from schemas import LATEST_ARRIVAL, Change, Decoder, decode_change, encode_change
from schemas.arrival_order import FIRST_ARRIVAL
from schemas.ingested import INGEST_HEADER, Origin, encode_ingested
from schemas.mapping import Format, Growth
from schemas.record import Raw
from tests.helpers.decoding import AT, table
from tests.helpers.hostile_wire import dump
from tests.helpers.records import Record

Image = dict[str, Any]
ROWS, TOPIC, DAY = ("1", "2"), "cdc.x.t", 86_400_000
COLUMNS = {"id": "text", "stage": "text", "handler": "text"}
NAMES = ("stage", "handler")


def _canal(op: str, row: Image) -> Image:
    return {"type": {"u": "UPDATE", "d": "DELETE"}[op], "isDdl": False, "es": 5, "data": [row], "old": None}


def _maxwell(op: str, row: Image) -> Image:
    return {"database": "x", "table": "t", "type": {"u": "update", "d": "delete"}[op], "ts": 5, "data": row}


def _ogg(op: str, row: Image) -> Image:
    return {"op_type": op.upper(), "op_ts": "2026-03-02 01:00:00", "before": row, "after": None if op == "d" else row}


def _flattened(op: str, row: Image) -> Image:
    return {**row, "__op": op, "__deleted": str(op == "d").lower()}


def _without_source(op: str, row: Image) -> Image:
    return {"op": op, "before": row if op == "d" else None, "after": None if op == "d" else row, "source": None}


Write = Callable[[str, Image], Image]
WRITERS: dict[str, tuple[Any, Write]] = {
    "canal": ("canal-json", _canal),
    "maxwell": ("maxwell-json", _maxwell),
    "goldengate": ("ogg-json", _ogg),
    "flattened": ("debezium-json", _flattened),
    "no source": ("debezium-json", _without_source),
}
every_writer = pytest.mark.parametrize("writer", WRITERS)


class Entry(NamedTuple):
    """What happened to a row, where the producer put it, and the record's own time."""

    row: str
    op: str
    fields: Image
    partition: int
    at: int


def decoder(writer: str, growth: Growth = "any") -> Decoder:
    form = Format(partitions=growth)
    return Decoder(table(COLUMNS, instance="id", entity="visit", dialect=WRITERS[writer][0], format=form))


def changes(writer: str, entries: Sequence[Entry], growth: Growth = "any") -> dict[int, list[Change]]:
    """Decode each partition's records as a worker does, through our own encoding."""
    partitions: dict[int, list[Raw]] = {}
    for entry in entries:
        log = partitions.setdefault(entry.partition, [])
        value = dump(WRITERS[writer][1](entry.op, {"id": entry.row, **entry.fields}))
        log.append(Record(len(log), entry.at, dump({"id": entry.row}), value))
    found = {}
    for number, log in partitions.items():
        told, refused, _ = decoder(writer, growth).decode_run(log, topic=TOPIC, partition=number, high=0)
        assert not refused
        found[number] = [decode_change(encode_change(change)) for change in told]
    return found


@st.composite
def histories(draw: st.DrawFn, *, is_partial: bool = False) -> list[Entry]:
    """Give what happens while a topic grows twice. Within a partition times are equal, and even go back."""
    entries: list[Entry] = []
    width, now = 0, AT
    for _ in range(3):
        width += draw(st.integers(1, 3))
        homes = {row: draw(st.integers(0, width - 1)) for row in ROWS}
        happened = st.tuples(st.sampled_from(ROWS), st.sampled_from("uuud"), st.integers(0, 4))
        for row, op, late in draw(st.lists(happened, max_size=8)):
            is_whole = not is_partial or op == "d" or all(entry.row != row for entry in entries)
            names = NAMES if is_whole else draw(st.sampled_from([("stage",), ("handler",), NAMES]))
            entries.append(Entry(row, op, dict.fromkeys(names, f"S{len(entries)}"), homes[row], now + late))
        now = max((entry.at for entry in entries), default=now) + 1
    return entries


@st.composite
def histories_by_no_clock(draw: st.DrawFn) -> list[Entry]:
    """Give what happens while a topic is multiplied twice; its records are dated anyhow."""
    entries: list[Entry] = []
    hashes = {row: draw(st.integers(0, 99)) for row in ROWS}
    width = draw(st.integers(1, 3))
    happened = st.tuples(st.sampled_from(ROWS), st.sampled_from("uuud"), st.integers(-30, 30))
    for _ in range(3):
        for row, op, days in draw(st.lists(happened, max_size=8)):
            fields = dict.fromkeys(NAMES, f"S{len(entries)}")
            entries.append(Entry(row, op, fields, hashes[row] % width, AT + days * DAY // 7))
        width *= draw(st.integers(2, 3))
    return entries


def readings(partitions: Mapping[int, Sequence[Change]], chance: random.Random) -> Iterator[Change | None]:
    """Read the partitions turn about, some of it again; None: another worker takes over."""
    at = dict.fromkeys(partitions, 0)
    while left := [number for number, log in partitions.items() if at[number] < len(log)]:
        number = chance.choice(left)
        yield partitions[number][at[number]]
        at[number] += 1
        if chance.random() < 0.2:
            number = chance.choice(list(partitions))
            at[number] = max(0, at[number] - chance.randrange(4))
        if chance.random() < 0.1:
            yield None


class Known:
    """What is known of the rows: as rows, as visits, as reference data."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.visits: dict[str, Visit] = {}
        self.reference = Reference(frozenset({"visit"}))

    def take(self, change: Change | None) -> None:
        if change is None:
            self.rows = {key: _again(row, Row) for key, row in self.rows.items()}
            self.visits = {key: _again(visit, Visit) for key, visit in self.visits.items()}
            return
        self.reference.add(change)
        if change.row not in self.rows:
            self.rows[change.row], self.visits[change.row] = new_row(change), new_visit(change)
            return
        fuse_row(self.rows[change.row], change)
        fuse_visit(self.visits[change.row], change)

    def handlers(self) -> dict[str, str | None]:
        """Give each row's handler, None if the row is gone; the same in all three."""
        found = {}
        for key, row in self.rows.items():
            fields, visit = self.reference.get("visit", key, AT + 1000 * DAY), self.visits[key]
            told = {
                None if row.is_deleted else row.fields["handler"],
                None if visit.is_deleted else visit.handler,
                None if fields is None else fields["handler"],
            }
            assert len(told) == 1, told
            found[key] = told.pop()
        return found  # type: ignore[return-value]  # the column is text

    def columns(self) -> dict[str, tuple[Any, ...]]:
        """Give what is known of each row column by column, as a row and as a visit."""
        return {
            key: (row.is_deleted or sorted(row.fields.items()), visit.is_deleted or (visit.stage, visit.handler))
            for key, row in self.rows.items()
            for visit in (self.visits[key],)
        }


def _again(state: Any, kind: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=kind)


@every_writer
@settings(max_examples=60)
@given(entries=histories(), seed=st.integers(0, 2**32))
def test_every_interleaving_after_a_topic_grew_ends_with_the_newest_row(
    writer: str, entries: list[Entry], seed: int
) -> None:
    partitions, chance, known = changes(writer, entries), random.Random(seed), Known()
    newest = {entry.row: entry.fields["handler"] if entry.op == "u" else None for entry in entries}
    for _ in range(2):  # the second time the whole topic comes again
        for change in readings(partitions, chance):
            known.take(change)
        assert known.handlers() == newest


@every_writer
@settings(max_examples=60)
@given(entries=histories_by_no_clock(), seed=st.integers(0, 2**32))
def test_where_partitions_are_multiplied_the_newest_row_counts_whatever_times_the_records_bear(
    writer: str, entries: list[Entry], seed: int
) -> None:
    partitions, chance, known = changes(writer, entries, "multiplied"), random.Random(seed), Known()
    newest = {entry.row: entry.fields["handler"] if entry.op == "u" else None for entry in entries}
    for _ in range(2):  # the second time the whole topic comes again
        for change in readings(partitions, chance):
            known.take(change)
        assert known.handlers() == newest


@settings(max_examples=150)
@given(entries=histories(is_partial=True), seed=st.integers(0, 2**32))
def test_updates_of_some_columns_end_the_same_however_the_partitions_are_read(entries: list[Entry], seed: int) -> None:
    # Two partial changes of a row in one millisecond are told apart within a partition only.
    apart = [entry._replace(at=AT + n) for n, entry in enumerate(entries)]
    partitions, in_order, known = changes("goldengate", apart), Known(), Known()
    heads = {number: iter(log) for number, log in partitions.items()}
    for entry in apart:
        in_order.take(next(heads[entry.partition]))
    for change in readings(partitions, random.Random(seed)):
        known.take(change)
    assert known.columns() == in_order.columns()


def tell(known: Known, writer: str, *entries: Entry, first: int = 0, growth: Growth = "any") -> None:
    """Take entries, of one partition after the other, at offsets from `first`."""
    for log in changes(writer, entries, growth).values():
        for change in log:
            known.take(msgspec.structs.replace(change, offset=change.offset + first))


def update(handler: str, partition: int, at: int) -> Entry:
    return Entry("1", "u", {"stage": "ACCEPT", "handler": handler}, partition, at)


@every_writer
def test_of_one_millisecond_the_partition_that_was_added_counts_as_the_later(writer: str) -> None:
    for moved in (False, True):
        known = Known()
        told = [update("S1", 0, AT), update("S2", 4, AT)]
        tell(known, writer, *(reversed(told) if moved else told))
        assert known.handlers() == {"1": "S2"}


@every_writer
def test_what_moved_behind_a_record_of_the_future_waits_until_its_time(writer: str) -> None:
    known = Known()
    ahead = Entry("2", "u", {"stage": "ACCEPT", "handler": "X"}, 0, AT + DAY)
    tell(known, writer, ahead, update("S1", 0, AT + 1), update("S2", 0, AT + 2), update("S3", 1, AT + 3))
    assert known.handlers()["1"] == "S2", "within the partition nothing is lost"
    tell(known, writer, update("S4", 1, AT + DAY + 1), first=1)
    assert known.handlers()["1"] == "S4"


@every_writer
def test_a_row_that_stood_behind_a_record_of_the_future_goes_on_once_its_topic_is_declared_multiplied(
    writer: str,
) -> None:
    known = Known()
    tell(known, writer, Entry("2", "u", {"stage": "ACCEPT", "handler": "X"}, 0, AT + DAY), update("S1", 0, AT + 1))
    tell(known, writer, update("S2", 1, AT + 2))
    assert known.handlers()["1"] == "S1"
    tell(known, writer, update("S3", 1, AT + 3), first=1, growth="multiplied")
    assert known.handlers()["1"] == "S3"
    for log in changes(writer, [update("S4", 1023, LATEST_ARRIVAL - 1), update("S5", 5000, -5)], "multiplied").values():
        assert all(FIRST_ARRIVAL + (1 << 53) < change.position < 0 for change in log)


@every_writer
def test_rows_known_by_their_offset_from_before_go_on_by_the_topic(writer: str) -> None:
    (known,) = changes(writer, [update("S1", 0, AT)])[0]
    row, visit = new_row(known), new_visit(known)
    for state in (row, visit):  # as an earlier version kept it
        state.position, state.order = 1001 << 11, 0
        state.place = msgspec.structs.replace(state.place, offset=1001)
    for told, offset, is_news in ((update("S0", 0, AT), 1000, False), (update("S2", 0, AT), 1002, True)):
        (change,) = changes(writer, [told])[0]
        change = msgspec.structs.replace(change, offset=offset)
        assert (fuse_row(row, change), fuse_visit(visit, change)) == (is_news, is_news)
    (moved,) = changes(writer, [update("S3", 5, AT + 9)])[5]
    assert (fuse_row(row, moved), fuse_visit(visit, moved)) == (True, True)
    assert (row.fields["handler"], visit.handler) == ("S3", "S3")


@every_writer
@pytest.mark.parametrize("growth", ["any", "multiplied"])
def test_a_row_from_outside_holds_against_repeats_and_not_against_what_is_captured_in_its_millisecond(
    writer: str, growth: Growth
) -> None:
    known = Known()
    origin = Origin(connector="stagewatch-file", src="manual", src_ts=AT)
    value = encode_ingested("u", {"id": "1", "stage": "ACCEPT", "handler": "M1"}, origin)
    before, after = update("S1", 0, AT), update("S2", 0, AT)
    tell(known, writer, before, growth=growth)
    (by_hand,) = decoder(writer, growth).decode_all(
        key=None, value=value, headers=[(INGEST_HEADER, b"file")], timestamp=AT, topic=TOPIC, partition=0, offset=1
    )
    known.take(by_hand)
    tell(known, writer, before, growth=growth)
    assert known.handlers() == {"1": "M1"}
    tell(known, writer, after, first=2, growth=growth)
    assert known.handlers() == {"1": "S2"}
