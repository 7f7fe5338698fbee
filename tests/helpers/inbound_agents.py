"""The inbound agent with nothing around it, as unit and property tests drive it."""

from decimal import Decimal

from rules import Engine, Reference
from schemas import Change, Value
from streams.definitions import RuleBook
from streams.inbound import InboundAgent, InboundTopics
from streams.metrics import Metrics
from streams.reference import ReferenceReader
from tests.helpers.builders import shipped
from tests.helpers.loops import DAY, MONDAY

OUT = InboundTopics("inbound", "commands", "notices", "requests", "recharges", "subscriptions", "log")
COUNTS = {"inbound": 2, "commands": 2, "notices": 2, "requests": 1, "recharges": 1, "subscriptions": 1}
CARD, ACCOUNT = "8800000000001290", "3301000129"
CARD_TEXT = f"CZ {CARD} 483920 {ACCOUNT}"


def tell(reference: Reference, entity: str, key: str, fields: dict[str, Value]) -> None:
    """Add a row that has been known for a day."""
    reference.add(
        Change(
            entity=entity, instance="", row=key, op="c", position=1, at=MONDAY - DAY, topic=entity, partition=0,
            offset=0, fields=fields,
        )
    )  # fmt: skip


def agent() -> InboundAgent:
    """Make one that knows an account and a card."""
    reference = Reference(frozenset({"customer", "card", "arrears"}))
    known: dict[str, tuple[str, dict[str, Value]]] = {
        "customer": (ACCOUNT, {}),
        "card": (CARD, {"face_amt": Decimal(50), "sold_at": 1, "state": "sold"}),
    }
    for entity, (key, fields) in known.items():
        tell(reference, entity, key, fields)
    book = RuleBook(Engine(shipped(), reference))
    return InboundAgent(
        book, out=OUT, counts=COUNTS, reference=ReferenceReader(reference, {}), metrics=Metrics(version="0")
    )
