"""The life of one instance again, step by step: the worker's engine over its own records and the reference data.

Called by `stagewatch instances history`, `instances get --at` and `alerts explain`. The clock follows the contract
(section 7): what falls due between two records is judged at its own time, before the later record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import msgspec

from connectors import SourceCatalog
from rules import ITEM, Definitions, Engine, Instance, Partition, Reference, Step, describe, describe_golden
from schemas import AlertEvent, BadInput, Change, Decoder, FanOut, Notice, Recorded, decoder_of
from stagewatch.progress import Advance
from stagewatch.recording import Recording, at_once


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of an instance's life: a change of one of its rows, or time that passed."""

    at: int
    """The clock, epoch ms."""
    change: Change | None
    """None: something fell due, or reference data changed."""
    is_news: bool = True
    """The change said something that was not known; else it was older than what was known, or a repeat."""
    alerts: tuple[AlertEvent, ...] = ()
    notices: tuple[Notice, ...] = ()
    reference: tuple[Change, ...] = ()
    """Changes of reference data that arrived at this moment; may be the cause."""


@dataclass(slots=True)
class Known:
    """What one instance can be judged by: its own changes and all reference data, in order of arrival."""

    changes: list[Change] = field(default_factory=list)
    records: int = 0
    is_item: bool = False
    """It is a list item: what becomes of it hangs on all applications, which are in `changes` then."""
    began: int | None = None
    """When the first of its own changes arrived, epoch ms; None: nothing is recorded about it."""


def known_of(recording: Recording, sources: SourceCatalog, key: str, progress: Advance) -> Known:
    """Give what is recorded about the instance `key`. A list item is read for twice: the second time with all others.

    Refused records are left out.
    """
    known = _read(recording, _Finder(sources, key), progress)
    return replace(_read(recording, _Finder(sources, None), progress), began=known.began) if known.is_item else known


def _read(recording: Recording, finder: _Finder, progress: Advance) -> Known:
    known = Known()
    for together in at_once(recording, lambda _error, _record: None, progress):
        for record in together:
            known.records += 1
            for change in finder.find(record):
                known.changes.append(change)
                is_own = finder.key is None or change.instance == finder.key
                if is_own and known.began is None:
                    known.began = change.at
                known.is_item |= is_own and change.entity == ITEM
    return known


class _Finder:
    """Finds what matters to one instance; decodes only what may. `key` None: everything matters."""

    def __init__(self, sources: SourceCatalog, key: str | None) -> None:
        self.key = key
        self._sources = sources
        self._decoders: dict[str, Decoder | FanOut | None] = {}
        # A key of other letters may be written as \u escapes.
        self._needles: list[tuple[bytes, ...]] = []
        if key is not None and key.isascii():  # of `billing:C1` a record holds no more than the C1
            self._needles = [(key.encode(),), *([tuple(key.encode().split(b":")[1:])] if ":" in key else [])]
        self._rows: set[str] = set()

    def find(self, record: Recorded) -> list[Change]:
        """Give the changes of a record that matter; what is refused tells nothing."""
        decoder = self._decoder(record.topic)
        if decoder is None or not (decoder.mapping.is_reference or self._may_matter(record)):
            return []
        try:
            changes = decoder.decode_all(
                key=record.key, value=record.value, headers=record.headers, timestamp=record.timestamp,
                topic=record.topic, partition=record.partition, offset=record.offset,
            )  # fmt: skip
        except BadInput:
            return []
        is_all = self.key is None or decoder.mapping.is_reference
        return changes if is_all else [own for change in changes for own in self._own(change)]

    def _decoder(self, topic: str) -> Decoder | FanOut | None:
        if topic not in self._decoders:
            mapping = self._sources.mapping_for(topic)
            self._decoders[topic] = decoder_of(mapping, schema_of=self._sources.schema_of) if mapping else None
        return self._decoders[topic]

    def _may_matter(self, record: Recorded) -> bool:
        """Tell whether the record names the instance, or the key of one of its rows (a delete may not name more)."""
        data = (record.key or b"") + (record.value or b"")
        return not self._needles or any(all(part in data for part in needle) for needle in self._needles)

    def _own(self, change: Change) -> Iterator[Change]:
        """Give the change as the instance sees it; nothing if it is about another."""
        if change.left == self.key:
            yield change.leaving()
        elif change.instance == self.key:
            yield msgspec.structs.replace(change, left="") if change.left else change
            if change.row not in self._rows:
                self._rows.add(change.row)
                self._needles += [tuple(part.encode() for part in change.row.split("|"))] if self._needles else []
        elif not change.instance and change.row in self._rows:
            yield change


class Travel:
    """One instance's way through time. Walk it once; then `state` is what it was at the end of the way."""

    def __init__(self, definitions: Definitions, sources: SourceCatalog, key: str, *, mail_domain: str) -> None:
        self.definitions = definitions
        self.key = key
        self._sources = sources
        self._reference = Reference(sources.entities(reference=True), sources.believed)
        self._engine = Engine(definitions, self._reference, mail_domain=mail_domain)
        self.partition: Partition = self._engine.new_partition(0)
        self._engine.finish_recovery(self.partition)
        self._rows: set[tuple[str, str]] = set()

    @property
    def instance(self) -> Instance | None:
        """The instance as it is by now; None before anything was known of it."""
        return self.partition.instances.get(self.key)

    def state(self) -> dict[str, Any] | None:
        """Give the instance's document as the store has it, as of now; None before anything was known of it."""
        instance = self.instance
        if instance is None:
            return None
        process = self.definitions.processes.get(instance.process or "")
        document = describe(instance)
        if process is not None:
            order = self._sources.precedence
            document["golden"] = describe_golden(instance, process.entity, precedence=order, source_of=self._source_of)
        return document

    def _source_of(self, topic: str) -> str:
        mapping = self._sources.mapping_for(topic)
        return topic if mapping is None else mapping.source

    def walk(self, changes: Iterable[Change], until: int | None = None) -> Iterator[Moment]:
        """Give what happened to the instance, in order. `changes` in order of arrival.

        Changes that arrived after `until` (epoch ms) are left out, and time passes up to and including it; None: up
        to the last change.
        """
        for at, together in groupby(changes, key=lambda change: change.at):
            if until is not None and at > until:
                break
            yield from self._arrive(at, list(together))
        if until is not None:
            yield from self._pass(until + 1)
            self._engine.advance(self.partition, until, Step())

    def _arrive(self, at: int, changes: Sequence[Change]) -> Iterator[Moment]:
        entities = self._reference.entities
        yield from self._pass(at)
        reference = tuple(change for change in changes if change.entity in entities)
        for change in reference:
            self._reference.add(change)
        step = Step()
        self._engine.arrive(self.partition, at, step)
        yield from self._moment(None, step, reference)
        for change in changes:
            if change.instance or change.entity not in entities:
                step = Step()
                self._engine.apply(self.partition, [change], step)
                yield from self._moment(change, step, ())

    def _pass(self, before: int) -> Iterator[Moment]:
        """Let everything happen that is due before a moment, each at its own time."""
        while (due := self.partition.next_due()) < before:
            step = Step()
            self._engine.advance(self.partition, due, step)
            yield from self._moment(None, step, ())

    def _moment(self, change: Change | None, step: Step, reference: tuple[Change, ...]) -> Iterator[Moment]:
        dropped, steps = step.dropped, [step]
        while steps[-1].votes:
            steps.append(Step())
            self._engine.apply(self.partition, steps[-2].votes, steps[-1])
        alerts = tuple(a for each in steps for a in each.alerts if a.instance == self.key)
        notices = tuple(n for each in steps for n in each.notices if n.instance == self.key)
        own = change if change is not None and self._is_own(change) else None
        if own is not None or alerts or notices:
            yield Moment(self.partition.clock, own, not dropped, alerts, notices, reference)

    def _is_own(self, change: Change) -> bool:
        """Tell whether a change is of one of the instance's rows; a delete may not name the instance."""
        if change.instance == self.key:
            self._rows.add((change.entity, change.row))
        return change.instance == self.key or (not change.instance and (change.entity, change.row) in self._rows)
