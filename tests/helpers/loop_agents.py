"""The loop's agent with nothing around it, as unit and property tests drive it."""

from rules import Engine, Reference
from streams.definitions import RuleBook
from streams.logic import Lease
from streams.loop import LoopAgent, Looping, LoopTopics
from streams.metrics import Metrics
from streams.reference import ReferenceReader
from tests.helpers.builders import shipped
from tests.helpers.loops import MONDAY

OUT = LoopTopics("inbox", "commands", "alerts", "notices", "tasks", "letters", "log")
COUNTS = dict.fromkeys(("inbox", "commands", "alerts", "notices", "tasks", "letters", "log"), 2)


class Record:
    """One record of a topic."""

    headers = ()

    def __init__(self, value: bytes | None, key: bytes | None = None, at: int = MONDAY, offset: int = 0) -> None:
        self.key, self.value, self.timestamp, self.offset = key, value, at, offset


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.ms = MONDAY

    def __call__(self) -> float:
        return self.ms / 1000


def opened(clock: Clock | None = None, number: int = 0) -> Looping:
    """Give an empty partition of an agent with two."""
    reference = Reference(frozenset({"stakeholder", "customer_manager", "tg_manager"}))
    agent = LoopAgent(
        RuleBook(Engine(shipped(), reference)), out=OUT, counts=COUNTS, reference=ReferenceReader(reference, {}),
        metrics=Metrics(version="0"), now=clock or Clock(),
    )  # fmt: skip
    return agent.open(Lease("loop", "", number))
