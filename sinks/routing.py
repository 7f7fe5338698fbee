"""Whether a notice leaves at all, and where to: route, then mute. Pure.

The rules said who is to be told over which channel; here that meets what this installation can do.
"""

import re
import unicodedata
from collections.abc import Iterable

import msgspec

from schemas.notice import Notice

_SEPARATORS = re.compile(r"[\s\-()]")
# Without a country code 5 to 15 digits (E.164's longest); short ones are works' internal numbers.
_MOBILE = re.compile(r"[0-9]{5,15}")
# Gateways in China take a national number without its country code.
_CHINA = re.compile(r"(?:\+|00)?86(?=1[0-9]{10}$)")
# Deliberately narrower than RFC 5321: no quoting, no control characters, ASCII; so no header or command
# can be smuggled in through a staff table.
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


class Mute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Silences notices until a time. An empty mute (no rule, no org_no) silences everything."""

    until: int
    """Epoch ms; from then on it has no effect."""
    rule: str | None = None
    """A rule's code; None: every rule."""
    org_no: str | None = None
    """A unit's code, or the beginning of several with `*` at the end; None: every unit."""

    def matches(self, notice: Notice, now: int) -> bool:
        """Whether the notice is silenced at `now` (epoch ms)."""
        if now >= self.until or self.rule not in {None, notice.rule}:
            return False
        if self.org_no is None:
            return True
        unit = notice.org_no or ""
        return unit.startswith(self.org_no[:-1]) if self.org_no.endswith("*") else unit == self.org_no


def address_of(notice: Notice) -> str | None:
    """The mobile number's digits or the mail address; None if the recipient has none that can be used."""
    if notice.channel == "sms":
        return mobile_digits(notice.recipient.mobile or "")
    if notice.channel == "mail":
        address = (notice.recipient.mail or "").strip()
        return address if _MAIL.fullmatch(address) else None
    return ""


def mobile_digits(text: str) -> str | None:
    """The digits of a mobile number, without China's country code; None if it is none."""
    digits = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text))
    digits = _CHINA.sub("", digits, count=1).removeprefix("+")
    return digits if _MOBILE.fullmatch(digits) else None


def is_muted(notice: Notice, mutes: Iterable[Mute], now: int) -> bool:
    """Whether any mute of the settings silences the notice."""
    return any(mute.matches(notice, now) for mute in mutes)
