"""Takes personal data and secrets out of what is logged, raised or stored as a reason.

Everything a peer says passes through `masked`: gateways like to repeat the number they refuse.
"""

import re

# Any run of 7 or more digits, also with a country code, spaces or hyphens inside: too wide rather than too
# narrow. Receipts are not masked; they are ids that a carrier is asked about.
_NUMBER = re.compile(r"\+?\d(?:[ -]?\d){6,}")
_MAIL = re.compile(r"[^\s@<>:;,/*'\"]+@[^\s@<>:;,/'\"]+")
_URL_SECRET = re.compile(r"(//)[^/\s@]+@")
_MAX_LENGTH = 200  # a reason is read in one line; a peer's error page is not


def masked(text: str) -> str:
    """The text in one line of at most 200 characters, without phone numbers, mail addresses and passwords."""
    line = " ".join(text.split())
    line = _URL_SECRET.sub(r"\1***@", line)
    line = _MAIL.sub("***@***", line)
    return _NUMBER.sub(lambda match: _mask_number(match.group()), line)[:_MAX_LENGTH]


def _mask_number(number: str) -> str:
    digits = [char for char in number if char.isdigit()]
    return "".join(digits[:3]) + "****" + "".join(digits[-2:])


def masked_address(address: str) -> str:
    """A mobile number as `138****01`, a mail address as `w***@example.com`; never the whole."""
    local, at, domain = address.partition("@")
    if at:
        return f"{local[:1]}***@{domain}"
    return _mask_number(address)
