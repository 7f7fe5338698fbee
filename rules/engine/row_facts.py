"""Facts about rows, true or not whatever the time: computed, out of sequence, the same person, undocumented."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

from rules.engine.computations import COMPUTATIONS
from rules.engine.computations.registry import Bound
from rules.engine.deadlines import usable
from rules.engine.row_ground import Ground, Times
from rules.engine.rows import Asked, Finding, Found, Rows, SubjectRow
from rules.models import Stage
from rules.row_models import ComputedRule, DistinctRule, DocumentsRule, SequenceRule
from rules.state import Visit
from rules.unit_parameters import OfUnit, parameters_by_unit
from schemas import Value


class ComputedFact:
    """A named computation applied to rows."""

    def __init__(self, rule: ComputedRule, grounds: SequenceOf[ComputedRule], units: SequenceOf[OfUnit]) -> None:
        """Compile the rule; `grounds` are those that it rests on, which rest on none themselves."""
        self.severities = frozenset({rule.severity})
        self.ground = Ground(rule, is_timed=False)
        self._severity = rule.severity
        asked = [Asked(other.code, other.title, other.each, ComputedFact(other, (), units).about) for other in grounds]
        computation = COMPUTATIONS[rule.function]
        self._usual = computation.bind(rule.parameters, asked)
        self._of_units = tuple((org, computation.bind(own, asked)) for org, own in parameters_by_unit(units, rule))
        self.is_timed = COMPUTATIONS[rule.function].is_timed

    def about(self, rows: Rows, row: SubjectRow) -> Found | None:
        """Give what the computation finds about one row; None too if the rule is not about it."""
        return self._compute(rows)(rows, row) if self.ground.is_about(rows, row) else None

    def _compute(self, rows: Rows) -> Bound:
        """Give the computation with the parameters that count for the unit of the instance."""
        org = rows.org_no if self._of_units else ""
        return next((bound for unit, bound in self._of_units if org.startswith(unit)), self._usual)

    def find(self, rows: Rows) -> list[Finding]:
        """Give what the computation finds about each row."""
        findings, compute = [], self._compute(rows)
        for row in self.ground.subjects(rows):
            found = compute(rows, row)
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
                further = [partial(self._earlier.places, rows, row, time) for time in dict.fromkeys(t for t, _ in hits)]
                findings.append(finding._replace(further=(*further, *finding.further)))
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
                finding = self.ground.finding(rows, row, ((self._rule.severity, None),), detail=detail)
                twice = {person for pair in same for _, person in pair}
                places = (v.place for v in rows.visits if v.stage in self._rule.stages and v.handler in twice)
                findings.append(finding._replace(places=(*finding.places, *places)))
        return findings


@dataclass(slots=True)
class _Papers:
    """What an instance's documents tell."""

    told: set[str] = field(default_factory=set)
    """Stages whose documents are told at all."""
    kinds: set[str] = field(default_factory=set)
    """Kinds that are there."""
    whole: set[Value] = field(default_factory=set)
    """Stages with a document whose kind nobody can tell, like the path of a file: it may be any of them."""

    def lacking(self, stage: Stage) -> list[str]:
        """Give the kinds that a stage requires and that are not there."""
        if stage.code not in self.told or stage.code in self.whole:
            return []
        return [kind for kind in stage.documents if kind not in self.kinds]


class Documents:
    """Stages that have ended without their documents, or without a record of their steps.

    Only what some document or step of an instance is known of is judged: the rest is kept in another system.
    """

    is_timed = False

    def __init__(self, rule: DocumentsRule, stages: Mapping[str, Stage]) -> None:
        """Compile the rule; `stages` are those of its process."""
        self.severities = frozenset({rule.severity})
        self.ground = Ground(rule, is_timed=False)
        self._rule, self._stages = rule, stages
        self._kinds = {name for stage in stages.values() for name in stage.documents}

    def find(self, rows: Rows) -> list[Finding]:
        """Give the visits that lack something."""
        rule, findings = self._rule, []
        steps = {row.fields.get(rule.stage) for row in rows.of(rule.record)} if rule.record else set()
        papers = self._papers(rows)
        if not steps and not papers.told:
            return []
        for row in self.ground.subjects(rows):
            for visit in rows.visits:
                stage = self._stages.get(visit.stage or "")
                if stage is None or usable(visit.finished_at) is None:
                    continue
                lacking = papers.lacking(stage)
                if steps and visit.stage not in steps:
                    lacking.append("办理记录")
                if lacking:
                    findings.append(self._finding(rows, row, visit, lacking))
        return findings

    def _papers(self, rows: Rows) -> _Papers:
        papers = _Papers()
        for paper in self._rule.papers:
            for row in rows.of(paper.entity):
                text = row.fields.get(paper.field)
                if not text:
                    continue
                papers.told.update(paper.stages or self._stages)
                kinds = {kind for kind in self._kinds if kind in str(text)}
                papers.kinds |= kinds
                if paper.stage is not None and not kinds:
                    papers.whole.add(row.fields.get(paper.stage))
        return papers

    def _finding(self, rows: Rows, row: SubjectRow, visit: Visit, lacking: list[str]) -> Finding:
        detail = "缺少" + "、".join(lacking)
        finding = self.ground.finding(rows, row, ((self._rule.severity, None),), detail=detail)
        return finding._replace(stage=visit.stage, visit=visit.visit, places=(visit.place,))
