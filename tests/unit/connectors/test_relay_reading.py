"""The relay's outer end reads a topic that has grown: of each row the older change crosses first."""

import random
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from kafka import TopicPartition

from connectors.relay import OuterReader, ends
from schemas import TryLater

TOPIC, START_MS = "cdc.x.t", 1_772_413_200_000
MOST, FETCH = 20, 30


class Entered(NamedTuple):
    """A record as a client gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Grown:
    """A client of a topic that may grow; it gives a piece of one partition at a time, the newest partitions first."""

    def __init__(self, *sizes: int) -> None:
        self.logs: dict[TopicPartition, list[Entered]] = {}
        self.at: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.assigned: set[TopicPartition] = set()
        self.silent: set[TopicPartition] = set()
        """Partitions whose leader says where they end, and gives nothing."""
        self.given = self.entered = 0
        self.incarnation: str | None = None
        for partition, size in enumerate(sizes):
            for _ in range(size):
                self.enter(partition)

    def enter(self, partition: int, at: int | None = None, key: bytes = b"row") -> None:
        log = self.logs.setdefault(TopicPartition(TOPIC, partition), [])
        when = START_MS + self.entered if at is None else at
        log.append(Entered(TOPIC, partition, len(log), when, key, b"%d" % self.entered, []))
        self.entered += 1

    def topics(self) -> set[str]:
        return {TOPIC}

    def describe_topics(self, topics: list[str]) -> list[dict[str, object]]:
        return [{"name": topic, "error_code": 0, "topic_id": self.incarnation} for topic in topics]

    def make_anew(self) -> None:
        self.logs, self.incarnation = {tp: [] for tp in self.logs}, f"{self.incarnation}+"

    def close(self) -> None:
        self.assigned, self.at = set(), {}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {tp.partition for tp in self.logs}

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self.assigned = set(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.at[partition] = offset

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= set(partitions)

    def position(self, partition: TopicPartition) -> int:
        return self.at[partition]

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: len(self.logs[tp]) for tp in partitions}

    def poll(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Entered]]:
        assert timeout_ms
        for tp in sorted(self.assigned - self.paused - self.silent, reverse=True):
            if found := self.logs[tp][self.at[tp] : self.at[tp] + min(FETCH, max_records)]:
                self.at[tp] += len(found)
                self.given += len(found)
                return {tp: found}
        return {}


class Reader(OuterReader):
    """Its client is not Kafka's: no broker gives its partitions in an order on demand."""

    def __init__(self, client: Any) -> None:
        super().__init__("nowhere:1", [TOPIC])
        self._consumer = self._admin = client

    def _connect(self) -> None:
        """It is."""


def reader_of(client: Any) -> OuterReader:
    return Reader(client)


def read_all(reader: OuterReader, client: Grown) -> list[int]:
    """Read to the end as a sender does; gives the numbers of the entries."""
    positions: dict[str, int] = {}
    found: list[int] = []
    while sum(positions.values()) < client.entered:
        read = reader.read(positions, MOST)
        assert len(read.records) <= MOST
        found += [int(record.value or b"") for record in read.records]
        assert sum(read.positions.values()) == len(found), "what is held ahead counts as not read"
        positions = read.positions
        assert client.given - len(found) <= FETCH * len(client.logs), "no more is held than a fetch of each partition"
    return found


def test_what_was_entered_before_a_topic_grew_crosses_before_what_came_after() -> None:
    client = Grown(100, 0, 0)
    client.enter(2)
    assert read_all(reader_of(client), client) == list(range(101))


@pytest.mark.parametrize("seed", range(20))
def test_a_backlog_of_a_topic_that_grew_twice_crosses_in_the_order_of_entry(seed: int) -> None:
    chance, client = random.Random(seed), Grown(1)
    for width in (1, 3, 6):
        for _ in range(chance.randrange(100)):
            client.enter(chance.randrange(width))
    assert read_all(reader_of(client), client) == list(range(client.entered))


def test_what_is_entered_between_two_looks_is_not_overtaken() -> None:
    client = Grown(30, 30)

    class Entering(Grown):
        """Right before each piece an older change is entered in one partition, and a newer one in another."""

        def poll(self, **how: Any) -> dict[TopicPartition, list[Entered]]:
            if client.entered < 400:
                client.enter(0)
                client.enter(1)
            return Grown.poll(client, **how)

    client.__class__ = Entering
    assert read_all(reader_of(client), client) == list(range(400))


def test_within_a_partition_the_logs_order_holds_whatever_its_times_are() -> None:
    client = Grown()
    for at in (5, 3, 9, 1, 2):
        client.enter(0, START_MS + at)
        client.enter(1, START_MS + at)
    found = read_all(reader_of(client), client)
    assert [n for n in found if n % 2 == 0] == [0, 2, 4, 6, 8]
    assert [n for n in found if n % 2 == 1] == [1, 3, 5, 7, 9]


def test_a_partition_that_gives_nothing_holds_up_what_could_be_newer_and_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ends, "WAIT_MS", 20)
    client = Grown(3, 3)
    client.silent.add(TopicPartition(TOPIC, 0))
    reader = reader_of(client)
    with pytest.raises(TryLater, match=f"{TOPIC}:0: nothing comes"):
        reader.read({}, MOST)
    client.silent.clear()
    assert read_all(reader, client) == list(range(6))


def test_a_topic_that_was_made_anew_is_read_from_its_beginning() -> None:
    client = Grown(3)
    client.incarnation = "first"
    reader = reader_of(client)
    positions = reader.read({}, MOST).positions
    assert positions == {f"{TOPIC}:0@first": 3}
    client.make_anew()
    for _ in range(5):
        client.enter(0)
    read = reader.read(positions, MOST)
    assert [int(record.value or b"") for record in read.records] == [3, 4, 5, 6, 7], "none is skipped"
    assert {record.place for record in read.records} == {f"{TOPIC}:0@first+"}
    assert read.positions == {f"{TOPIC}:0@first+": 5}


def test_what_is_read_while_its_topic_is_made_anew_is_taken_for_neither() -> None:
    client = Grown(3)
    client.incarnation = "first"

    class Remaking(Grown):
        """Between its name being asked for and its records being read."""

        def poll(self, **how: Any) -> dict[TopicPartition, list[Entered]]:
            client.__class__ = Grown
            client.make_anew()
            client.enter(0)
            return client.poll(**how)

    client.__class__ = Remaking
    reader = reader_of(client)
    with pytest.raises(TryLater, match="made anew while it was read"):
        reader.read({}, MOST)
    assert [record.place for record in reader.read({}, MOST).records] == [f"{TOPIC}:0@first+"]


def test_a_position_that_an_older_program_kept_is_gone_on_from() -> None:
    client = Grown(5)
    client.incarnation = "first"
    read = reader_of(client).read({f"{TOPIC}:0": 3}, MOST)
    assert ([record.offset for record in read.records], read.positions) == ([3, 4], {f"{TOPIC}:0@first": 5})


def test_a_sender_that_kept_less_than_was_given_reads_it_again() -> None:
    client = Grown(10, 10)
    reader = reader_of(client)
    first = reader.read({}, 6)
    cut = first.first(1)
    again = reader.read(cut.positions, MOST)
    assert [int(r.value or b"") for r in (*cut.records, *again.records)] == list(range(20))


def test_an_idle_topic_gives_nothing() -> None:
    read = reader_of(Grown(0)).read({}, MOST)
    assert (list(read.records), read.positions) == ([], {})


class Jumping:
    """A client that goes on at offset 20 of its partition, as Kafka's do where what was asked for is not there."""

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.assigned: list[Any] = []

    def topics(self) -> set[str]:
        return {TOPIC}

    def describe_topics(self, topics: list[str]) -> list[dict[str, object]]:
        return [{"name": topic, "error_code": 0, "topic_id": None} for topic in topics]

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def assignment(self) -> list[Any]:
        return self.assigned

    def assign(self, partitions: list[Any]) -> None:
        self.assigned = partitions

    def seek(self, _partition: object, _offset: int) -> None:
        """It is not there."""

    def pause(self, *_partitions: object) -> None:
        """It has one partition, which is at its end."""

    resume = pause

    def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 21)

    def poll(self, **_how: int) -> dict[Any, list[Entered]]:
        return {self.assigned[0]: [Entered(TOPIC, 0, 20, START_MS, b"k", b"v", [])]}

    def position(self, _partition: object) -> int:
        return 21

    def beginning_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, self.begin)


@pytest.mark.parametrize(
    ("read_to", "begin", "deleted"),
    [(5, 20, {f"{TOPIC}:0": 15}), (5, 3, {}), (20, 20, {}), (None, 20, {})],
    ids=["deleted", "a gap of transactions", "none", "never read before"],
)
def test_a_reader_that_finds_its_place_deleted_says_so(
    read_to: int | None, begin: int, deleted: dict[str, int]
) -> None:
    found = reader_of(Jumping(begin)).read({} if read_to is None else {f"{TOPIC}:0": read_to}, 500)
    assert (found.deleted, found.positions) == (deleted, {f"{TOPIC}:0": 21})
