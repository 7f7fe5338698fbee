"""Two partitions of the loop's agent with crashes between any two steps: what comes out is what comes out without."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from rules import owner_of, task_number
from schemas import Command, decode_alert, decode_notice, encode_command, encode_loop
from streams.logic import Committed, SourcePartition
from streams.loop import Looping
from tests.helpers.loop_agents import Record, opened
from tests.helpers.loops import MONDAY, assigned, happened, said, states

OWNERS = 2
ALERTS = ("a1", "a2", "a3", "a4")
NUMBERS = [task_number(key, "M1", owner=n % OWNERS, owners=OWNERS) for n, key in enumerate(ALERTS)]


class Topics:
    """What is committed: records and positions. One transaction is all or nothing."""

    def __init__(self) -> None:
        self.records: dict[SourcePartition, list[tuple[bytes | None, bytes | None]]] = defaultdict(list)
        self.offsets: dict[SourcePartition, Committed] = {}

    def all_of(self, topic: str) -> list[bytes]:
        return [value or b"" for tp, rows in self.records.items() if tp.topic == topic for _, value in rows]


class Owner:
    """One partition's owner: it reads, commits, and may die at any moment."""

    def __init__(self, topics: Topics, number: int) -> None:
        self.topics, self.number = topics, number
        self.crash()

    def crash(self) -> None:
        """Begin anew from what is committed."""
        self.logic: Looping = opened(number=self.number)
        rows = self.topics.records[SourcePartition("log", self.number)]
        self.logic.load([Record(value, key) for key, value in rows])
        mine = {tp: committed for tp, committed in self.topics.offsets.items() if tp.partition == self.number}
        self.at = dict(self.logic.recover(mine))

    def read(self, topic: str, most: int) -> bool:
        """Take the next records of an input; tell whether there were any."""
        tp = SourcePartition(topic, self.number)
        begin = self.at.get(tp, 0)
        new = self.topics.records[tp][begin : begin + most]
        if new:
            records = [Record(value, key, MONDAY + 1000, begin + n) for n, (key, value) in enumerate(new)]
            self.at[tp] = begin + len(new)
            self.logic.apply(tp, records, self.at[tp])
        return bool(new)

    def commit(self) -> None:
        if self.logic.is_dirty():
            batch = self.logic.take()
            for tp, rows in batch.writes.items():
                self.topics.records[tp] += rows
            self.topics.offsets |= batch.offsets
            self.logic.on_committed()


def run(commands: Sequence[tuple[int, Command]], turns: Sequence[tuple[int, str]]) -> tuple[Topics, dict[str, str]]:
    """Run to the end; give the topics and where every task and order stands."""
    topics = Topics()
    for n, key in enumerate(ALERTS):
        inbox = topics.records[SourcePartition("inbox", n % OWNERS)]
        inbox.append((None, encode_loop(assigned(key))))
        if key == "a4":
            inbox.append((None, encode_loop(happened("cleared", key))))
    for partition, command in commands:
        topics.records[SourcePartition("commands", partition)].append((None, encode_command(command)))
    owners = [Owner(topics, number) for number in range(OWNERS)]
    for which, step in turns:
        owner = owners[which]
        if step == "crash":
            owner.crash()
        elif step == "commit":
            owner.commit()
        else:
            owner.read(step, 2)
    is_read = False
    while not is_read:
        for owner in owners:
            owner.commit()
        is_read = not any(owner.read(topic, 9) for owner in owners for topic in ("inbox", "commands"))
    return topics, states(owners[0].logic.loop) | states(owners[1].logic.loop)


commands_of = st.lists(
    st.tuples(
        st.integers(0, OWNERS - 1),
        st.one_of(
            st.builds(
                lambda numbers, mobile: said("reply", key=mobile, by=mobile, text=" ".join(numbers)),
                st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3),
                st.sampled_from(["13900000001", "13800000009"]),
            ),
            st.builds(lambda number: said("acknowledge", key=number, by="M1"), st.sampled_from(NUMBERS)),
        ),
    ),
    max_size=6,
)
turns_of = st.lists(
    st.tuples(st.integers(0, OWNERS - 1), st.sampled_from(["inbox", "commands", "commit", "crash"])), max_size=25
)


@given(commands_of, turns_of)
def test_crashes_change_neither_the_end_nor_what_was_told(
    commands: list[tuple[int, Command]], turns: list[tuple[int, str]]
) -> None:
    topics, end = run(commands, turns)
    _, straight = run(commands, [])
    assert end == straight
    assert {owner_of(number, OWNERS) for number in end} <= {0, 1}
    told = Counter(decode_notice(value).key for value in topics.all_of("notices"))
    assert not [key for key, count in told.items() if count > 1]
    first = {notice.task for notice in map(decode_notice, topics.all_of("notices")) if notice.task}
    assert first == set(NUMBERS)
    closed = Counter(event.alert_id for event in map(decode_alert, topics.all_of("alerts")) if event.event == "closed")
    assert not [key for key, count in closed.items() if count > 1]
