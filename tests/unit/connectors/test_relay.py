"""The relay between two networks: a link that is cut, loses, repeats and forges, and processes that die."""

import itertools
import random
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from connectors.relay import (
    RELAY_HEADER,
    Acknowledgement,
    Applied,
    Box,
    Crossing,
    FolderBox,
    Read,
    Receiver,
    RelayedRecord,
    Sender,
    Withheld,
    seal,
    unseal,
)
from connectors.relay.table_box import TableBox
from schemas import BadInput, TryLater

SECRET, TOPIC = "shared", "cdc.ech.ech_app"
START_MS = 1_772_413_200_000


def none_withheld(_record: RelayedRecord, why: Withheld) -> None:
    raise why


@dataclass
class Outside:
    """What people enter on the outer network."""

    entries: list[RelayedRecord] = field(default_factory=list)
    incarnation: str = ""

    def enter(self, text: str, at: int) -> None:
        data = text.encode()
        self.entries.append(RelayedRecord(TOPIC, 0, len(self.entries), at, data, data, [], self.incarnation))

    def make_anew(self, incarnation: str) -> None:
        self.entries.clear()
        self.incarnation = incarnation

    def enter_without_key(self, text: str, at: int, partition: int) -> None:
        self.entries.append(RelayedRecord(TOPIC, partition, len(self.entries), at, None, text.encode()))

    def read(self, positions: Mapping[str, int], most: int) -> Read:
        place = f"{TOPIC}:0@{self.incarnation}" if self.incarnation else f"{TOPIC}:0"
        start = positions.get(place, positions.get(f"{TOPIC}:0", 0))
        found = self.entries[start : start + most]
        return Read(found, {place: start + len(found)})


@dataclass
class Few:
    """A reader that gives a few records at a time."""

    outside: Outside
    most: int

    def read(self, positions: Mapping[str, int], most: int) -> Read:
        return self.outside.read(positions, min(most, self.most))


@dataclass
class Inside:
    """The inner network's Kafka; the process may die after any record."""

    is_exact: bool = False
    log: list[RelayedRecord] = field(default_factory=list)
    kept: Mapping[str, str] | None = None
    """The progress that was committed last; only with transactions."""
    is_taken: bool = False
    dies_after: int | None = None
    loses_answer: bool = False
    """It takes the next batch, and nobody hears so."""
    partitions: int = 1

    def take_over(self) -> Mapping[str, str] | None:
        is_known, self.is_taken = self.is_taken or not self.is_exact, True
        return None if is_known else self.kept

    def width(self, topic: str) -> int:
        return self.partitions if topic == TOPIC else 0

    def ends(self, topics: Iterable[str]) -> dict[str, int]:
        return {f"{topic}:0": len(self.log) for topic in topics}

    def marks(self, ends: Mapping[str, int]) -> set[str]:
        return {dict(record.headers)[RELAY_HEADER].decode() for record in self.log[ends[f"{TOPIC}:0"] :]}

    def write(self, records: Iterable[RelayedRecord], progress: Mapping[str, str]) -> None:
        begun = list[RelayedRecord]() if self.is_exact else self.log
        for record in records:
            if self.dies_after == 0:
                self.dies_after, self.is_taken = None, False
                raise TryLater("died")
            begun.append(record)
            if self.dies_after is not None:
                self.dies_after -= 1
        if self.is_exact:
            self.log += begun
            self.kept = dict(progress)
        if self.loses_answer:
            self.loses_answer = self.is_taken = False
            raise TryLater("no answer")

    @property
    def seen(self) -> list[str]:
        return [(record.value or b"").decode() for record in self.log]


class Link(Protocol):
    """Four ends of a road: outer forward, inner forward, inner back, outer back."""

    outer: tuple[Box, Box]
    inner: tuple[Box, Box]

    def carry(self) -> None: ...


class FolderLink:
    """An isolation device that moves files between folders, while it works."""

    outer: tuple[Box, Box]
    inner: tuple[Box, Box]

    def __init__(self, folder: Path) -> None:
        self.folders = {name: folder / name for name in ("out", "in", "ack_in", "ack_out")}
        boxes = {name: FolderBox(path) for name, path in self.folders.items()}
        self.outer, self.inner = (boxes["out"], boxes["ack_out"]), (boxes["in"], boxes["ack_in"])

    def carry(self) -> None:
        for source, target in (("out", "in"), ("ack_in", "ack_out")):
            for path in sorted(self.folders[source].glob("*.relay")):
                path.replace(self.folders[target] / path.name)

    def lose(self) -> None:
        for path in [*self.folders["out"].glob("*.relay"), *self.folders["ack_in"].glob("*.relay")]:
            path.unlink()


class TableLink:
    """A database table that both sides reach."""

    outer: tuple[Box, Box]
    inner: tuple[Box, Box]

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder}/relay.db"
        self.boxes = TableBox(url, "dmz", "forward"), TableBox(url, "dmz", "back")
        self.outer = self.inner = self.boxes

    def carry(self) -> None:
        """The database is the link."""


@dataclass
class World:
    """Both sides, a link, and a clock."""

    folder: Path
    link: Link
    outside: Outside = field(default_factory=Outside)
    inside: Inside = field(default_factory=Inside)
    now_s: float = START_MS / 1000

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        def clock() -> float:
            return self.now_s

        self.inside.is_taken = False
        self.sender = Sender("dmz", self.folder / "outer.db", *self.link.outer, secret=SECRET, clock=clock)
        self.receiver = Receiver(
            "dmz", self.folder / "inner.db", *self.link.inner, topics=frozenset({TOPIC}), secret=SECRET, clock=clock
        )

    def restart(self) -> None:
        self.close()
        self.start()

    def enter(self, *texts: str) -> None:
        for text in texts:
            self.outside.enter(text, int(self.now_s * 1000))
            self.sender.collect(self.outside, none_withheld)

    def turn(self, seconds: float = 1, *, is_cut: bool = False) -> list[Applied]:
        """One round of both sides; a process that dies is started again."""
        self.now_s += seconds
        applied: list[Applied] = []
        self.sender.collect(self.outside, none_withheld)
        self.sender.settle()
        self.sender.send()
        if not is_cut:
            self.link.carry()
        try:
            applied = self.receiver.receive(self.inside)
        except TryLater:
            self.restart()
        if not is_cut:
            self.link.carry()
        self.sender.settle()
        return applied

    def lose_the_senders_state(self, back_s: float = 0) -> None:
        """Its disk is gone; `back_s`: its clock, too, was set back."""
        self.restart_without("outer", back_s)

    def restart_without(self, name: str, back_s: float = 0) -> None:
        self.close()
        for path in self.folder.glob(f"{name}.db*"):
            path.unlink()
        self.now_s -= back_s
        self.start()

    def copy_the_senders_state(self, to: Path) -> None:
        self.close()
        to.mkdir()
        for path in self.folder.glob("outer.db*"):
            shutil.copy(path, to)
        self.start()

    def put_the_copy_back(self, copied: Path) -> None:
        self.close()
        for path in self.folder.glob("outer.db*"):
            path.unlink()
        for path in copied.iterdir():
            shutil.copy(path, self.folder)
        self.start()

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()


@pytest.fixture(params=[(FolderLink, False), (FolderLink, True), (TableLink, True)], ids=["plain", "exact", "table"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    link, is_exact = request.param
    world = World(tmp_path, link(tmp_path), inside=Inside(is_exact))
    yield world
    world.close()


@pytest.fixture(params=[False, True], ids=["plain", "exact"])
def folders(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, FolderLink(tmp_path), inside=Inside(request.param))
    yield world
    world.close()


@pytest.fixture
def exact(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, FolderLink(tmp_path), inside=Inside(is_exact=True))
    yield world
    world.close()


def test_an_entry_outside_appears_inside_and_is_acknowledged(world: World) -> None:
    world.enter("one")
    (applied,) = world.turn()
    assert (world.inside.seen, applied.rows, applied.lag_s) == (["one"], 1, 1.0)
    assert world.sender.pending() == []
    assert world.sender.lag_s() == 0


def test_what_is_entered_while_the_link_is_cut_arrives_once_and_in_order(folders: World) -> None:
    folders.turn()
    folders.enter("one", "two", "three")
    for _ in range(100):
        folders.turn(is_cut=True)
    assert folders.inside.seen == []
    assert folders.sender.lag_s() == 100, "the outer side shows how long the oldest entry waits"
    assert folders.receiver.silence_s() == 100, "the inner side shows how long nothing has come"
    applied = folders.turn()
    assert [each.lag_s for each in applied] == [101, 101, 101]
    for _ in range(3):
        folders.turn()
    assert folders.inside.seen == ["one", "two", "three"]
    assert (folders.sender.lag_s(), folders.sender.pending()) == (0, [])


def test_what_the_device_loses_is_sent_again(folders: World) -> None:
    folders.enter("one", "two")
    folders.sender.send()
    assert isinstance(folders.link, FolderLink)
    folders.link.lose()
    folders.turn(29)
    assert folders.inside.seen == []
    folders.turn(2)
    assert folders.inside.seen == ["one", "two"]


def test_a_lost_acknowledgement_applies_nothing_twice(folders: World) -> None:
    assert isinstance(folders.link, FolderLink)
    folders.enter("one")
    folders.sender.send()
    folders.link.carry()
    folders.receiver.receive(folders.inside)
    folders.link.lose()
    for _ in range(3):
        folders.turn(20)
    assert folders.inside.seen == ["one"]
    assert folders.sender.pending() == []


@pytest.mark.parametrize("unseen", [0, 3, 10, 25])
def test_a_sender_whose_state_is_put_back_from_a_copy_doubles_nothing_and_loses_nothing(
    world: World, tmp_path: Path, unseen: int
) -> None:
    """`unseen`: batches that it makes before the other side sees one of them; ten had been applied behind the copy."""
    for number in range(10):
        world.enter(f"v{number}")
        world.turn()
    world.copy_the_senders_state(tmp_path / "copy")
    for number in range(10, 20):
        world.enter(f"v{number}")
        world.turn()
    world.put_the_copy_back(tmp_path / "copy")
    for number in range(20, 20 + unseen):
        world.enter(f"v{number}")
        world.turn(is_cut=True)
    for number in range(20 + unseen, 50):
        world.enter(f"v{number}")
        world.turn()
    for _ in range(4):
        world.turn(40)
    assert world.inside.seen == [f"v{number}" for number in range(50)]
    assert world.sender.pending() == []
    assert world.receiver.gap() == []


@pytest.mark.parametrize("dies_after", range(4))
def test_a_receiver_that_dies_between_records_writes_none_twice(folders: World, dies_after: int) -> None:
    for text in "abc":
        folders.outside.enter(text, START_MS)
    folders.inside.dies_after = dies_after
    for _ in range(4):
        folders.turn(20)
    assert folders.inside.seen == ["a", "b", "c"]


def test_a_receiver_that_never_hears_that_its_batch_was_taken_writes_it_once(world: World) -> None:
    world.enter("one", "two")
    world.inside.loses_answer = True
    for _ in range(3):
        world.turn(31)
    assert world.inside.seen == ["one", "two"]
    assert world.sender.pending() == []


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_receiver_that_lost_its_state_goes_on_from_what_stands_inside(exact: World, *, acknowledged: bool) -> None:
    for n in range(5):
        exact.enter(f"v{n}")
        exact.turn()
    exact.enter("v5")
    if not acknowledged:
        exact.inside.loses_answer = True
        exact.turn()
    exact.restart_without("inner")
    exact.enter("v6")
    for _ in range(3):
        exact.turn(31)
    assert exact.inside.seen == [f"v{n}" for n in range(7)]
    assert (exact.sender.pending(), exact.receiver.gap()) == ([], [])


def test_when_both_sides_lost_their_state_nothing_is_written_twice(exact: World) -> None:
    for n in range(5):
        exact.enter(f"v{n}")
        exact.turn()
    exact.restart_without("inner")
    exact.lose_the_senders_state()
    exact.enter("v5")
    for _ in range(4):
        exact.turn(31)
    assert exact.inside.seen == [f"v{n}" for n in range(6)]


def test_a_receiver_that_was_replaced_for_a_while_goes_on_from_what_the_other_wrote(
    exact: World, tmp_path: Path
) -> None:
    exact.enter("v0")
    exact.turn()
    exact.close()
    for path in tmp_path.glob("inner.db*"):
        path.rename(tmp_path / f"old-{path.name}")
    exact.start()
    for n in range(1, 4):
        exact.enter(f"v{n}")
        exact.turn()
    exact.close()
    for path in tmp_path.glob("inner.db*"):
        path.unlink()
    for path in tmp_path.glob("old-inner.db*"):
        path.rename(tmp_path / path.name.removeprefix("old-"))
    exact.start()
    exact.enter("v4")
    for _ in range(3):
        exact.turn(31)
    assert exact.inside.seen == [f"v{n}" for n in range(5)]


def test_a_state_of_a_time_without_transactions_is_gone_on_from(folders: World) -> None:
    """Also where its last batch was half written."""
    folders.inside.is_exact = False
    folders.enter("v0")
    folders.turn()
    for n in range(1, 4):
        folders.outside.enter(f"v{n}", START_MS)
    folders.inside.dies_after = 2
    folders.turn()
    assert folders.inside.seen == ["v0", "v1", "v2"]
    folders.inside.is_exact = True
    folders.restart()
    for _ in range(3):
        folders.turn(31)
    assert folders.inside.seen == ["v0", "v1", "v2", "v3"]


def test_a_restart_goes_on_where_it_was(world: World) -> None:
    for text in "abc":
        world.enter(text)
        world.restart()
        world.turn()
        world.restart()
    assert world.inside.seen == ["a", "b", "c"]


def test_a_batch_that_overtakes_waits_for_the_one_before_it(folders: World) -> None:
    folders.enter("one", "two")
    folders.sender.send()
    assert isinstance(folders.link, FolderLink)
    first = folders.link.folders["out"] / f"{1:012d}.relay"
    data = first.read_bytes()
    first.unlink()
    folders.link.carry()
    assert folders.receiver.receive(folders.inside) == []
    assert folders.receiver.gap() == [2]
    first.write_bytes(data)
    folders.link.carry()
    folders.receiver.receive(folders.inside)
    assert folders.inside.seen == ["one", "two"]


def test_what_is_not_signed_is_never_applied_and_the_true_batch_follows(world: World) -> None:
    record = RelayedRecord(TOPIC, 0, 0, START_MS, b"k", b"forged")
    world.link.inner[0].put(1, seal(Crossing("dmz", 1, 1, START_MS, [record]), "guessed"))
    assert world.receiver.receive(world.inside) == []
    assert world.receiver.refused == 1
    world.enter("true")
    world.turn(31)
    world.turn(31)
    assert world.inside.seen == ["true"]


def test_only_the_topics_of_the_channel_cross(world: World) -> None:
    record = RelayedRecord("stagewatch.commands", 0, 0, START_MS, b"k", b"close")
    world.link.inner[0].put(1, seal(Crossing("dmz", 1, 1, START_MS, [record]), SECRET))
    assert world.receiver.receive(world.inside) == []
    assert (world.inside.seen, world.receiver.refused) == ([], 1)


def test_a_forged_acknowledgement_loses_nothing(world: World) -> None:
    world.enter("one")
    world.link.outer[1].put(9, seal(Acknowledgement("dmz", START_MS, 1, START_MS), "guessed"))
    assert world.sender.settle() == []
    assert len(world.sender.pending()) == 1


def test_one_silent_link_is_told_from_a_cut_one(folders: World) -> None:
    for _ in range(60):
        folders.turn()
        assert folders.receiver.silence_s() <= 11
    assert folders.inside.seen == []


@pytest.mark.parametrize("back_s", [0, 100_000])
def test_a_sender_that_lost_its_state_doubles_nothing_and_loses_nothing(world: World, back_s: float) -> None:
    for n in range(20):
        world.enter(f"v{n}")
        world.turn()
    world.lose_the_senders_state(back_s)
    world.enter("new")
    for _ in range(4):
        world.turn(40)
    world.enter("newer")
    for _ in range(3):
        world.turn(40)
    assert world.inside.seen == [*(f"v{n}" for n in range(20)), "new", "newer"]
    assert world.sender.pending() == []
    assert (world.receiver.gap(), world.receiver.refused) == ([], 0)


@pytest.mark.parametrize("dies_after", range(1, 5))
@pytest.mark.parametrize("more", [0, 2])
def test_a_half_written_batch_that_was_lost_with_its_senders_state_is_written_once(
    folders: World, dies_after: int, more: int
) -> None:
    assert isinstance(folders.link, FolderLink)
    for text in "abcd":
        folders.outside.enter(text, START_MS)
    folders.inside.dies_after = dies_after
    folders.turn()
    assert len(folders.inside.log) == (0 if folders.inside.is_exact and dies_after < 4 else dies_after)
    folders.link.lose()
    folders.link.carry()
    for path in folders.link.folders["in"].glob("*.relay"):
        path.unlink()
    folders.lose_the_senders_state()
    folders.sender.collect(Outside(), none_withheld)  # only a sign of life, before the first answer of its broker
    for read in (1, 2):  # cut elsewhere than before
        folders.sender.collect(Few(folders.outside, read), none_withheld)
    folders.restart()
    folders.enter(*(f"more{n}" for n in range(more)))
    for _ in range(4):
        folders.turn(31)
        folders.restart()
    assert folders.inside.seen == [*"abcd", *(f"more{n}" for n in range(more))]
    assert folders.sender.pending() == []


def test_what_stood_half_written_is_forgotten_once_it_has_come_again(folders: World) -> None:
    folders.outside.enter("a", START_MS)
    folders.outside.enter("b", START_MS)
    folders.inside.dies_after = 1
    for _ in range(3):
        folders.turn(31)
    # The topic outside is lost and made anew: the same places, and other records.
    folders.lose_the_senders_state()
    folders.outside.entries.clear()
    for text in ("c", "d"):
        folders.enter(text)
    for _ in range(3):
        folders.turn(31)
    assert folders.inside.seen == ["a", "b", "c", "d"]


@pytest.mark.parametrize("back_s", [0, 100_000])
@pytest.mark.parametrize("is_lost", [True, False])
def test_a_topic_made_anew_outside_crosses_whole_whatever_the_clock_says(
    folders: World, back_s: float, *, is_lost: bool
) -> None:
    folders.outside.make_anew("first")
    for n in range(5):
        folders.enter(f"v{n}")
        folders.turn()
    folders.outside.make_anew("second")
    if is_lost:
        folders.lose_the_senders_state(back_s)
    else:
        folders.now_s -= back_s
    for n in range(5, 12):
        folders.enter(f"v{n}")
    for _ in range(3):
        folders.turn(31)
    assert folders.inside.seen == [f"v{n}" for n in range(12)]
    assert folders.sender.made_anew() == ({} if is_lost else {TOPIC: 1})
    folders.lose_the_senders_state(back_s)
    for _ in range(3):
        folders.turn(31)
    assert folders.inside.seen == [f"v{n}" for n in range(12)], "and is known then"


@pytest.mark.parametrize("dies_after", [None, 2])
def test_what_crossed_before_topics_had_lives_is_known_when_they_have(folders: World, dies_after: int | None) -> None:
    for n in range(4):
        folders.outside.enter(f"v{n}", START_MS)
    folders.inside.dies_after = dies_after
    folders.turn()
    assert isinstance(folders.link, FolderLink)
    for path in folders.link.folders["in"].glob("*.relay"):
        path.unlink()
    folders.outside.entries = [
        RelayedRecord(TOPIC, 0, n, START_MS, r.key, r.value, [], "first")
        for n, r in enumerate(folders.outside.entries)
    ]  # fmt: skip
    folders.outside.incarnation = "first"
    folders.lose_the_senders_state()
    for _ in range(3):
        folders.turn(31)
    folders.outside.make_anew("second")
    folders.lose_the_senders_state(back_s=100_000)
    folders.enter("v4", "v5")
    for _ in range(3):
        folders.turn(31)
    assert folders.inside.seen == [f"v{n}" for n in range(6)]


def test_what_has_no_key_stays_in_its_partition_when_the_topic_inside_grows(folders: World) -> None:
    folders.inside.partitions = 4
    for n in range(30):
        folders.outside.enter_without_key(str(n), START_MS + n, partition=n % 6)
        if n == 10:
            folders.inside.partitions = 8
        if n == 20:
            folders.restart()
        folders.turn()
    inside: dict[int, list[int]] = {}
    for record in folders.inside.log:
        inside.setdefault(record.partition, []).append(int(record.value or b""))
    homes = {outer: {at for at, told in inside.items() if any(n % 6 == outer for n in told)} for outer in range(6)}
    assert all(len(found) == 1 for found in homes.values()), homes
    assert all(told == sorted(told) for told in inside.values())


def test_what_has_no_key_finds_room_in_a_topic_that_was_made_anew_with_fewer_partitions(folders: World) -> None:
    folders.inside.partitions = 8
    for n in range(4):
        folders.outside.enter_without_key(str(n), START_MS + n, partition=5)
        folders.turn()
        folders.inside.partitions = 2
    assert [record.partition for record in folders.inside.log] == [5, 1, 1, 1]


def test_a_later_batch_of_a_new_epoch_waits_for_its_first(folders: World) -> None:
    for n in range(3):
        folders.enter(f"v{n}")
        folders.turn()
    folders.lose_the_senders_state()
    folders.outside.entries.clear()  # the outer Kafka is gone as well, and counts from 0 again
    folders.enter("a", "b")
    folders.sender.send()
    assert isinstance(folders.link, FolderLink)
    first = folders.link.folders["out"] / f"{1:012d}.relay"
    data = first.read_bytes()
    first.unlink()
    folders.link.carry()
    assert folders.receiver.receive(folders.inside) == []
    first.write_bytes(data)
    folders.link.carry()
    folders.receiver.receive(folders.inside)
    assert folders.inside.seen == ["v0", "v1", "v2", "a", "b"]


def test_many_large_records_cross_in_batches_that_the_other_side_takes(folders: World) -> None:
    value = b"x" * 200_000
    folders.outside.entries = [RelayedRecord(TOPIC, 0, n, START_MS, b"%d" % n, value) for n in range(500)]
    while len(folders.inside.log) < len(folders.outside.entries):
        assert folders.turn(), "100 MB in one batch were refused for ever"
    assert [record.offset for record in folders.inside.log] == list(range(500))
    assert folders.receiver.refused == 0


def test_a_batch_ends_where_each_partition_goes_on() -> None:
    records = [RelayedRecord(TOPIC, n % 2, n // 2, START_MS + n, None, b"x" * 40) for n in range(6)]
    read = Read(records, {f"{TOPIC}:0": 3, f"{TOPIC}:1": 3, f"{TOPIC}:2": 7})
    first = read.first(130)
    assert [(r.partition, r.offset) for r in first.records] == [(0, 0), (1, 0), (0, 1)]
    assert first.positions == {f"{TOPIC}:0": 2, f"{TOPIC}:1": 1, f"{TOPIC}:2": 7}
    assert len(read.first(1).records) == 1
    assert read.first(10_000) is read


@pytest.mark.parametrize("data", [b"", b"x" * 200, b"0" * 64 + b" batch\nnothing"])
def test_whatever_lies_there_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        unseal(data, Crossing, channel="dmz", secret=SECRET)


def test_a_batch_of_another_channel_or_kind_is_refused() -> None:
    batch = seal(Crossing("dmz", 1, 1, START_MS), SECRET)
    assert unseal(batch, Crossing, channel="dmz", secret=SECRET).number == 1
    with pytest.raises(BadInput, match="wrong-channel"):
        unseal(batch, Crossing, channel="other", secret=SECRET)
    with pytest.raises(BadInput, match="wrong-kind"):
        unseal(batch, Acknowledgement, channel="dmz", secret=SECRET)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("is_exact", [False, True], ids=["plain", "exact"])
def test_whatever_happens_every_entry_arrives_once_in_order(tmp_path: Path, seed: int, *, is_exact: bool) -> None:
    chance, numbers = random.Random(seed), itertools.count()
    link = FolderLink(tmp_path)
    world = World(tmp_path, link, inside=Inside(is_exact))
    for _ in range(60):
        for _ in range(chance.randrange(3)):
            world.outside.enter(str(next(numbers)), int(world.now_s * 1000))
        if chance.random() < 0.1:
            world.inside.dies_after = chance.randrange(3)
        if chance.random() < 0.2:
            link.lose()
        if chance.random() < 0.2:
            world.restart()
        if chance.random() < 0.05:
            world.lose_the_senders_state(back_s=chance.choice([0, 500]))
        if is_exact and chance.random() < 0.1:
            world.restart_without("inner")
        world.inside.loses_answer = chance.random() < 0.1
        world.turn(chance.randrange(1, 20), is_cut=chance.random() < 0.5)
    world.inside.loses_answer = False
    for _ in range(10):
        world.turn(31)
    assert world.inside.seen == [str(n) for n in range(next(numbers))], f"seed {seed}"
    assert [p for p in world.sender.pending() if p.rows] == []
    world.close()


@dataclass
class Deleting:
    """A reader that finds the front of its topic deleted, once."""

    outside: Outside
    begin: int

    def read(self, positions: Mapping[str, int], most: int) -> Read:
        at = positions.get(f"{TOPIC}:0", 0)
        if at >= self.begin:
            return self.outside.read(positions, most)
        return self.outside.read({f"{TOPIC}:0": self.begin}, most)._replace(deleted={f"{TOPIC}:0": self.begin - at})


def test_what_was_deleted_outside_before_it_was_read_is_counted_and_kept(folders: World) -> None:
    for n in range(30):
        folders.outside.enter(str(n), START_MS)
    folders.sender.collect(Few(folders.outside, 5), none_withheld)
    assert folders.sender.deleted() == {}
    reader = Deleting(folders.outside, begin=20)
    for _ in range(3):
        folders.sender.collect(reader, none_withheld)
        folders.restart()
    assert folders.sender.deleted() == {f"{TOPIC}:0": 15}
    folders.turn()
    assert folders.inside.seen == [str(n) for n in (*range(5), *range(20, 30))]
