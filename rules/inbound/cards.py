"""Recharge cards (domain.md, P16): which one is worth what, and how its number is shown. Pure."""

import hashlib
from decimal import Decimal

from rules.reference import Fields
from schemas import Recharge

_USABLE = frozenset({"sold", "active", "unused"})
"""States of a card that may be credited; every other one is refused, for money goes only one way."""
_SHOWN = 4


def card_digest(card_no: str) -> str:
    """Give what stands for a card in state and topics."""
    return hashlib.blake2b(card_no.encode(), digest_size=16, person=b"stagewatch-card").hexdigest()


def password_digest(card_no: str, password: str) -> str:
    """Give what the column `card.password_digest` holds: SHA-256 of number, colon and password, hexadecimal."""
    return hashlib.sha256(f"{card_no}:{password}".encode()).hexdigest()


def masked_card(card_no: str) -> str:
    """Give a card's number as people may see it: `8800********1290`."""
    return f"{card_no[:_SHOWN]}{'*' * (len(card_no) - 2 * _SHOWN)}{card_no[-_SHOWN:]}"


def accepted(row: Fields | None, wanted: Recharge) -> Decimal | None:
    """Give what a card is worth; None if it may not be credited: unknown, not sold, or with another password.

    A card system that does not give away password digests vouches for its numbers alone.
    """
    if row is None or row.get("sold_at") is None or row.get("state") not in _USABLE:
        return None
    known = row.get("password_digest")
    if known is not None and str(known).lower() != password_digest(wanted.card_no, wanted.password):
        return None
    amount = Decimal(str(row.get("face_amt") or 0))
    return amount if amount > 0 else None
