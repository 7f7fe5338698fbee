"""Row rules applied to one instance: what they find is raised, what they find no longer is ended.

Called by `rules.engine.judgement` with the rest of what is judged about an instance as a whole. Idempotent.
"""

from __future__ import annotations

from itertools import chain
from typing import cast

from rules.compiler import CompiledProcess
from rules.engine.alerting import Alerting, Claim
from rules.engine.equipment import object_of
from rules.engine.partition import Partition, Step
from rules.engine.row_rules import RowRule, RowRules
from rules.engine.rows import Finding, Rows
from rules.state import Instance, Place, rung_parts
from schemas import AlertObject, Severity


class RowJudgement:
    """The row rules of all processes."""

    def __init__(self, alerting: Alerting) -> None:
        self._alerting = alerting

    def judge(  # noqa: PLR0913 - an instance, its rules and what changed
        self, partition: Partition, process: CompiledProcess, instance: Instance, rules: RowRules, step: Step, *,
        changed: str | None,
    ) -> None:  # fmt: skip
        """Bring what row rules say up to the clock; the instance's `due` comes no later than the next of it.

        `changed` is the entity whose row has changed; None: anything may have.
        """
        rows = Rows(instance, process.entity, partition, process.calendar)
        thing = object_of(instance) if process.entity == "negative_item" else None
        for rule in rules.rules:
            if changed is not None and not rule.kind.is_timed and changed not in rule.reads:
                continue
            due = self._settle(partition, instance, rule, rows, thing, step)
            if due is not None and (instance.due is None or due < instance.due):
                instance.due = due

    def _settle(  # noqa: PLR0913, PLR0917 - one rule over one instance
        self, partition: Partition, instance: Instance, rule: RowRule, rows: Rows, thing: AlertObject | None,
        step: Step,
    ) -> int | None:  # fmt: skip
        next_due: int | None = None
        standing: set[str] = set()
        for finding in rule.kind.find(rows):
            claim = _claim(rule, finding, thing)
            ended_at = finding.ended_at
            for severity, due in finding.rungs:
                standing.add(claim.key(severity))
                if ended_at is not None and ended_at <= partition.clock:
                    self._alerting.end_rung(
                        partition, instance, claim, step, severity=severity, ended_at=ended_at, due=due,
                        deadline=finding.deadline,
                    )  # fmt: skip
                    continue
                if due is None or due <= partition.clock:
                    self._alerting.raise_rung(
                        partition, instance, claim, step, severity=severity, due=due, deadline=finding.deadline
                    )
                    upcoming = ended_at
                else:
                    self._alerting.end_rung(partition, instance, claim, step, severity=severity, ended_at=None)
                    upcoming = due if ended_at is None else min(due, ended_at)
                if upcoming is not None and (next_due is None or upcoming < next_due):
                    next_due = upcoming
        self._withdraw(partition, instance, rule, rows, standing, step)
        return next_due

    def _withdraw(  # noqa: PLR0913, PLR0917 - one rule over one instance
        self, partition: Partition, instance: Instance, rule: RowRule, rows: Rows,
        standing: set[str], step: Step,
    ) -> None:  # fmt: skip
        """End what is open and not found any more; what is about rows that state has let go of stands as it is."""
        of_rule = (instance.raised or {}).get(rule.code)
        if not of_rule:
            return
        for key in [key for key in of_rule if key not in standing]:
            stage, visit, item, severity = rung_parts(key)
            if rule.has_let_go(rows, item):
                if not of_rule[key].is_open and rule.forgets_days:
                    del of_rule[key]
                continue
            claim = Claim(rule.face, stage, visit, places=_left(rule, instance, item), repeat=item)
            self._alerting.end_rung(
                partition, instance, claim, step, severity=cast("Severity", severity), ended_at=None
            )


def _left(rule: RowRule, instance: Instance, item: str | None) -> tuple[Place, ...]:
    """Give where the row was read, deleted or not, that a finding was about which is no more."""
    row = (instance.others or {}).get(f"{rule.kind.ground.each}:{(item or '').partition('|')[0]}") or instance.main
    return (row.place,) if row is not None else ()


def _claim(rule: RowRule, finding: Finding, thing: AlertObject | None) -> Claim:
    values: dict[str, object] = {"detail": finding.detail}
    if finding.since is not None:
        values["since"] = finding.since
    return Claim(
        rule.face,
        finding.stage,
        finding.visit,
        thing=thing,
        dept=finding.dept,
        places=finding.places,
        further=lambda: chain.from_iterable(give() for give in finding.further),
        values=values,
        counts_workdays=rule.counts_workdays,
        repeat=finding.subject,
    )
