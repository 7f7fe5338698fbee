"""Which carrier a mobile number belongs to: the staff directory's word, then what a refusal taught, then its prefix.

Pure: texts and times come in. `sms_routes` asks; what a carrier's account is, is `sinks.sms`.
"""

import csv
from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

import msgspec

from schemas import DefinitionError, load_yaml
from sinks.routing import mobile_digits
from sinks.sink import SinkSettingError

PORTED_S = 30 * 86_400.0
"""How long a refusal's lesson is believed: a number may move again after 120 days (MIIT's rules of 2019)."""
_MOST_PORTED = 100_000  # of a province's staff and customers who are written to, few have moved: 20 MB
_LONGEST_PREFIX = 4
_COLUMNS = ["mobile", "carrier"]


class Carrier(StrEnum):
    """China's networks."""

    MOBILE = "mobile"
    UNICOM = "unicom"
    TELECOM = "telecom"
    BROADNET = "broadnet"
    """中国广电, prefix 192."""


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal["number-prefixes/v1"]
    prefixes: dict[Carrier, list[str]]


class CarrierBook:
    """What is known about numbers."""

    def __init__(self, prefixes: Mapping[str, Carrier], staff: Mapping[str, Carrier] | None = None) -> None:
        """`prefixes`: by first digits; `staff`: by 11 digits, what the directory of our own people says."""
        self._prefixes = dict(prefixes)
        self._staff = dict(staff or {})
        self._ported: OrderedDict[str, tuple[Carrier, float]] = OrderedDict()

    def choices(self, mobile: str, now: float) -> list[Carrier]:
        """The carriers that may have a number, the likeliest first; empty if nothing is known. `now`: epoch s."""
        found = (self._staff.get(mobile), self._learned(mobile, now), self._by_prefix(mobile))
        return list(dict.fromkeys(carrier for carrier in found if carrier is not None))

    def learn(self, mobile: str, carrier: Carrier, now: float) -> None:
        """Remember that a carrier took a number that another had refused as not its own."""
        self._ported.pop(mobile, None)
        self._ported[mobile] = (carrier, now + PORTED_S)
        if len(self._ported) > _MOST_PORTED:
            self._ported.popitem(last=False)

    def _learned(self, mobile: str, now: float) -> Carrier | None:
        carrier, until = self._ported.get(mobile, (None, 0.0))
        return carrier if now < until else None

    def _by_prefix(self, mobile: str) -> Carrier | None:
        lengths = range(_LONGEST_PREFIX, 0, -1)
        return next((found for n in lengths if (found := self._prefixes.get(mobile[:n])) is not None), None)


def prefixes_of(text: str, file: str) -> dict[str, Carrier]:
    """The prefixes of a `number-prefixes/v1` file. Raises SinkSettingError for one that cannot be used."""
    try:
        data, _ = load_yaml(text, file)
        table = msgspec.convert(data, _Table)
    except (DefinitionError, msgspec.ValidationError) as error:
        raise SinkSettingError(f"{file}: not a table of number prefixes: {error}") from None
    return {prefix: carrier for carrier, prefixes in table.prefixes.items() for prefix in prefixes}


def directory_of(text: str) -> dict[str, Carrier]:
    """The carriers of people's numbers, from CSV with the columns `mobile` and `carrier`.

    Raises:
        SinkSettingError: a line cannot be used; the message has its number, never the mobile.
    """
    rows = csv.DictReader(text.removeprefix("\ufeff").splitlines())
    if not set(_COLUMNS) <= set(rows.fieldnames or ()):
        raise SinkSettingError("sms_directory: expected the columns mobile,carrier")
    found: dict[str, Carrier] = {}
    for row in rows:
        mobile, carrier = mobile_digits(row["mobile"] or ""), (row["carrier"] or "").strip()
        if mobile is None or carrier not in set(Carrier):
            fault = "no mobile number" if mobile is None else f"the carrier is none of {', '.join(Carrier)}"
            raise SinkSettingError(f"sms_directory: line {rows.line_num}: {fault}")
        found[mobile] = Carrier(carrier)
    return found
