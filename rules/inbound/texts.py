"""What a text means: a reply to a task, a request, a question, a subscription, a card (domain.md 6.3). Pure.

People type on telephones: full-width digits, blanks inside numbers, signatures before or behind. What is no number
and no keyword is unclear, and whoever wrote it is told what we understand.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from rules.loop.task_numbers import is_number

RequestKind = Literal["consult", "suggest", "complain", "report", "repair", "query"]
_SIGNATURE = re.compile(r"[【\[][^】\]]{1,20}[】\]]")
"""What phones and gateways put before or after a text."""
_EIGHT = re.compile(r"(?<![0-9])([0-9]{4}) ?([0-9]{4})(?![0-9])")
"""What the number of a task looks like (`rules.loop.replies`)."""
_OPT_OUT = frozenset({"R", "T", "TD", "N", "0000", "退订", "拒收", "取消"})
"""Alone in a text: write me nothing more that I need not have."""
_CARD = re.compile(r"^(?:CZK?|充值卡?)(?![A-Z])")
_QUERY = re.compile(r"^(?:DF|CX|电费查询|查询电费|查电费|余额查询|查询余额|查余额|查询|余额|电费)(?![A-Z])")
_SUBSCRIBE = re.compile(r"^(?:(?P<off>退订|取消定制|取消|TD)|(?P<on>定制|订阅|DZ))(?P<what>账单|ZD|余额|YE)?(?![A-Z])")
_WISHES: tuple[tuple[RequestKind, tuple[str, ...], str], ...] = (
    ("repair", ("报修", "抢修", "故障", "没电", "跳闸"), "BX"),
    ("complain", ("投诉",), "TS"),
    ("report", ("举报",), "JB"),
    ("suggest", ("建议",), "JY"),
    ("consult", ("咨询", "请问"), "ZX"),
)
"""Request, its words anywhere in a text, and its menu code at the beginning of one."""
_ASKED = re.compile(r"报修|投诉|举报|建议|咨询|请问|(?:BX|TS|JB|JY|ZX)(?![A-Z])")
"""At the beginning of what staff write, with digits that are no task's: they, too, ask for something."""
_BETWEEN = " \t\r\n,;:.!、。-_#*+/"
_GAPS = re.compile(rf"[{re.escape(_BETWEEN)}]+")
_ACCOUNT = re.compile(r"[0-9]{5,16}")
_GROUPED = 4
"""Digits of a group, as they are printed on cards."""
_LEAST_GROUPS = 3
_CARD_DIGITS, _PASSWORD_DIGITS = range(12, 21), range(4, 19)
_CARD_LIKE = re.compile(r"(?<![0-9])(?:[0-9](?: ?[0-9]){11,}|[0-9]{4}(?:[ ,;:.、_*+/-]{1,3}[0-9]{4}){2,})(?![0-9])")
"""Twelve digits or more, or three groups as they are printed on cards."""
_TASK = re.compile(r"(?<![0-9])[0-9]{8}(?![0-9])")
_DIGITS = re.compile(r"[0-9]{4,}")
_LONGEST = 1000
"""Characters of a request that are kept: fifteen messages."""


@dataclass(frozen=True, slots=True)
class TaskReply:
    """It is about supervision tasks: the loop reads it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A request that somebody has to see to."""

    kind: RequestKind
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """What does an account owe? `account` is empty if none was named."""

    account: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """Tell me, or tell me no more."""

    kind: Literal["M05", "M06", "*"]
    """Message kind; `*`: everything that one may decline."""
    is_on: bool
    account: str = ""
    limit: Decimal | None = None
    """M05: below which balance; None: below zero."""


@dataclass(frozen=True, slots=True)
class CardText:
    """A recharge card for an account. Without a card's number it is not what we asked for."""

    card_no: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    account: str = ""


@dataclass(frozen=True, slots=True)
class Unclear:
    """None of these."""


Meaning = TaskReply | Wish | Query | Subscription | CardText | Unclear


def read_text(text: str, *, is_staff: bool) -> Meaning:
    """Give what a text means. `is_staff`: it came from the mobile of somebody who may have tasks."""
    bare = _SIGNATURE.sub(" ", unicodedata.normalize("NFKC", text)).strip(_BETWEEN)
    upper = bare.upper()
    if upper in _OPT_OUT:
        return Subscription("*", is_on=False)
    for read in (_card, _subscription, _query):
        meaning = read(upper)
        if meaning is not None:
            return meaning
    if _is_reply(bare, is_staff=is_staff):
        return TaskReply()
    return _wish(bare) or Unclear()


def _is_reply(bare: str, *, is_staff: bool) -> bool:
    """Tell whether a text is about tasks; one with a card in it seldom is, and its digits must not be told."""
    if not (_EIGHT.search(bare) if is_staff else _EIGHT.match(bare)):
        return False
    if not _has_card(bare):
        return _ASKED.match(bare.upper()) is None or _has_task(bare)
    digits = _GAPS.split(bare)
    if all(each.isdigit() for each in digits):
        return _has_task(bare) and all(_TASK.fullmatch(each) for each in digits)
    return _has_task(bare) and "密码" not in bare


def _has_task(bare: str) -> bool:
    return any(is_number(found[1] + found[2]) for found in _EIGHT.finditer(bare))


def _has_card(folded: str) -> bool:
    """Tell whether digits look like a card's; numbers of tasks in a row do not."""
    return any(
        not all(is_number(each) for each in _GAPS.split(found[0])) for found in _CARD_LIKE.finditer(folded)
    )  # fmt: skip


def _card(upper: str) -> CardText | None:
    found = _CARD.match(upper)
    if found is None:
        return None
    groups = [each for each in _GAPS.split(upper[found.end() :]) if each]
    if not all(each.isascii() and each.isdigit() for each in groups):
        groups = re.findall(r"[0-9]+", upper[found.end() :])
    first = next((n for n, each in enumerate(groups) if len(each) != _GROUPED), len(groups))
    if first >= _LEAST_GROUPS:
        groups = ["".join(groups[:first]), *groups[first:]]
    match groups:
        case [card, account] if len(card) in _CARD_DIGITS and _ACCOUNT.fullmatch(account):
            return CardText(card, "", account)
        case [card, password, account] if (
            len(card) in _CARD_DIGITS and len(password) in _PASSWORD_DIGITS and _ACCOUNT.fullmatch(account)
        ):
            return CardText(card, password, account)
    return CardText()


def _query(upper: str) -> Query | None:
    found = _QUERY.match(upper)
    if found is None:
        return None
    rest = _GAPS.sub("", upper[found.end() :]).removeprefix("户号")
    if not rest:
        return Query("")
    return Query(rest) if _ACCOUNT.fullmatch(rest) else None


def _subscription(upper: str) -> Subscription | None:
    found = _SUBSCRIBE.match(upper)
    if found is None:
        return None
    kind: Literal["M05", "M06", "*"]
    kind = "*" if found["what"] is None else "M06" if found["what"] in {"账单", "ZD"} else "M05"
    rest = [each for each in re.split(r"[\s,;:、#*+户号]+", upper[found.end() :].strip(_BETWEEN)) if each]
    if kind == "*":
        return Subscription("*", is_on=found["on"] is not None) if not rest else None
    account = rest[0] if rest and _ACCOUNT.fullmatch(rest[0]) else ""
    limit = rest[1].removesuffix("元") if len(rest) > 1 else ""
    amount = Decimal(limit) if re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,2})?", limit) else None
    return Subscription(kind, is_on=found["on"] is not None, account=account, limit=amount)


def _wish(bare: str) -> Wish | None:
    upper = bare.upper()
    for kind, _, code in _WISHES:
        if re.match(rf"{code}(?![A-Z])", upper):
            return Wish(kind, _kept(bare[len(code) :].strip(_BETWEEN)))
    places = [(bare.find(word), kind) for kind, words, _ in _WISHES for word in words if word in bare]
    return Wish(min(places)[1], _kept(bare)) if places else None


def _kept(text: str) -> str:
    return without_cards(text)[:_LONGEST]


def without_cards(text: str, *, is_reply: bool = False) -> str:
    """Give a text without the numbers and passwords of cards: where a card's number stands, all longer digits go.

    Of a reply the numbers of tasks stay, which the loop reads.
    """
    folded = unicodedata.normalize("NFKC", text)
    is_card = _CARD.match(_SIGNATURE.sub(" ", folded).strip(_BETWEEN).upper()) is not None
    if not is_card and not _has_card(folded):
        return text if is_reply else folded
    tasks = {found[0] for found in _TASK.finditer(folded) if is_number(found[0])} if is_reply else set[str]()
    return _DIGITS.sub(lambda run: run[0] if run[0] in tasks else "*" * len(run[0]), _broken(folded, tasks))


def _broken(folded: str, tasks: set[str]) -> str:
    """Star what looks like a card, also where its digits stand in groups of less than four; not the tasks' numbers."""

    def stars(run: re.Match[str]) -> str:
        return re.sub(r"[0-9]+", lambda each: each[0] if each[0] in tasks else "*" * len(each[0]), run[0])

    return _CARD_LIKE.sub(stars, folded)
