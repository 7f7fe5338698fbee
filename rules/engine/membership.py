"""The negative list, both ways: an application under a listed item, an item over running applications.

Judged against the list as it was known at the partition's clock (contract, section 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import cast

from rules.compiler import CompiledProcess, Definitions
from rules.engine.alerting import Alerting, Claim
from rules.engine.deadlines import RuleFace
from rules.engine.energy import gateway_keys
from rules.engine.equipment import equipment, object_of, same_equipment
from rules.engine.findings import face_of
from rules.engine.partition import Partition, Step
from rules.models import MembershipRule
from rules.reference import Fields, Reference, is_open
from rules.state import Instance, Place, rung_parts
from schemas import AlertObject, Change, Severity

ITEM = "negative_item"
PREFIXES = {"customer": "cons", "project_schedule": "prj", "tg": "tg"}
"""How keys begin under which changes of a reference entity find instances."""
HANGS_BY = {"pub_trans": ("tg", "trans"), "dist_line": ("line",), "main_subs": ("subs", "bus")}
"""By which names of where it hangs an application is below equipment of a type."""
HEIGHT = {"pub_trans": 0, "dist_line": 1, "main_subs": 2}
"""Which equipment hangs below which: what is said of the lower repeats what is said of the higher."""
VOTE = "vote"
"""Entity of the change by which a partition tells a list item that applications below it still wait."""


class Membership:
    """Finds which applications hang below which items."""

    def __init__(self, definitions: Definitions, reference: Reference, alerting: Alerting) -> None:
        self._definitions = definitions
        self._reference = reference
        self._alerting = alerting

    # -- where an application hangs

    def index_keys(self, partition: Partition, instance: Instance, process: CompiledProcess | None) -> tuple[str, ...]:
        """Give the keys under which reference changes find the instance; none once it is over."""
        if process is None or instance.main is None or instance.over_at is not None:
            return ()
        fields = instance.main.fields
        looked_up = _looked_up(process, fields)
        if process.entity == ITEM:
            return looked_up
        is_below = process.on_instance or process.on_item  # else nothing on the list concerns it
        keys = [f"{name}:{value}" for name, value in self._equipment(partition, fields)] if is_below else []
        if fields.get("cons_no") is not None:
            keys.append(f"cons:{fields['cons_no']}")
        for name, row in (instance.others or {}).items():
            if name.startswith("customer_project:") and row.fields.get("prj_no") is not None:
                keys.append(f"prj:{row.fields['prj_no']}")
        if fields.get("point_no") is not None:
            keys += gateway_keys(fields, instance.others or {})
        return (*keys, *looked_up)

    def _equipment(self, partition: Partition, fields: Fields) -> list[tuple[str, str]]:
        tg_no, line_no = fields.get("tg_no"), fields.get("line_no")
        tg = self._reference.get("tg", str(tg_no), partition.clock) if tg_no is not None else None
        found = [("tg", str(tg_no))] if tg_no is not None else []
        if tg and tg.get("trans_no") is not None:
            found.append(("trans", str(tg["trans_no"])))
        line_no = line_no if line_no is not None else (tg or {}).get("line_no")
        if line_no is not None:
            found.append(("line", str(line_no)))
        return found + self._substation(partition, fields.get("subs_no"), line_no)

    def _substation(self, partition: Partition, subs_no: object, line_no: object) -> list[tuple[str, str]]:
        """Give the substation that an application names or its line hangs on, and the line's bus if it is known."""
        line = self._reference.get("line", str(line_no), partition.clock) if line_no is not None else None
        bay = self._reference.get("bay", str(line["bay_no"]), partition.clock) if line and line.get("bay_no") else None
        subs_no = subs_no if subs_no is not None else (line or {}).get("subs_no")
        found = [("subs", str(subs_no))] if subs_no is not None else []
        return [*found, ("bus", str(bay["bus_no"]))] if bay and bay.get("bus_no") is not None else found

    def open_items(self, partition: Partition, fields: Fields) -> list[tuple[AlertObject, Fields]]:
        """Give the items that are open now over an application with these fields, sorted by number."""
        found: dict[str, tuple[AlertObject, Fields]] = {}
        hangs = self._equipment(partition, fields)
        for name, value in hangs:
            for key, item in self._reference.linked(ITEM, f"{name}_no", value, partition.clock):
                thing = equipment(key, item)
                if thing is not None and _is_below(hangs, thing, item) and is_open(item, partition.clock):
                    found[key] = (thing, item)
        return [found[key] for key in sorted(found)]

    def beside(self, partition: Partition, key: str) -> list[Instance]:
        """Give the instances whose row rules look at items of the same equipment as this one, but for its own."""
        item = self._reference.last_known(ITEM, key, partition.clock) or {}
        found = partition.found([f"item:{name}:{value}" for name, value in same_equipment(item)])
        return [instance for instance in found if instance.key != key]

    # -- the instance's side

    def judge_instance(self, partition: Partition, instance: Instance, process: CompiledProcess, step: Step) -> None:
        """The application arrived, or moved to other equipment: R-N01, R-N02."""
        if instance.main is None or instance.over_at is not None:
            return
        items = self.open_items(partition, instance.main.fields)
        self.end_items(partition, instance, process, step, keep={thing.item for thing, _ in items})
        for thing, item in items:
            for rule in process.on_instance:
                severity = rule.severity_by_level.get(str(item.get("limit_level")), rule.severity)
                if rule.no_spare is not None and not self._has_spare_bay(partition, item):
                    severity = rule.no_spare
                if rule.object_type in (thing.type, "any"):
                    claim = self._claim(partition, rule, instance, thing, item)._replace(below=_above(thing, items))
                    self._alerting.raise_rung(partition, instance, claim, step, severity=severity)

    def end_items(  # noqa: PLR0913 - which alerts of which instance
        self, partition: Partition, instance: Instance, process: CompiledProcess, step: Step, *,
        keep: Iterable[str] = (), item: str | None = None, ended_at: int | None = None,
    ) -> bool:  # fmt: skip
        """End open alerts about items (all but `keep`, or only `item`); true if there were any."""
        rules = {rule.code: rule for rule in (*process.on_instance, *process.on_item)}
        had_any = False
        for code in [code for code in rules if code in (instance.raised or {})]:
            for key, raised in list((instance.raised or {})[code].items()):
                if not raised.is_open:
                    continue
                _, _, of_item, severity = rung_parts(key)
                if of_item is None or of_item in keep or (item is not None and of_item != item):
                    continue
                fields = self._reference.last_known(ITEM, of_item, partition.clock) or {}
                thing = equipment(of_item, fields) or AlertObject(rules[code].object_type, "", of_item)
                claim = self._claim(partition, rules[code], instance, thing, fields)
                rung = cast("Severity", severity)
                self._alerting.end_rung(partition, instance, claim, step, severity=rung, ended_at=ended_at)
                had_any = True
        return had_any

    # -- the item's side

    def judge_item(self, partition: Partition, key: str, kind: str, step: Step) -> list[Instance]:
        """An item opened or closed over this partition's applications: R-N04; votes for R-N08. Give those below it."""
        if kind == "changed":
            return []
        known = self._reference.get(ITEM, key, partition.clock)
        item = self._reference.last_known(ITEM, key, partition.clock)
        if item is None or is_open(known, partition.clock) != (kind == "opened"):
            return []
        thing = equipment(key, item)
        if thing is None:
            return []
        keys = [f"{name}:{item[f'{name}_no']}" for name in HANGS_BY[thing.type] if item.get(f"{name}_no") is not None]
        below = [i for i in partition.found(keys) if self._is_instance_below(partition, i, thing, item)]
        touched = [i for i in below if not self._has_connected(i)]
        for instance in below:
            process = self._definitions.process_of(instance)
            if process is None:
                continue
            if kind == "opened" and instance in touched:
                self._raise_opened(partition, instance, process, thing, item, step)
            elif kind == "closed":
                self.end_items(partition, instance, process, step, item=key)
            step.changed.add(instance.key)
        if kind == "closed" and touched and known is not None:
            step.votes.append(_vote(key, touched[0].key, partition))
        return below

    def _raise_opened(  # noqa: PLR0913, PLR0917 - one item over one instance
        self, partition: Partition, instance: Instance, process: CompiledProcess, thing: AlertObject, item: Fields,
        step: Step,
    ) -> None:  # fmt: skip
        above = _above(thing, self.open_items(partition, instance.main.fields if instance.main else {}))
        for rule in process.on_item:
            if rule.object_type in (thing.type, "any"):
                claim = self._claim(partition, rule, instance, thing, item)._replace(below=above)
                self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity)

    def _is_instance_below(self, partition: Partition, instance: Instance, thing: AlertObject, item: Fields) -> bool:
        if thing.type != "main_subs":  # found by the very equipment
            return True
        fields = instance.main.fields if instance.main else {}
        return _is_below(self._equipment(partition, fields), thing, item)

    def _has_spare_bay(self, partition: Partition, item: Fields) -> bool:
        """Tell whether the item names a spare bay, or its bus has one in the topology."""
        if item.get("spare_bay_name"):
            return True
        bus_no = item.get("bus_no")
        bays = self._reference.linked("bay", "bus_no", str(bus_no), partition.clock) if bus_no is not None else []
        return any(bay.get("is_spare") is True for _, bay in bays)

    def _has_connected(self, instance: Instance) -> bool:
        process = self._definitions.process_of(instance)
        stage = process.connect_stage if process else None
        return any(v.stage == stage and v.entered_at is not None and not v.is_deleted for v in instance.visits)

    def _claim(
        self, partition: Partition, rule: MembershipRule, instance: Instance, thing: AlertObject, item: Fields
    ) -> Claim:
        face = RuleFace(rule.code, rule.version, rule.title, tuple(rule.tell), rule.text)
        further = partial(self._rests_on, partition, rule, instance, thing, item)
        group = f"{rule.text}_group" if rule.on == "item" else None
        return Claim(face, thing=thing, further=further, values={"level": item.get("limit_level")}, group_text=group)

    def _rests_on(
        self, partition: Partition, rule: MembershipRule, instance: Instance, thing: AlertObject, item: Fields
    ) -> Iterator[Place | None]:
        """Give where application and item were read, first what brought them together, and the network between."""
        clock, fields = partition.clock, instance.main.fields if instance.main else {}
        own = instance.main.place if instance.main else None
        listed = self._reference.place(ITEM, thing.item, clock)
        yield from (listed, own) if rule.on == "item" else (own, listed)
        tg_no: object = fields.get("tg_no")
        line_no: object = fields.get("line_no")
        is_of_district = thing.type == "pub_trans" and tg_no is not None and str(item.get("tg_no")) != str(tg_no)
        if tg_no is not None and (is_of_district or (thing.type != "pub_trans" and line_no is None)):
            yield self._reference.place("tg", str(tg_no), clock)
            line_no = (self._reference.get("tg", str(tg_no), clock) or {}).get("line_no")
        line = self._reference.get("line", str(line_no), clock) if thing.type == "main_subs" else None
        if line is not None:
            yield self._reference.place("line", str(line_no), clock)
            yield self._reference.place("bay", str(line.get("bay_no")), clock)

    # -- released

    def take_vote(self, partition: Partition, instance: Instance, change: Change, step: Step) -> bool:
        """Note that applications below a cleared item still wait; False if another partition said so before."""
        if instance.released_at is not None:
            return False
        instance.released_at = change.position  # the clock of the partition that voted; `at` is the log's
        process = self._definitions.process_of(instance)
        if process is not None:
            self.judge_released(partition, instance, process, step)
        return True

    def judge_released(self, partition: Partition, instance: Instance, process: CompiledProcess, step: Step) -> None:
        """The item is cleared and applications that it had touched still wait: R-N08."""
        rule = process.released
        if rule is None or instance.main is None or instance.released_at is None:
            return
        if is_open(instance.main.fields, partition.clock) or instance.main.fields.get("cleared_at") is None:
            return
        claim = Claim(face_of(rule), thing=object_of(instance), places=(instance.main.place,))
        self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity, at=instance.released_at)


def _looked_up(process: CompiledProcess, fields: Fields) -> tuple[str, ...]:
    """Give the keys under which changes of what row rules look up find an instance."""
    rows = process.rows
    if rows is None or not rows.looks_up:
        return ()
    keys = [
        f"{PREFIXES[entity]}:{fields[field]}"
        for entity, field in rows.looks_up
        if entity in PREFIXES and fields.get(field) is not None
    ]
    if any(entity == ITEM for entity, _ in rows.looks_up):
        keys += [f"item:{name}:{value}" for name, value in same_equipment(fields)]
    return tuple(dict.fromkeys(keys))


def _above(thing: AlertObject, items: Iterable[tuple[AlertObject, Fields]]) -> str:
    """Name the highest equipment above a thing, of what is listed over the same application; "" if there is none."""
    above = (each for each, _ in items if HEIGHT[each.type] > HEIGHT[thing.type])
    highest = max(above, key=lambda each: (HEIGHT[each.type], each.no), default=None)
    return "" if highest is None else f"{highest.type} {highest.no}"


def _is_below(hangs: list[tuple[str, str]], thing: AlertObject, item: Fields) -> bool:
    """Tell whether what hangs by these names is below an item: by the bus, where both are known to be on one."""
    known = dict(hangs)
    by = HANGS_BY[thing.type]
    if thing.type == "main_subs" and item.get("bus_no") is not None and "bus" in known:
        by = ("bus",)
    return any(item.get(f"{name}_no") is not None and str(item[f"{name}_no"]) == known.get(name) for name in by)


def _vote(item: str, voter: str, partition: Partition) -> Change:
    clock = partition.clock
    return Change(VOTE, item, voter, "c", clock, clock, "", partition.number, 0, {})
