"""A simulated worker process of the agents that hear people: inbound, loop and notifying, as `streams.worker` does."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import lru_cache

from rules import Definitions, Engine, Reference, Strategies, StrategyFile
from rules.loop.strategy import Strategy
from schemas import Value
from schemas.notice import Channel
from sinks import OutboxPolicy, Senders
from streams.definitions import RuleBook
from streams.ends import Ends
from streams.inbound import InboundAgent, InboundTopics
from streams.inbox import LoopInbox
from streams.logic import Agent, SourcePartition
from streams.loop import LoopAgent, LoopTopics
from streams.notify import NotifyAgent
from streams.reference import ReferenceReader
from tests.helpers.builders import shipped
from tests.helpers.inbound_agents import ACCOUNT, CARD, tell
from tests.helpers.records import Record
from tests.simulation.clock import WallClock
from tests.simulation.gateway import Gateway
from tests.simulation.process import NAMES, Process, forget, metrics

WRITTEN = (NAMES.alerts, NAMES.notices, NAMES.tasks, NAMES.deadletters)
MOBILES = {"M1": "13900000001", "M2": "13900000002", "M3": "13900000003"}
"""Of the managers."""
SUPERVISORS = {"3340101": "S1", "3340102": "S2", "33401": "S3"}
STATES = {"notify": NAMES.notices, "loop": NAMES.loop, "inbound": NAMES.inbound}
"""Which topic an agent's changelog is the state of."""


@lru_cache
def definitions() -> Definitions:
    """Give the shipped ones, in which rules about the negative list become long when nobody answers."""
    strategies = shipped().strategies
    assert strategies is not None
    entries: list[Strategy] = []
    for strategy, _ in strategies.entries:
        if strategy.id == "supervision":
            becomes = {"id": "listed", "rules": ["R-N*"], "overdue_becomes": "connection"}
            entries += [strategy.model_copy(update={"rules": ["R-T*"]}), strategy.model_copy(update=becomes)]
        else:
            entries.append(strategy)
    file = StrategyFile(version="strategy/v1", id="simulated", strategies=entries)
    return dataclasses.replace(shipped(), strategies=Strategies.of([file], shipped().calendar))


@lru_cache
def reference() -> Reference:
    """Give who and what there is; it stays as it is."""
    known = Reference(frozenset({"stakeholder", "customer_manager", "tg_manager", "customer", "card", "arrears"}))
    rows: list[tuple[str, str, dict[str, Value]]] = [
        ("customer", ACCOUNT, {}), ("card", CARD, {"face_amt": 50, "sold_at": 1, "state": "sold"}),
        ("arrears", ACCOUNT, {"owed_amt": 7}), _stakeholder("D1", "3340101", "运检"),
    ]  # fmt: skip
    rows += [("customer_manager", no, {"mgr_no": no, "mobile": mobile}) for no, mobile in MOBILES.items()]
    rows += [_stakeholder(no, unit, "unit_supervisor") for unit, no in SUPERVISORS.items()]
    for entity, key, fields in rows:
        tell(known, entity, key, fields)
    return known


def _stakeholder(no: str, unit: str, role: str) -> tuple[str, str, dict[str, Value]]:
    return "stakeholder", no, {"person_no": no, "org_no": unit, "role": role, "mobile": f"1370000000{no[-1]}"}


@lru_cache
def book() -> RuleBook:
    """One for all worlds: nothing changes it."""
    return RuleBook(Engine(definitions(), reference()))


class DeskProcess(Process):
    """The objects of one worker process; they die with it."""

    def __init__(
        self, counts: Mapping[str, int], clock: WallClock, gateways: Mapping[Channel, Gateway], *, outbox: OutboxPolicy,
        checks_position: bool,
    ) -> None:  # fmt: skip
        self.clock, self.ends = clock, Ends(now=clock)
        self.inputs: list[SourcePartition] = []
        self.references: dict[SourcePartition, int] = {}
        reader = ReferenceReader(reference(), {})
        loop = LoopAgent(
            book(),
            out=LoopTopics(
                NAMES.loop, NAMES.commands, NAMES.alerts, NAMES.notices, NAMES.tasks, NAMES.deadletters,
                NAMES.changelog("loop"),
            ),
            counts=counts, reference=reader, metrics=metrics(), is_exact=checks_position, now=clock,
        )  # fmt: skip
        inbound = InboundAgent(
            book(), out=InboundTopics.of(NAMES), counts=counts, reference=reader, metrics=metrics(),
            is_exact=checks_position,
        )  # fmt: skip
        notify = NotifyAgent(
            Senders(dict(gateways)), outbox, notices=NAMES.notices, changelog=NAMES.changelog("notify"),
            metrics=metrics(), record=forget, now=clock, is_exact=checks_position,
            inbox=LoopInbox(NAMES.loop, counts[NAMES.loop]),
        )  # fmt: skip
        self.agents: dict[str, Agent] = {agent.name: agent for agent in (inbound, loop, notify)}

    def refer(self, tp: SourcePartition, records: Sequence[Record], position: int) -> None:
        """There is nothing to read: reference data stay as they are."""
