"""Facts about rows, true or not whatever the time: computed, out of sequence, the same person, undocumented."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from rules.engine.computations import COMPUTATIONS
from rules.engine.deadlines import usable
from rules.engine.row_ground import Ground, Times
from rules.engine.rows import Finding, Rows, SubjectRow
from rules.models import Stage
from rules.row_models import ComputedRule, DistinctRule, DocumentsRule, SequenceRule
from rules.state import Visit


class ComputedFact:
    """A named computation applied to rows."""

    def __init__(self, rule: ComputedRule) -> None:
        """Compile the rule."""
        self.severities = frozenset({rule.severity})
        self.ground = Ground(rule, is_timed=False)
        self._severity = rule.severity
        self._compute = COMPUTATIONS[rule.function].bind(rule.parameters)
        self.is_timed = COMPUTATIONS[rule.function].is_timed

    def find(self, rows: Rows) -> list[Finding]:
        """Give what the computation finds about each row."""
        findings = []
        for row in self.ground.subjects(rows):
            found = self._compute(rows, row)
            if found is not None:
                rungs = ((self._severity, found.due),)
                finding = self.ground.finding(rows, row, rungs, detail=found.detail, deadline=found.due)
                findings.append(finding._replace(places=(*finding.places, *found.places)))
        return findings


class Sequence:
    """A time that lies before one that it should have followed."""

    is_timed = False

    def __init__(self, rule: SequenceRule) -> None:
        """Compile the rule."""
        self.severities = frozenset({rule.severity})
        self.ground = Ground(rule, is_timed=False)
        self._severity, self._later, self._begin = rule.severity, rule.later, rule.begin
        self._earlier = Times(rule.earlier)
        self._since = tuple(Times(each) for each in rule.since)

    def find(self, rows: Rows) -> list[Finding]:
        """Give the rows whose `later` comes after a time that should have followed it."""
        findings = []
        for row in self.ground.subjects(rows):
            later = usable(row.fields.get(self._later))
            if later is None:
                continue
            since = self._from(rows, row, later)
            hits = [(t, other) for t, other in self._earlier.of(rows, row) if since <= t < later]
            if hits:
                finding = self.ground.finding(rows, row, ((self._severity, None),), since=min(t for t, _ in hits))
                places = [other.place for _, other in hits if other is not None and other.place is not None]
                findings.append(finding._replace(places=(*finding.places, *places)))
        return findings

    def _from(self, rows: Rows, row: SubjectRow, later: int) -> int:
        known = [t for each in self._since for t, _ in each.of(rows, row) if t < later]
        return max(known) if known else usable(row.fields.get(self._begin or "")) or 0


class Distinct:
    """Persons that must differ."""

    is_timed = False

    def __init__(self, rule: DistinctRule, stages: Mapping[str, Stage]) -> None:
        """Compile the rule; `stages` are those of its process."""
        self.severities = frozenset({rule.severity})
        self.ground = Ground(rule, is_timed=False)
        self._rule = rule
        self._titles = {code: stage.title for code, stage in stages.items()}

    def find(self, rows: Rows) -> list[Finding]:
        """Give the rows (or the instance) in which one person stands twice."""
        findings = []
        for row in self.ground.subjects(rows):
            people = [(name, str(row.fields[name])) for name in self._rule.fields if row.fields.get(name) is not None]
            people += [
                (self._titles.get(visit.stage or "", visit.stage or ""), visit.handler)
                for visit in rows.visits
                if visit.stage in self._rule.stages and visit.handler is not None
            ]
            same = [(a, b) for a, b in combinations(people, 2) if a[1] == b[1] and a[0] != b[0]]
            if same:
                detail = "、".join(dict.fromkeys(f"{a[0]}与{b[0]}同为{a[1]}" for a, b in same))
                findings.append(self.ground.finding(rows, row, ((self._rule.severity, None),), detail=detail))
        return findings


class Documents:
    """Stages that have ended without their documents, or without a record of their steps.

    Only instances of which any document or step is known are judged: the others are kept in another system.
    """

    is_timed = False

    def __init__(self, rule: DocumentsRule, stages: Mapping[str, Stage]) -> None:
        """Compile the rule; `stages` are those of its process."""
        self.severities = frozenset({rule.severity})
        self.ground = Ground(rule, is_timed=False)
        self._rule, self._stages = rule, stages

    def find(self, rows: Rows) -> list[Finding]:
        """Give the visits that lack something."""
        rule, findings = self._rule, []
        steps = {row.fields.get(rule.stage) for row in rows.of(rule.record)} if rule.record else set()
        told = (row.fields.get(paper.field) for paper in rule.papers for row in rows.of(paper.entity))
        papers = {name for name in told if name is not None}
        if not steps and not papers:
            return []
        for row in self.ground.subjects(rows):
            for visit in rows.visits:
                stage = self._stages.get(visit.stage or "")
                if stage is None or usable(visit.finished_at) is None:
                    continue
                lacking = [name for name in stage.documents if name not in papers] if papers else []
                if steps and visit.stage not in steps:
                    lacking.append("办理记录")
                if lacking:
                    findings.append(self._finding(rows, row, visit, lacking))
        return findings

    def _finding(self, rows: Rows, row: SubjectRow, visit: Visit, lacking: list[str]) -> Finding:
        detail = "缺少" + "、".join(lacking)
        finding = self.ground.finding(rows, row, ((self._rule.severity, None),), detail=detail)
        return finding._replace(stage=visit.stage, visit=visit.visit, places=(visit.place,))
