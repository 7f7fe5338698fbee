"""Who reads what people write to us: text and what is known → answers, requests, credits, replies to tasks.

A pure state machine, one per partition: a text's by the mobile that wrote it, a card's by the card. The agent in
`streams` keeps its rows in a changelog and writes what it wants done in the same transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, assert_never

import msgspec

from rules.inbound import answers
from rules.inbound.cards import accepted, card_digest, masked_card
from rules.inbound.people import account_state, is_person, is_staff, subscription_key
from rules.inbound.state import REMEMBERED_MS, Counter, Sender, Spent
from rules.inbound.texts import (
    CardText,
    Meaning,
    Query,
    Subscription,
    TaskReply,
    Unclear,
    Wish,
    read_text,
    without_cards,
)
from rules.reference import Reference
from rules.wording import Wording
from schemas import Command, Notice, Recharge, Recipient, Text, Value, iso

MOST_ANSWERS, MOST_HELPS = 20, 3
"""A day, to one number: two machines that answer one another come to an end."""
MOST_REPLIES = 200
"""A day, from one number, to the loop, which answers each. Managers close some dozens."""
MOST_CARDS = 10
"""A day, from one number: nobody buys more, and numbers shall not be guessed."""
_SWEEP_MS = 3_600_000
_FROM, _CARD, _COUNTER = "from:", "card:", "counter"
_encode = msgspec.msgpack.Encoder().encode
_sender = msgspec.msgpack.Decoder(Sender).decode
_spent = msgspec.msgpack.Decoder(Spent).decode
_counter = msgspec.msgpack.Decoder(Counter).decode
Topics = Literal["requests", "recharges", "subscriptions"]


@dataclass(slots=True)
class Done:
    """What is to be written with the state that led to it."""

    commands: list[Command] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    forwards: list[tuple[str, Recharge]] = field(default_factory=list)
    """By the digest of the card."""
    rows: list[tuple[Topics, str, int, Mapping[str, Value]]] = field(default_factory=list)
    """Topic, key, time and columns."""
    passed: dict[str, int] = field(default_factory=dict)
    """What nothing was done about, by reason."""


class Clerk:
    """The state of one partition. Times are epoch ms. Not thread-safe."""

    def __init__(self, reference: Reference, wording: Wording, *, number: int, count: int) -> None:
        """Take look-ups, sentences, and which partition of how many this is: numbers given out follow from it."""
        self._reference, self.wording = reference, wording
        self._number, self._count = number, count
        self._senders: dict[str, Sender] = {}
        self._cards: dict[str, Spent] = {}
        self._numbers = Counter()
        self._dirty: dict[str, None] = {}
        self._swept_at = 0
        self.done = Done()

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._senders) + len(self._cards) + (self._numbers.next > 0)

    @property
    def has_news(self) -> bool:
        """Something is to be written."""
        return bool(self._dirty)

    # -- what comes

    def take(self, text: Text) -> None:
        """Do what a text asks for. A text that was here before changes nothing."""
        sender = self._senders.setdefault(text.mobile, Sender())
        sender.begin(self.wording.day(text.at), text.at)
        self._dirty[_FROM + text.mobile] = None
        if sender.is_repeat(text.id or _digest(text.to, text.text), text.at, is_named=bool(text.id)):
            self._pass("inbound_repeat")
        elif not is_person(text.mobile):
            self._pass("inbound_from_a_service")
        else:
            self._do(sender, text, read_text(text.text, is_staff=is_staff(self._reference, text.mobile, text.at)))
        self._sweep(text.at)

    def _do(self, sender: Sender, text: Text, meaning: Meaning) -> None:
        match meaning:
            case TaskReply():
                self._reply(sender, text)
            case Wish(kind, body):
                number = self._request(text, kind, body)
                self._answer(sender, text, "M16", {"request_no": number})
            case Query(account):
                self._query(sender, text, account)
            case Subscription():
                self._subscribe(sender, text, meaning)
            case CardText():
                self._card(sender, text, meaning)
            case Unclear():
                self._help(sender, text)
            case _ as never:
                assert_never(never)

    def _reply(self, sender: Sender, text: Text) -> None:
        sender.replies += 1
        if sender.replies > MOST_REPLIES:
            self._pass("inbound_too_many_replies")
            return
        kept = without_cards(text.text, is_reply=True)
        self.done.commands.append(Command(kind="reply", key=text.mobile, by=text.mobile, at=text.at, text=kept))

    def _help(self, sender: Sender, text: Text) -> None:
        """Nobody understood it: a person reads it, and whoever wrote it is told what we understand."""
        if sender.helps >= MOST_HELPS:
            self._pass("inbound_unclear")
            return
        sender.helps += 1
        self._request(text, "other", without_cards(text.text))
        self._say(sender, text, answers.HELP)

    def _query(self, sender: Sender, text: Text, account: str) -> None:
        if not account:
            self._say(sender, text, answers.NO_ACCOUNT_NAMED)
            return
        owed, state = self._owed(account, text.at), account_state(self._reference, account, text.at)
        if state == "unknown":
            self._say(sender, text, answers.NO_ACCOUNT.format(account=account))
        elif state == "no accounts" or owed is None:
            number = self._request(text, "query", f"DF{account}", account=account)
            self._say(sender, text, answers.NOT_NOW.format(number=number))
        else:
            self._request(text, "query", f"DF{account}", account=account, is_answered=True)
            values = {"account": account, "month": self._month(text.at), "amount": _yuan(max(owed, Decimal(0)))}
            self._answer(sender, text, "M07", {**values, "balance": _yuan(-owed)})

    def _owed(self, account: str, at: int) -> Decimal | None:
        """What an account owes, as marketing says; None: it says nothing of anyone."""
        if "arrears" not in self._reference.entities:
            return None
        row = self._reference.get("arrears", account, at) or {}
        return Decimal(str(row.get("owed_amt") or 0)) + Decimal(str(row.get("penalty_amt") or 0))

    def _month(self, at: int) -> str:
        year, month, _ = self.wording.day(at).split("-")
        return f"{year}年{int(month)}月"

    def _subscribe(self, sender: Sender, text: Text, wanted: Subscription) -> None:
        if wanted.kind == "*":
            self._say(sender, text, answers.RESUMED if wanted.is_on else answers.DECLINED)
        elif not wanted.account:
            self._say(sender, text, answers.WHICH_ACCOUNT)
            return
        elif wanted.is_on and account_state(self._reference, wanted.account, text.at) == "unknown":
            self._say(sender, text, answers.NO_ACCOUNT.format(account=wanted.account))
            return
        else:
            form = answers.SUBSCRIBED if wanted.is_on else answers.UNSUBSCRIBED
            self._say(sender, text, form.format(account=wanted.account, what=answers.WHAT[wanted.kind]))
        key = subscription_key(text.mobile, wanted.kind, wanted.account)
        row: dict[str, Value] = {
            "sub_no": key, "mobile": text.mobile, "kind": wanted.kind, "cons_no": wanted.account or None,
            "limit_amt": None if wanted.limit is None else str(wanted.limit), "state": "on" if wanted.is_on else "off",
            "changed_at": iso(text.at),
        }  # fmt: skip
        self.done.rows.append(("subscriptions", key, text.at, row))

    def _card(self, sender: Sender, text: Text, card: CardText) -> None:
        if not card.card_no:
            self._say(sender, text, answers.CARD_FORM)
            return
        sender.cards += 1
        if sender.cards > MOST_CARDS:
            self._say(sender, text, answers.CARD_TOO_MANY)
            return
        wanted = Recharge(
            id=_name(text), mobile=text.mobile, card_no=card.card_no, password=card.password, cons_no=card.account,
            at=text.at,
        )  # fmt: skip
        self.done.forwards.append((card_digest(card.card_no), wanted))

    def recharge(self, wanted: Recharge) -> None:
        """Credit a card that this partition owns, once; answer whoever sent it."""
        digest, shown = card_digest(wanted.card_no), masked_card(wanted.card_no)
        row = self._reference.get("card", wanted.card_no, wanted.at)
        if digest in self._cards or (row or {}).get("state") == "used":
            self._tell(wanted, "M01", {"text": answers.CARD_SPENT.format(card=shown)})
            return
        amount = accepted(row, wanted)
        if amount is None:
            self._tell(wanted, "M01", {"text": answers.CARD_UNKNOWN.format(card=shown)})
        elif account_state(self._reference, wanted.cons_no, wanted.at) != "known":
            self._tell(wanted, "M01", {"text": answers.NO_ACCOUNT.format(account=wanted.cons_no)})
        else:
            self._credit(wanted, digest, amount)

    def _credit(self, wanted: Recharge, digest: str, amount: Decimal) -> None:
        number = self._next("R", wanted.at)
        self._cards[digest] = Spent(number, wanted.at)
        self._dirty[_CARD + digest] = None
        row: dict[str, Value] = {
            "recharge_no": number, "card_no": masked_card(wanted.card_no), "card_digest": digest,
            "cons_no": wanted.cons_no, "channel": "SMS", "amt": str(amount), "at": iso(wanted.at),
        }  # fmt: skip
        self.done.rows.append(("recharges", number, wanted.at, row))
        owed = self._owed(wanted.cons_no, wanted.at)
        balance = None if owed is None else _yuan(amount - owed)
        self._tell(wanted, "M11", {"amount": _yuan(amount), "balance": balance})

    # -- what comes of it

    def _request(
        self, text: Text, kind: str, body: str, *, account: str | None = None, is_answered: bool = False
    ) -> str:
        """File a request; give its number. A complaint is supervised, a repair urgent, a report for few eyes."""
        number = self._next("Q", text.at)
        row: dict[str, Value] = {
            "req_no": number, "req_type": kind, "channel_code": "SMS", "cons_no": account, "mobile": text.mobile,
            "body": body, "is_supervised": kind == "complain", "is_restricted": kind == "report",
            "priority": "high" if kind == "repair" else "normal", "received_at": iso(text.at),
            "finished_at": iso(text.at) if is_answered else None,
        }  # fmt: skip
        self.done.rows.append(("requests", number, text.at, row))
        return number

    def _next(self, letter: str, at: int) -> str:
        """Give a number that no other partition gives."""
        number = self._numbers.next * self._count + self._number
        self._numbers.next += 1
        self._dirty[_COUNTER] = None
        return f"{letter}{self.wording.day(at).replace('-', '')}{number:05d}"

    def _say(self, sender: Sender, text: Text, sentence: str) -> None:
        self._answer(sender, text, "M01", {"text": sentence})

    def _answer(self, sender: Sender, text: Text, kind: str, values: Mapping[str, object]) -> None:
        if sender.answers >= MOST_ANSWERS:
            self._pass("inbound_answered_enough")
            return
        sender.answers += 1
        self._tell(text, kind, values)

    def _tell(self, asked: Text | Recharge, kind: str, values: Mapping[str, object]) -> None:
        if not self.wording.has(kind):
            self._pass("no_template")
            return
        name = _name(asked)
        self.done.notices.append(
            Notice(
                alert_id="", rule=kind, severity="INFO", process="customer_request", instance=f"sms:{name}",
                org_no=None, recipient=Recipient(no=f"inbound:{name}", mobile=asked.mobile), channel="sms",
                text=self.wording.say(kind, values), at=asked.at, due_at=None, rung=kind,
            )
        )  # fmt: skip

    def _pass(self, reason: str) -> None:
        self.done.passed[reason] = self.done.passed.get(reason, 0) + 1

    # -- rows

    def _sweep(self, now: int) -> None:
        """Forget, once an hour, who has not written for long."""
        if now - self._swept_at < _SWEEP_MS:
            return
        self._swept_at = now
        for mobile in [each for each, row in self._senders.items() if row.latest <= now - REMEMBERED_MS]:
            del self._senders[mobile]
            self._dirty[_FROM + mobile] = None

    def load(self, key: str, data: bytes | None) -> None:
        """Put a row back from the changelog; the last one for a key counts."""
        if data is None:
            self._senders.pop(key.removeprefix(_FROM), None)
        elif key.startswith(_FROM):
            self._senders[key.removeprefix(_FROM)] = _sender(data)
        elif key.startswith(_CARD):
            self._cards[key.removeprefix(_CARD)] = _spent(data)
        else:
            self._numbers = _counter(data)

    def take_rows(self) -> list[tuple[str, bytes | None]]:
        """Give the rows that changed; they count as written from then on."""
        changed, self._dirty = self._dirty, {}
        return [(key, self._dump(key)) for key in changed]

    def take_done(self) -> Done:
        """Give what is to be done; it counts as done from then on."""
        done, self.done = self.done, Done()
        return done

    def _dump(self, key: str) -> bytes | None:
        if key == _COUNTER:
            return _encode(self._numbers)
        if key.startswith(_CARD):
            return _encode(self._cards[key.removeprefix(_CARD)])
        row = self._senders.get(key.removeprefix(_FROM))
        return None if row is None else _encode(row)


def _name(asked: Text | Recharge) -> str:
    """Give the name of a text; one without is named by who wrote it and when."""
    return asked.id or _digest(asked.mobile, str(asked.at))


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()


def _yuan(amount: Decimal) -> str:
    return f"{amount:.2f}元"
