"""What the rows of an instance contribute to indicators: counts, sums, shares, mean times, and balances of energy.

They may depend on reference data of a day, so what a row has contributed is kept with the instance
(`Instance.counted`): the next judgement of it takes that back, whatever the look-ups say by then. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from rules.durations import parse_duration
from rules.engine.conditions import Test, compile_condition
from rules.engine.deadlines import usable
from rules.engine.energy import FREEZE, GATE, POINT, Energy, Topology, energies, oldest_freeze
from rules.engine.energy import amount as amount_of
from rules.engine.open_parts import OPEN
from rules.engine.partition import Part, Partition, Step
from rules.indicator_models import Indicator
from rules.reference import NEVER
from rules.state import Instance
from rules.workdays import WorkCalendar
from schemas import Number, Value, from_wire

MAIN = ""
"""Stands for the instance's own row among the names of rows."""
Fields = Mapping[str, Value]
_dims = msgspec.json.Encoder(order="sorted").encode


class RowParts:
    """The indicators of one process that look at rows."""

    def __init__(self, process: str, indicators: Iterable[Indicator], calendar: WorkCalendar) -> None:
        self._process, self._calendar = process, calendar
        every = tuple(indicators)
        self._energy = tuple(i for i in every if i.kind == "energy")
        self._of_rows = tuple(_Counted(i, calendar) for i in every if i.kind == "rows")
        self.entities = frozenset(i.each for i in every if i.kind == "rows" and i.each)
        """Entities whose rows matter."""
        self.entities |= {name for counted in self._of_rows for name in counted.looks_at}
        self.needs_main = any(counted.indicator.each is None for counted in self._of_rows)
        """The instance's own row counts by itself."""
        if self._energy:
            self.entities |= {FREEZE, GATE, POINT}

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._energy or self._of_rows)

    @property
    def measures_energy(self) -> bool:
        """Tell whether the rows are of metering points: what they contribute depends on where these hang."""
        return bool(self._energy)

    def of(self, partition: Partition, instance: Instance) -> dict[str, list[Part]]:
        """Give what each row contributes, by its name."""
        found: dict[str, list[Part]] = {}
        main = instance.main
        if main is None or main.is_deleted:
            return found
        if self._energy:
            for energy in energies(partition, instance, self._calendar):
                found.setdefault(energy.row, []).extend(self._balances(energy))
        if self._of_rows:
            rows = {name: from_wire(r.fields) for name, r in (instance.others or {}).items() if not r.is_deleted}
            rows[MAIN] = own = from_wire(main.fields)
            for counted in self._of_rows:
                for name in counted.names(rows):
                    part = self._part(partition, counted, rows[name], own, rows)
                    if part is not None:
                        found.setdefault(name, []).append(part)
        return found

    # -- energy

    def _balances(self, energy: Energy) -> Iterator[Part]:
        for indicator in self._energy:
            part = balance_of(indicator.per or "unit", energy)
            if part is not None:
                name, numerator, denominator = part
                dims = {"process": self._process} | ({indicator.per or "": name} if name else {})
                yield indicator.code, energy.at.org_no, energy.day, _dims(dims).decode(), numerator, denominator

    # -- rows

    def _part(
        self, partition: Partition, counted: _Counted, row: Fields, own: Fields, rows: Mapping[str, Fields]
    ) -> Part | None:
        indicator = counted.indicator
        time = partition.clock if indicator.stock else usable(row.get(indicator.field or ""))
        amounts = counted.amounts(row, rows) if time is not None and counted.fits(row) else None
        if time is None or amounts is None:
            return None
        dims = {"process": self._process}
        for name, field in indicator.dims.items():
            value = row.get(field, own.get(field))
            if value is not None:
                dims[name] = str(value)
        day = "" if indicator.stock else self._calendar.local_date(time - 1 if indicator.end_of_day else time)
        numerator, denominator = amounts if indicator.part == "numerator" else amounts[::-1]
        if indicator.negative:
            numerator, denominator = -numerator, -denominator
        return indicator.code, self._org(partition, row, own, time), day, _dims(dims).decode(), numerator, denominator

    @staticmethod
    def _org(partition: Partition, row: Fields, own: Fields, moment: int) -> str:
        """Give the unit that a row counts for: its own, the instance's, or the one where its customer hangs."""
        for fields in (row, own):
            if fields.get("org_no") is not None:
                return str(fields["org_no"])
        topology = Topology(partition, moment)
        for fields in (row, own):
            if fields.get("tg_no") is not None:
                return topology.of_district(fields["tg_no"]).org_no
            if fields.get("cons_no") is not None:
                return topology.of_customer(fields["cons_no"]).org_no
        return ""


class _Counted:
    """One indicator that looks at rows, compiled."""

    def __init__(self, indicator: Indicator, calendar: WorkCalendar) -> None:
        self.indicator = indicator
        self._sharp = calendar.by_clock
        self.fits: Test = compile_condition(indicator.when)
        self._shares: Test | None = None if indicator.share is None else compile_condition(indicator.share)
        start, self._end = indicator.seconds or (indicator.after or "", indicator.field or "")
        self._entity, _, self._field = start.rpartition(".")
        self._grace_ms = parse_duration(indicator.grace).clock_ms if indicator.grace else 0
        self._within_ms = parse_duration(indicator.within).clock_ms if indicator.within else NEVER

    @property
    def looks_at(self) -> tuple[str, ...]:
        """Give the entities whose rows it looks at beside those that it counts."""
        told = (self._entity, *(name.rpartition(".")[0] for name in self.indicator.on_time or ()))
        return tuple(entity for entity in told if entity)

    def names(self, rows: Mapping[str, Fields]) -> list[str]:
        """Give the names of the rows that it counts."""
        if self.indicator.each is None:
            return [MAIN]
        prefix = f"{self.indicator.each}:"
        return [name for name in rows if name.startswith(prefix)]

    def amounts(self, row: Fields, rows: Mapping[str, Fields]) -> tuple[Number, Number] | None:
        """Give what a row adds to numerator and denominator; None: nothing."""
        indicator = self.indicator
        if indicator.after is not None:
            begin, end = self._begin(row, rows), usable(row.get(self._end))
            if begin is None or end is None or self._sharp(end) - self._sharp(begin) > self._within_ms:
                return None
        if self._shares is not None:
            return int(self._shares(row)), 1
        if indicator.on_time is not None:
            done, due = (_first_told(name, row, rows) for name in indicator.on_time)
            is_in_time = due is not None and done is not None and done <= self._sharp(due) + self._grace_ms
            return (int(is_in_time), 1) if is_in_time or (due is not None and indicator.counts_late) else None
        if indicator.seconds is not None:
            begin, end = self._begin(row, rows), usable(row.get(indicator.seconds[1]))
            took = -1 if begin is None or end is None else self._sharp(end) - self._sharp(begin)
            return (Decimal(took) / 1000, 1) if 0 <= took <= self._within_ms else None
        amount: Number | None = amount_of(row.get(indicator.sum)) if indicator.sum else 1
        if indicator.over is None:
            return (amount, 0) if amount else None
        over = amount_of(row.get(indicator.over))
        return None if over is None else (amount or 0, over)

    def _begin(self, row: Fields, rows: Mapping[str, Fields]) -> int | None:
        """Give from when the time counts: a field of the row, or the last time of other rows before its end."""
        if not self._entity:
            return usable(row.get(self._field))
        end = usable(row.get(self._end))
        prefix = f"{self._entity}:"
        times = (usable(other.get(self._field)) for name, other in rows.items() if name.startswith(prefix))
        return max((time for time in times if time is not None and end is not None and time <= end), default=None)


def _first_told(name: str, row: Fields, rows: Mapping[str, Fields]) -> int | None:
    """Give a time of the row, or (`entity.field`) the first that rows of the entity tell."""
    entity, _, field = name.rpartition(".")
    if not entity:
        return usable(row.get(field))
    times = (usable(other.get(field)) for key, other in rows.items() if key.startswith(f"{entity}:"))
    return min((time for time in times if time is not None), default=None)


def recount(
    partition: Partition, parts: RowParts | None, instance: Instance, step: Step, *, changed: str | None = None
) -> None:
    """Tell the difference between what the rows contribute now and what they were counted for.

    `changed` is the entity whose row has changed; None: anything may have. What a row contributed that state no
    longer holds stays as it is, and so does what the oldest freeze was counted for, since its base is gone.
    """
    if changed is not None and parts is not None and changed not in parts.entities:
        return
    if instance.counted is None and instance.others is None and parts is not None and not parts.needs_main:
        return
    counted = dict(instance.counted or {})
    is_open = counted.pop(OPEN, None)
    now = parts.of(partition, instance) if parts else {}
    held = instance.others or {}
    kept = oldest_freeze(instance) if now else None
    if kept is not None and kept in counted and not held[kept].is_deleted:
        now.setdefault(kept, counted[kept])
    for name in sorted(counted.keys() | now.keys()):
        before, after = counted.get(name, []), now.get(name, [])
        if before != after and (name == MAIN or name in held or parts is None):
            step.count(before, after, partition.clock)
    found = {name: found for name, found in now.items() if found}
    if is_open is not None:
        found[OPEN] = is_open
    instance.counted = found or None


def balance_of(per: str, energy: Energy) -> tuple[str | None, Decimal, Decimal] | None:
    """Give what energy adds to the balance of a district, line, bus or unit: its name, the loss, and what came in.

    What customers take is sold out of their district and line. A line's gateway feeds the line and the unit, and takes
    from the bus section; a district's feeds the district alone, for its line has that energy already, and one before a
    customer's own transformer the customer alone.
    """
    place, net = energy.at, energy.into - energy.out
    is_sale = energy.measures == "cons"
    match per:
        case "tg" | "line" | "cons":
            name = {"tg": place.tg, "line": place.line}.get(per, place.cons)
            is_fed = energy.measures == ("supply" if per == "cons" else per)
            return (name, net, net if is_fed else Decimal(0)) if name and (is_sale or is_fed) else None
        case "unit" if place.line and (is_sale or energy.measures == "line"):
            return None, net, Decimal(0) if is_sale else net
        case "bus" if place.bus and energy.measures == "bus":
            return place.bus, net, energy.into
        case "bus" if place.bus and energy.measures == "line":
            return place.bus, -net, energy.out
        case _:
            return None
