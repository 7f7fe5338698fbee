"""The negative list, both ways: an application under a listed item, an item over running applications.

Judged against the list as it was known at the partition's clock (contract, section 7).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from rules.compiler import CompiledProcess, Definitions
from rules.engine.alerting import Alerting, Claim
from rules.engine.deadlines import RuleFace
from rules.engine.equipment import equipment, object_of
from rules.engine.findings import face_of
from rules.engine.partition import Partition, Step
from rules.models import MembershipRule
from rules.reference import Fields, Reference, is_open
from rules.state import Instance, rung_parts
from schemas import AlertObject, Change, Severity

ITEM = "negative_item"
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
        if process is None or instance.main is None or process.entity == ITEM:
            return ()
        if instance.over_at is not None:
            return ()
        fields = instance.main.fields
        keys = [f"{name}:{value}" for name, value in self._equipment(partition, fields)]
        if fields.get("cons_no") is not None:
            keys.append(f"cons:{fields['cons_no']}")
        for name, row in (instance.others or {}).items():
            if name.startswith("customer_project:") and row.fields.get("prj_no") is not None:
                keys.append(f"prj:{row.fields['prj_no']}")
        return tuple(keys)

    def _equipment(self, partition: Partition, fields: Fields) -> list[tuple[str, str]]:
        tg_no, line_no = fields.get("tg_no"), fields.get("line_no")
        tg = self._reference.get("tg", str(tg_no), partition.clock) if tg_no is not None else None
        found = [("tg", str(tg_no))] if tg_no is not None else []
        if tg and tg.get("trans_no") is not None:
            found.append(("trans", str(tg["trans_no"])))
        line = line_no if line_no is not None else (tg or {}).get("line_no")
        return [*found, ("line", str(line))] if line is not None else found

    def open_items(self, partition: Partition, fields: Fields) -> list[tuple[AlertObject, Fields]]:
        """Give the items that are open now over an application with these fields, sorted by number."""
        names = {"tg": "tg_no", "trans": "trans_no", "line": "line_no"}
        found: dict[str, tuple[AlertObject, Fields]] = {}
        for name, value in self._equipment(partition, fields):
            for key, item in self._reference.linked(ITEM, names[name], value, partition.clock):
                thing = equipment(key, item)
                is_line = thing is not None and thing.type == "dist_line"
                if thing is not None and is_line == (name == "line") and is_open(item, partition.clock):
                    found[key] = (thing, item)
        return [found[key] for key in sorted(found)]

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
                if rule.object_type in (thing.type, "any"):
                    claim = self._claim(rule, instance, thing, item)
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
                claim = self._claim(rules[code], instance, thing, fields)
                rung = cast("Severity", severity)
                self._alerting.end_rung(partition, instance, claim, step, severity=rung, ended_at=ended_at)
                had_any = True
        return had_any

    # -- the item's side

    def judge_item(self, partition: Partition, key: str, kind: str, step: Step) -> None:
        """An item opened or closed over this partition's applications: R-N04; votes for R-N08."""
        known = self._reference.get(ITEM, key, partition.clock)
        item = self._reference.last_known(ITEM, key, partition.clock)
        if item is None or is_open(known, partition.clock) != (kind == "opened"):
            return
        thing = equipment(key, item)
        if thing is None:
            return
        is_line = thing.type == "dist_line"
        names = ("line",) if is_line else ("tg", "trans")
        fields = {"tg": "tg_no", "trans": "trans_no", "line": "line_no"}
        keys = [f"{name}:{item[fields[name]]}" for name in names if item.get(fields[name]) is not None]
        touched = [i for i in partition.found(keys) if not self._has_connected(i)]
        for instance in partition.found(keys):
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

    def _raise_opened(  # noqa: PLR0913, PLR0917 - one item over one instance
        self, partition: Partition, instance: Instance, process: CompiledProcess, thing: AlertObject, item: Fields,
        step: Step,
    ) -> None:  # fmt: skip
        for rule in process.on_item:
            if rule.object_type in (thing.type, "any"):
                claim = self._claim(rule, instance, thing, item)
                self._alerting.raise_rung(partition, instance, claim, step, severity=rule.severity)

    def _has_connected(self, instance: Instance) -> bool:
        process = self._definitions.process_of(instance)
        stage = process.connect_stage if process else None
        return any(v.stage == stage and v.entered_at is not None and not v.is_deleted for v in instance.visits)

    def _claim(self, rule: MembershipRule, instance: Instance, thing: AlertObject, item: Fields) -> Claim:
        face = RuleFace(rule.code, rule.version, rule.title, tuple(rule.tell), rule.text)
        places = (instance.main.place,) if instance.main else ()
        group = f"{rule.text}_group" if rule.on == "item" else None
        return Claim(face, thing=thing, places=places, values={"level": item.get("limit_level")}, group_text=group)

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


def _vote(item: str, voter: str, partition: Partition) -> Change:
    clock = partition.clock
    return Change(VOTE, item, voter, "c", clock, clock, "", partition.number, 0, {})
