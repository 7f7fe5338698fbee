"""Two partitions of the inbound agent with crashes between any two steps: each text once, each card once."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas import Text, decode_notice, encode_inbound
from streams.inbound import Answering
from streams.logic import Committed, Lease, SourcePartition
from streams.partitioner import Partitioner
from tests.helpers.inbound_agents import ACCOUNT, CARD_TEXT, agent
from tests.helpers.loop_agents import Record
from tests.helpers.loops import MONDAY

OWNERS = 2
MOBILES = ("13800000001", "13800000002", "13800000003")
TEXTS = (CARD_TEXT, "投诉电表", f"DF{ACCOUNT}")
AGENT = agent()


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
        self.topics, self.number, self.source = topics, number, SourcePartition("inbound", number)
        self.crash()

    def crash(self) -> None:
        """Begin anew from what is committed."""
        self.logic: Answering = AGENT.open(Lease("inbound", "", self.number))
        rows = self.topics.records[SourcePartition("log", self.number)]
        self.logic.load([Record(value, key) for key, value in rows])
        mine = {tp: each for tp, each in self.topics.offsets.items() if tp == self.source}
        self.at = self.logic.recover(mine).get(self.source, 0)

    def read(self) -> bool:
        """Take the next two records; tell whether there were any."""
        new = self.topics.records[self.source][self.at : self.at + 2]
        if new:
            self.at += len(new)
            self.logic.apply(self.source, [Record(value, key) for key, value in new], self.at)
        return bool(new)

    def commit(self) -> bool:
        """Write everything or nothing; tell whether there was anything."""
        if not self.logic.is_dirty():
            return False
        batch = self.logic.take()
        for tp, rows in batch.writes.items():
            self.topics.records[tp] += rows
        self.topics.offsets |= batch.offsets
        return True


@given(
    sent=st.lists(st.tuples(st.sampled_from(MOBILES), st.integers(0, 3), st.sampled_from(TEXTS)), max_size=12),
    turns=st.lists(st.tuples(st.integers(0, OWNERS - 1), st.sampled_from(["read", "commit", "crash"])), max_size=40),
)
def test_a_text_is_answered_once_and_a_card_credited_once_whatever_crashes(
    sent: Sequence[tuple[str, int, str]], turns: Sequence[tuple[int, str]]
) -> None:
    topics, by_mobile = Topics(), Partitioner(OWNERS)
    texts: dict[tuple[str, str], str] = {}
    for mobile, name, text in sent:  # the gateway delivers again what has the same name
        first = texts.setdefault((mobile, f"mobile:{mobile}-{name}"), text)
        record = Text(id=f"mobile:{mobile}-{name}", mobile=mobile, text=first, at=MONDAY)
        topics.records[SourcePartition("inbound", by_mobile.of(mobile)[1])].append((None, encode_inbound(record)))
    owners = [Owner(topics, number) for number in range(OWNERS)]
    for which, step in turns:
        getattr(owners[which], step)()
    for _ in range(OWNERS + 1):  # a card is sent on once
        for owner in owners:
            while owner.read() or owner.commit():
                pass
    told = Counter(decode_notice(value).key for value in topics.all_of("notices"))
    assert set(told.values()) <= {1}
    assert len(told) == len(texts)
    assert len(topics.all_of("recharges")) == (TEXTS[0] in texts.values())
