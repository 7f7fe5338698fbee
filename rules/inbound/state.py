"""What one partition remembers of those who write to us: rows of its changelog. Pure."""

import msgspec

REMEMBERED_MS = 3 * 86_400_000
"""Gateways deliver again what was not confirmed, for two days at most (CMPP, SGIP and SMGP leave it to the carrier)."""
SAME_TEXT_MS = 300_000
"""A text without a name of its own (SMPP) that comes again word by word so soon was delivered again."""


class Sender(msgspec.Struct):
    """One mobile. Counts are of `day`, local."""

    seen: dict[str, int] = {}
    """Texts by name, and when they came, epoch ms."""
    day: str = ""
    answers: int = 0
    helps: int = 0
    replies: int = 0
    cards: int = 0

    def begin(self, day: str, at: int) -> None:
        """Forget what is too old to come again; count anew on another day."""
        self.seen = {name: came for name, came in self.seen.items() if came > at - REMEMBERED_MS}
        if day != self.day:
            self.day, self.answers, self.helps, self.replies, self.cards = day, 0, 0, 0, 0

    def is_repeat(self, name: str, at: int, *, is_named: bool) -> bool:
        """Tell whether a text was here before; it is from now on."""
        came = self.seen.get(name)
        self.seen[name] = at
        return came is not None and (is_named or at - came <= SAME_TEXT_MS)

    @property
    def latest(self) -> int:
        """When it wrote last."""
        return max(self.seen.values(), default=0)


class Spent(msgspec.Struct, frozen=True):
    """A card that was credited."""

    recharge_no: str
    at: int


class Counter(msgspec.Struct):
    """The numbers that were given out."""

    next: int = 0
