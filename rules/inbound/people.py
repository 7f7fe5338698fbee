"""Who can read an answer, who is one of our own people, and which accounts there are: look-ups. Pure."""

import re
from typing import Literal

from rules.reference import Reference

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_STAFF = ("customer_manager", "tg_manager", "stakeholder")


def subscription_key(mobile: str, kind: str, account: str = "") -> str:
    """Give the key of a row of `stagewatch.subscriptions`; kind `*` is everything that may be declined.

    `rules.routing` looks up by it who declined.
    """
    return f"{mobile}|{kind}|{account or '*'}"


def is_person(mobile: str) -> bool:
    """Tell whether a person can read an answer: services write to us, too, and would answer in turn."""
    return _MOBILE.fullmatch(mobile) is not None


def is_staff(reference: Reference, mobile: str, at: int) -> bool:
    """Tell whether a mobile is one of those who may have tasks."""
    return any(reference.linked(entity, "mobile", mobile, at) for entity in _STAFF if entity in reference.entities)


Account = Literal["known", "unknown", "no accounts"]


def account_state(reference: Reference, cons_no: str, at: int) -> Account:
    """Tell whether there is such an account, as far as we know."""
    if not reference.has_any("customer", at):
        return "no accounts"
    return "unknown" if reference.get("customer", cons_no, at) is None else "known"
