"""The flow of a process out of what was recorded: reading it, and what is said of it as one document.

Called by `stagewatch flow`; what is measured, `rules.flow` knows. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from connectors import SourceCatalog
from rules import Definitions
from rules.flow import By, Flow, History
from schemas import BadInput, Decoder, Recorded, iso
from stagewatch.progress import Advance
from stagewatch.recording import Recording

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which cases are measured, and when."""

    process: str
    begin: int | None = None
    """Epoch ms; cases of which nothing was heard since then are left out."""
    end: int | None = None
    """Epoch ms; what arrived later is not known, and instances wait then. None: up to the last record."""
    org: str | None = None
    """A unit; those below it begin with its number."""
    rows: int = 20
    """How many of the longest-waiting instances are named."""


@dataclass(slots=True)
class Read:
    """What was read."""

    records: int = 0
    refused: int = 0
    first: int | None = None
    last: int | None = None
    """Arrival of the first and the last record, epoch ms."""


class Reader:
    """Reads a recording into the history of one process; what says nothing about it is not decoded."""

    def __init__(self, sources: SourceCatalog, history: History) -> None:
        self._sources, self._history = sources, history
        self._decoders: dict[str, Decoder | None] = {}
        self.read = Read()

    def take(self, recording: Recording, until: int | None, progress: Advance) -> None:
        """Take in what arrived up to and including `until` (epoch ms; None: everything)."""
        for record in recording.records(lambda _error, _record: self._refuse(), progress):
            if until is not None and record.timestamp > until:
                break
            self.read.records += 1
            self.read.first = self.read.first if self.read.first is not None else record.timestamp
            self.read.last = record.timestamp
            self._take(record)

    def _refuse(self) -> None:
        self.read.refused += 1

    def _take(self, record: Recorded) -> None:
        decoder = self._decoder(record.topic)
        if decoder is None:
            return
        try:
            changes = decoder.decode_all(
                key=record.key, value=record.value, headers=record.headers, timestamp=record.timestamp,
                topic=record.topic, partition=record.partition, offset=record.offset,
            )  # fmt: skip
        except BadInput:
            self._refuse()
            return
        for change in changes:
            self._history.take(change)

    def _decoder(self, topic: str) -> Decoder | None:
        if topic not in self._decoders:
            mapping = self._sources.mapping_for(topic)
            is_wanted = mapping is not None and self._history.wants(mapping.entity)
            self._decoders[topic] = (
                Decoder(mapping, schema_of=self._sources.schema_of) if mapping and is_wanted else None
            )
        return self._decoders[topic]


def flow_of(history: History, choice: Choice, at: int, progress: Advance) -> Flow:
    """Measure the chosen cases; `at` (epoch ms) is when instances wait. `progress` is told of instances."""
    flow = Flow(history.process, at, longest=choice.rows)
    for number, case in enumerate(history.cases()):
        if number % 1000 == 0:
            progress(number)
        is_of_unit = choice.org is None or (case.org_no or "").startswith(choice.org)
        if is_of_unit and (choice.begin is None or max(case.last_at, case.instance.since) >= choice.begin):
            flow.add(case)
    return flow


def history_of(definitions: Definitions, process: str) -> History:
    """Give an empty history of a process. Raises KeyError for one that is not defined."""
    return History(definitions, definitions.processes[process])


def document_of(flow: Flow, of: Document, views: Sequence[str]) -> Document:
    """Give what is asked for as JSON has it; `of` says what was read."""
    follows = flow.follows.rows()
    made: dict[str, Document] = {
        "variants": {
            "variants": flow.variants.rows(), "begins": dict(flow.follows.begins), "ends": dict(flow.follows.ends),
        },
        "durations": {f"by_{by}": flow.durations.rows(by) for by in By},
        "rework": {"stages": flow.reworks.rows(), "ways_back": [row for row in follows if row.is_back]},
        "waiting": {"now": flow.waits.rows(), "longest": flow.waits.longest(), "between": follows},
        "conformance": {
            "fitness": flow.conformance.fitness(), "misfits": flow.conformance.misfits,
            "deviations": flow.conformance.deviations,
        },
    }  # fmt: skip
    titles = {code: stage.title for code, stage in flow.process.stages.items()}
    whole = {"of": {**of, **asdict(flow.totals), "stages": titles}}
    return whole | {view: said(made[view]) for view in views}


def said(value: Any) -> Any:  # noqa: ANN401 - rows of any kind, and what is in them
    """Give a value as JSON has it: rows as objects, fields that end in `_at` as ISO 8601."""
    if is_dataclass(value) and not isinstance(value, type):
        fields = {name: getattr(value, name) for name in value.__dataclass_fields__}
        return {name: _time(each) if _is_time(name) else said(each) for name, each in fields.items()}
    if isinstance(value, dict):
        return {str(name): said(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [said(each) for each in value]
    if hasattr(value, "__struct_fields__"):  # msgspec's: a place
        return {name: getattr(value, name) for name in value.__struct_fields__}
    return value


def _is_time(name: str) -> bool:
    return name == "at" or name.endswith("_at")


def _time(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
