"""What people write to us: `stagewatch.inbound`, by the mobile that wrote; a card by the card.

Written by the worker that holds the carriers' connections before it tells them that a text was taken over, and by
the agent that hands a card on to whoever owns it. It never leaves us: a text may hold a card's number and password.
"""

import msgspec


class Text(msgspec.Struct, frozen=True, kw_only=True, tag="text", tag_field="type"):
    """One text, put together from its parts."""

    id: str
    """The carrier's own for it; the same if it is delivered again."""
    mobile: str
    """Who wrote; without a country code."""
    to: str = ""
    """The number that it was sent to."""
    text: str
    at: int
    """When it came to us, epoch ms."""
    road: str = ""
    """The carrier that brought it."""

    def __repr__(self) -> str:
        """Without number and text."""
        return f"Text({self.id})"


class Recharge(msgspec.Struct, frozen=True, kw_only=True, tag="recharge", tag_field="type"):
    """A card that somebody wants credited to an account: sent on to the partition that owns the card."""

    id: str
    """That of the text."""
    mobile: str
    card_no: str
    password: str = ""
    cons_no: str
    at: int

    def __repr__(self) -> str:
        """Without number and card."""
        return f"Recharge({self.id})"


InboundRecord = Text | Recharge
