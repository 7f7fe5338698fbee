"""Energy of a day: what a customer's meter took, what a gateway let through, and where that was on that day (P19).

A register is frozen at the end of each day, so a day's energy is its freeze less that of the day before, times the
ratios of the transformers. Where a meter or a gateway hangs is asked of the topology of the day. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from rules.engine.deadlines import usable
from rules.engine.partition import Partition
from rules.reference import Reference
from rules.state import Instance, Row
from rules.workdays import DAY_MS, WorkCalendar
from schemas import Value, WireValue, from_wire

FREEZE, GATE, POINT = "daily_freeze", "gate_energy_day", "gate_equipment"
"""Entities of the rows of a metering point."""
PLACES = Decimal("0.000001")
"""A part is kept to the milliwatt-hour: four places of kWh times a ratio."""
MOST = Decimal(10) ** 12
"""kWh, or yuan, of one row: what is more is a fault of its source. Sums of such parts have room in 28 digits."""


class Whereabouts(NamedTuple):
    """Where something hangs; None: not known, or not below any."""

    org_no: str = ""
    tg: str | None = None
    line: str | None = None
    bus: str | None = None
    cons: str | None = None
    """The customer, if it has a transformer of its own, so that it may have a loss of its own."""


class Energy(NamedTuple):
    """Energy of one row and one day, kWh."""

    row: str
    """Key of the row among the instance's further rows."""
    day: str
    into: Decimal
    """What came in at the place: supplied; 0 for what a customer took."""
    out: Decimal
    """What went out of it: given back, or sold."""
    measures: str
    """`cons`, or what a gateway stands at the head of: `tg`, `line`, `bus`, `supply` (of one customer)."""
    at: Whereabouts


class Topology:
    """The network as it was at a moment, as known at the partition's clock."""

    def __init__(self, partition: Partition, moment: int) -> None:
        self._partition, self._moment = partition, moment

    def row(self, entity: str, key: object) -> Mapping[str, object]:
        """Give a row of the day; empty if there is none."""
        return (self._partition.reference_of_day(entity, str(key), self._moment) or {}) if key is not None else {}

    def of_customer(self, cons_no: object) -> Whereabouts:
        """Give where a customer hung: `cons_no → tg_no → line_no`."""
        customer = self.row("customer", cons_no)
        own = self.row("cons_tg", cons_no) or customer
        tg, line = own.get("tg_no"), own.get("line_no")
        place = self.of_district(tg) if tg is not None else self.of_line(line)
        return place._replace(cons=_text(cons_no)) if customer.get("volt_class") == "HV" else place

    def of_district(self, tg: object) -> Whereabouts:
        """Give where a district hung; the unit is its own."""
        row = self.row("tg", tg)
        above = self.of_line(row.get("line_no"))
        return Whereabouts(_text(row.get("org_no")) or above.org_no, _text(tg) or None, above.line, above.bus)

    def of_line(self, line: object) -> Whereabouts:
        """Give where a line hung: `line_no → bay_no → bus_no`."""
        row = self.row("line", line)
        bus = self.row("bay", row.get("bay_no")).get("bus_no")
        return Whereabouts(_text(row.get("org_no")), None, _text(line) or None, _text(bus) or None)

    def of_bus(self, bus: object) -> Whereabouts:
        """Give whose a bus section was: `bus_no → subs_no`."""
        org = self.row("subs", self.row("bus", bus).get("subs_no")).get("org_no")
        return Whereabouts(_text(org), None, None, _text(bus) or None)


def hanging(reference: Reference, entity: str, key: str) -> Iterator[str]:
    """Give the keys under which metering points are found whose place may depend on a row of the topology.

    Those of today and of every day before: a row may come late. Bays, bus sections and substations say nothing of
    customers, for what these take is no part of a bus section's balance.
    """
    if entity == "subs":
        yield from (f"gate:{bus}" for bus in reference.ever_linked("bus", "subs_no", key))
        return
    if entity == "bay":
        yield from (f"gate:{line}" for line in reference.ever_linked("line", "bay_no", key))
        return
    yield f"gate:{key}" if entity != "cons_tg" else f"cons:{key}"
    if entity == "customer":
        yield f"cons:{key}"
    elif entity == "tg":
        yield from _customers(reference, "tg_no", key)
    elif entity == "line":
        yield from _customers(reference, "line_no", key)
        for district in reference.ever_linked("tg", "line_no", key):
            yield from hanging(reference, "tg", district)


def _customers(reference: Reference, field: str, value: str) -> Iterator[str]:
    for entity in ("cons_tg", "customer"):
        yield from (f"cons:{cons}" for cons in reference.ever_linked(entity, field, value))


def gateway_keys(fields: Mapping[str, object], others: Mapping[str, Row]) -> list[str]:
    """Give the keys under which `hanging` finds a gateway: by the numbers of the equipment that it may stand before."""
    told = [row.fields.get("parent") for name, row in others.items() if name.startswith(f"{POINT}:")]
    return [f"gate:{no}" for no in (fields.get("point_no"), *told) if no is not None]


def energies(partition: Partition, instance: Instance, calendar: WorkCalendar) -> Iterator[Energy]:
    """Give the energy of each row of a metering point; what cannot be told is left out.

    A customer's oldest freeze is the base of the next and tells nothing itself, but on the day the meter was fitted.
    """
    main = instance.main
    if main is None or main.is_deleted:
        return
    rows = {name: row for name, row in (instance.others or {}).items() if not row.is_deleted}
    yield from _sold(partition, from_wire(main.fields), rows, calendar)
    point = next((row.fields for name, row in rows.items() if name.startswith(f"{POINT}:")), {})
    measured = point.get("parent") or main.fields.get("point_no")
    for name, row in rows.items():
        if name.startswith(f"{GATE}:"):
            fields = from_wire(row.fields)
            moment = usable(fields.get("date"))
            into, out = amount(fields.get("in_kwh")), amount(fields.get("out_kwh"))
            if moment is not None and into is not None and out is not None:
                kind, place = _measured(Topology(partition, calendar.by_clock(moment) - 1), measured)
                yield Energy(name, calendar.local_date(moment - 1), into, out, kind, place)


def oldest_freeze(instance: Instance) -> str | None:
    """Give the name of the oldest freeze that is known, deleted or not: what it is measured from may be gone."""
    dated = [
        (time, name)
        for name, row in (instance.others or {}).items()
        if name.startswith(f"{FREEZE}:") and (time := usable(row.fields.get("freeze_date"))) is not None
    ]  # fmt: skip
    return min(dated)[1] if dated else None


def _sold(
    partition: Partition, meter: Mapping[str, Value], rows: Mapping[str, Row], calendar: WorkCalendar
) -> Iterator[Energy]:
    freezes: dict[int, tuple[str, Decimal]] = {}
    for name, row in rows.items():
        if name.startswith(f"{FREEZE}:"):
            fields = from_wire(row.fields)
            moment, value = usable(fields.get("freeze_date")), amount(fields.get("value"))
            if moment is not None and value is not None:
                freezes[calendar.by_clock(moment)] = (name, value)
    ratio = _ratio(meter.get("ct_ratio")) * _ratio(meter.get("pt_ratio"))
    for moment, (name, value) in freezes.items():
        day = calendar.local_date(moment - 1)
        eve = calendar.end_of_day(moment - 1 - DAY_MS)
        base = freezes[eve][1] if eve in freezes else _installed(meter, day, calendar)
        used = None if base is None else _difference(base, value, meter.get("digits"))
        energy = None if used is None else amount(used * ratio)
        if energy is not None:
            place = Topology(partition, moment - 1).of_customer(meter.get("cons_no"))
            yield Energy(name, day, Decimal(0), energy, "cons", place)


def _installed(meter: Mapping[str, Value], day: str, calendar: WorkCalendar) -> Decimal | None:
    """Give the reading with which a meter was fitted on that day."""
    at = usable(meter.get("installed_at"))
    return amount(meter.get("install_base")) if at is not None and calendar.local_date(at) == day else None


def _difference(base: Decimal, value: Decimal, digits: Value) -> Decimal | None:
    """Give what the register counted; past its end it begins again, of two ways the shorter was gone.

    None: it ran back, which is an anomaly (A02) and no energy.
    """
    if value >= base:
        return value - base
    if not isinstance(digits, int) or not 0 < digits < 13:  # noqa: PLR2004 - digits of a register: kWh below MOST
        return None
    size = Decimal(10) ** digits
    onward = value + size - base
    return onward if 0 <= onward < size / 2 else None


def _measured(topology: Topology, no: WireValue) -> tuple[str, Whereabouts]:
    """Give what a gateway stands at the head of: the equipment that has this number."""
    if topology.row("tg", no):
        return "tg", topology.of_district(no)
    if topology.row("line", no):
        return "line", topology.of_line(no)
    if topology.row("bus", no):
        return "bus", topology.of_bus(no)
    if topology.row("customer", no):
        return "supply", topology.of_customer(no)
    return "", Whereabouts()


def amount(value: Value) -> Decimal | None:
    """Give an amount as it is summed, to six places; None: there is none, or none that can be."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number.quantize(PLACES, ROUND_HALF_EVEN) if number.is_finite() and abs(number) < MOST else None


def _ratio(value: Value) -> Decimal:
    number = amount(value)
    return Decimal(1) if number is None or number <= 0 else number


def _text(value: object) -> str:
    return "" if value is None else str(value)
