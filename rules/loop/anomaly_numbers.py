"""Names of anomalies, their work orders and packages: each begins with the unit that it belongs to.

The unit names the partition that owns them, so that a department's package and all that is in it have one owner.
"""

import re

_HASH = 16
"""Of an alert's id: 64 bits; two of a unit's alerts never meet."""
_ANOMALY = re.compile(r"W?A([^-]*)-[0-9a-f]{16}(?:-[0-9]+)?")
_PACKAGE = re.compile(r"P([^-]*)-.+-[0-9]{8}-[0-9]+")


def anomaly_number(alert_id: str, org_no: str | None) -> str:
    """Give the number of an alert's anomaly; the same inputs give the same number."""
    return f"A{_unit(org_no)}-{alert_id[:_HASH]}"


def order_number(anomaly: str) -> str:
    """Give the number of an anomaly's work order."""
    return f"W{anomaly}"


def package_number(org_no: str | None, dept: str, date: str, serial: int) -> str:
    """Give the number of a department's package; `date` is ISO 8601, `serial` counts those of the day."""
    return f"P{_unit(org_no)}-{dept}-{date.replace('-', '')}-{serial}"


def unit_in(number: str) -> str | None:
    """Give the unit that an anomaly, its order or a package belongs to ("": to none); None: it is no such number."""
    found = _ANOMALY.fullmatch(number) or _PACKAGE.fullmatch(number)
    return None if found is None else found[1]


def _unit(org_no: str | None) -> str:
    return (org_no or "").replace("-", "")
