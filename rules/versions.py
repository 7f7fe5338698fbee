"""Versions of the rule book: what a published set is, what follows from a change, and how it is made ready again.

A set is a manifest (which text of which definition, by digest) and the texts. Texts never change under their key, so
every set that was ever published can be made again. Pure: `stagewatch rules apply` writes the records, workers read
them (`streams.definitions`); both hold them in a `Ledger`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec
from pydantic import BaseModel

from rules.cascade import CascadeFile
from rules.compiler import Definitions
from rules.durations import parse_duration
from rules.fingerprints import fingerprints, thresholds_of
from rules.loader import Choice, DefinitionSet, compiled, digest_of, fit, read_text
from rules.models import AppliesTo, LimitFile, Process, RuleFile, TemplateFile
from rules.thresholds import own_code
from schemas import BadInput, DefinitionError, Fault

State = Literal["proposed", "effective", "withdrawn"]
Digests = dict[str, str]
"""Definition (`kind/id`) to the digest of its text."""


class Definition(msgspec.Struct, frozen=True, kw_only=True, tag="definition", tag_field="record"):
    """One text of one definition. Its key names both, so nothing ever replaces it."""

    kind: str
    id: str
    version: int
    """Serial of the manifest that it was published with first."""
    digest: str
    applies_to: AppliesTo
    text: str

    @property
    def key(self) -> str:
        """The record's key."""
        return f"{self.kind}/{self.id}@{self.digest}"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, tag="manifest", tag_field="record"):
    """One complete set."""

    serial: int
    state: State
    definitions: Digests
    holds: dict[str, Digests]
    """What instances go on with that began before a change for new ones only, by the serial of that change."""
    limits: str
    calendar: str
    orphan_after: str | None = None
    rule_versions: dict[str, int] = {}
    """By code, where it is not what the file says: the serial at which the rule, or a limit of it, changed last."""
    held_versions: dict[str, dict[str, int]] = {}
    """The same of what instances go on with, by the serial of the change: where it is not what `rule_versions` says."""
    note: str = ""
    """Why, in the words of who published it; of one that was withdrawn, why that."""
    at: str = ""
    """When this state was written, ISO 8601."""

    @property
    def key(self) -> str:
        """The record's key: the next state replaces the one before."""
        return f"manifest/{self.serial:06}"

    @property
    def digest(self) -> str:
        """Name what the set says, whichever serial it has."""
        held = [sorted((edition, sorted(v.items())) for edition, v in self.held_versions.items())]
        return digest_of(repr([self.content, sorted(self.rule_versions.items()), *(held if held[0] else [])]))

    @property
    def content(self) -> tuple[object, ...]:
        """Give what makes two sets the same for whoever publishes one."""
        holds = sorted((edition, sorted(kept.items())) for edition, kept in self.holds.items())
        return sorted(self.definitions.items()), holds, self.limits, self.calendar, self.orphan_after

    @property
    def choice(self) -> Choice:
        """Give what is chosen among the definitions."""
        after = parse_duration(self.orphan_after) if self.orphan_after else None
        return Choice(
            limits=self.limits, calendar=self.calendar, orphan_after=after, rule_versions=self.rule_versions
        )  # fmt: skip


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer", tag_field="record"):
    """What one worker says of a manifest: it can load it or not; then, that its partitions judge by it."""

    serial: int
    worker: str
    state: Literal["accepted", "refused", "taken"]
    faults: tuple[str, ...] = ()
    partitions: tuple[int, ...] = ()
    """Of `taken`."""
    seconds: float = 0.0
    """Of `taken`: from the news that it is effective to the last commit under it."""

    @property
    def key(self) -> str:
        """The record's key: of each worker its last word."""
        return f"answer/{self.serial:06}/{self.worker}"


Record = Definition | Manifest | Answer
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """Give a record's bytes."""
    return msgspec.json.encode(record)


def decode_record(value: bytes) -> Record:
    """Undo `encode_record`; raises BadInput for what is none: anybody may write into a topic."""
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput("not-a-definition", str(error)) from error


@dataclass(slots=True)
class Ledger:
    """All that was published: texts, manifests and what workers said of them."""

    texts: dict[str, Definition] = field(default_factory=dict)
    manifests: dict[int, Manifest] = field(default_factory=dict)
    effective_at: dict[int, int] = field(default_factory=dict)
    """Serial to when its set came into effect: the time of the record that said so, epoch ms."""
    answers: dict[int, dict[str, Answer]] = field(default_factory=dict)
    known_codes: Mapping[str, Mapping[str, Collection[str]]] = field(default_factory=dict)
    """Those of the reader's own sources (`Choice.known_codes`): not published, but judged by."""

    def put(self, record: Record, at: int) -> None:
        """Take a record in that was written at `at`."""
        match record:
            case Definition():
                self.texts[record.key] = record
            case Manifest():
                self.manifests[record.serial] = record
                if record.state == "effective":
                    self.effective_at.setdefault(record.serial, at)
            case Answer():
                self.answers.setdefault(record.serial, {})[record.worker] = record

    @property
    def current(self) -> Manifest | None:
        """The set that is in effect; None if none was ever published."""
        return self.manifests[max(self.effective_at)] if self.effective_at else None

    def following(self, serial: int) -> int | None:
        """Give the serial of the set that came into effect after another; None if none has yet."""
        return min((other for other in self.effective_at if other > serial), default=None)

    @property
    def next_serial(self) -> int:
        """A serial that no manifest has had."""
        return max(self.manifests, default=0) + 1

    def read(self, digests: Mapping[str, str]) -> DefinitionSet:
        """Give the files of a set, with the faults of those that cannot be read."""
        loaded = DefinitionSet()
        for key, digest in sorted(digests.items()):
            text = self.texts.get(f"{key}@{digest}")
            if text is None:
                loaded.faults.append(Fault(key, 1, 1, f"the topic does not have its text {digest}"))
            else:
                read_text(text.text.encode(), key, loaded)
        return loaded

    def definitions(self, manifest: Manifest) -> Definitions:
        """Give a published set ready to judge by. Raises DefinitionError with every fault."""
        loaded = self.read(manifest.definitions)
        fit(loaded)
        if loaded.faults:
            raise DefinitionError(loaded.faults)
        choice = replace(manifest.choice, known_codes=self.known_codes)
        newest = compiled(loaded, choice)
        held = {}
        for edition, kept in manifest.holds.items():
            older = self.read({**manifest.definitions, **kept})
            older.faults += _lacking_texts(older)
            if older.faults:
                raise DefinitionError(older.faults)
            versions = {**choice.rule_versions, **manifest.held_versions.get(edition, {})}
            processes = compiled(older, replace(choice, rule_versions=versions)).processes
            for name in _touched(kept, [loaded, older]) & processes.keys() & newest.processes.keys():
                held[name, int(edition)] = processes[name]
        return replace(newest, held=held, serial=manifest.serial, digest=manifest.digest)


def _lacking_texts(loaded: DefinitionSet) -> list[Fault]:
    """Give the rules that instances go on with although a newer set has no words for them."""
    known = {name for file in loaded.of(TemplateFile) for name in file.templates}
    return [
        file.places.fault(
            ("rules", index, "text"), f"running instances keep this rule: template {rule.text!r} must stay"
        )
        for file in loaded.files
        if isinstance(file.model, RuleFile)
        for index, rule in enumerate(file.model.rules)
        if rule.text not in known
    ]


def _touched(kept: Mapping[str, str], sets: Iterable[DefinitionSet]) -> set[str]:
    """Give the processes that definitions are about, in any of the sets."""
    everything = list(sets)
    models = [file.model for loaded in everything for file in loaded.files if file.key in kept]
    names = {name for model in models for name in _processes_of(model)}
    return names | {p.id for loaded in everything for p in loaded.of(Process) if p.is_among(names)}


def _processes_of(model: BaseModel) -> set[str]:
    if isinstance(model, Process):
        return {model.id}
    if isinstance(model, RuleFile):
        return {name for rule in model.rules for name in rule.processes}
    return {row.process for row in model.rows} if isinstance(model, LimitFile) else set()


# -- what follows from a change


def digests_of(loaded: DefinitionSet) -> Digests:
    """Give what a manifest says of a set."""
    return {file.key: file.digest for file in loaded.files}


def texts_of(loaded: DefinitionSet, serial: int) -> list[Definition]:
    """Give the texts of a set as they are published with a manifest."""
    return [
        Definition(
            kind=file.key.partition("/")[0], id=file.key.partition("/")[2], version=serial, digest=file.digest,
            applies_to=_applies_to(file.model), text=file.text,
        )
        for file in loaded.files
    ]  # fmt: skip


def _applies_to(model: BaseModel) -> AppliesTo:
    """Calendars, words and indicators have no instances that could keep them: they are for all."""
    return model.applies_to if isinstance(model, Process | RuleFile | LimitFile) else "running"


def proposed(ledger: Ledger, base: DefinitionSet, changed: DefinitionSet, choice: Choice) -> Manifest:
    """Give the manifest of a changed set, the next of the ledger.

    `base` is what is judged by now: the set in effect, or what the workers' folders have if nothing was published.
    """
    serial, current = ledger.next_serial, ledger.current
    manifest = Manifest(
        serial=serial, state="proposed", definitions=digests_of(changed), limits=choice.limits,
        calendar=choice.calendar, orphan_after=str(choice.orphan_after) if choice.orphan_after else None,
        holds=_holds(serial, current.holds if current else {}, base, changed),
        rule_versions=_rule_versions(serial, current.rule_versions if current else {}, base, changed, choice.limits),
    )  # fmt: skip
    return msgspec.structs.replace(manifest, held_versions=_held_versions(ledger, manifest, base, changed))


def _holds(
    serial: int, known: Mapping[str, Digests], base: DefinitionSet, changed: DefinitionSet
) -> dict[str, Digests]:
    """Give what running instances keep: what changed for new ones only stays as it was when they began."""
    holds: dict[str, Digests] = {str(serial): {}, **{edition: dict(kept) for edition, kept in known.items()}}
    new = {file.key: file for file in changed.files}
    for key, digest in digests_of(base).items():
        file = new.get(key)
        if file is not None and file.digest == digest:
            continue
        for kept in holds.values():
            if file is not None and _applies_to(file.model) == "new":
                kept.setdefault(key, digest)
            else:
                kept.pop(key, None)
    return {edition: kept for edition, kept in sorted(holds.items()) if kept}


def _rule_versions(
    serial: int, known: Mapping[str, int], base: DefinitionSet, changed: DefinitionSet, limits: str
) -> dict[str, int]:
    """Give the versions of rules that changed, or whose limits did, since the files were read first."""
    before, after = fingerprints(base, limits), fingerprints(changed, limits)
    versions: dict[str, int] = {}
    for code, (said, print_) in after.items():
        was_said, was = before.get(code, (said, print_))
        version = max(known.get(code, was_said), said)
        if print_ != was:
            version = max(serial, said, max(known.get(code, 0), was_said) + 1)
        if version != said:
            versions[code] = version
    return versions


def _held_versions(
    ledger: Ledger, manifest: Manifest, base: DefinitionSet, changed: DefinitionSet
) -> dict[str, dict[str, int]]:
    """Give by which versions rules judge what goes on as it began: one rises when the rule changes for that, too."""
    current, limits = ledger.current, manifest.limits
    texts = {key: text.text for key, text in ledger.texts.items()}
    texts |= {f"{file.key}@{file.digest}": file.text for file in base.files}
    found: dict[str, dict[str, int]] = {}
    for edition, kept in manifest.holds.items():
        known = {**current.rule_versions, **current.held_versions.get(edition, {})} if current else {}
        before = fingerprints(_keeping(base, current.holds.get(edition, {}) if current else {}, texts), limits)
        for code, (said, print_) in fingerprints(_keeping(changed, kept, texts), limits).items():
            was_said, was = before.get(code, (said, ""))
            version = known.get(code, was_said)
            if print_ == was and version != manifest.rule_versions.get(code, said):
                found.setdefault(edition, {})[code] = version
    return found


def _keeping(loaded: DefinitionSet, kept: Digests, texts: Mapping[str, str]) -> DefinitionSet:
    """Give a set with what is kept in place of what there is now; of a text that is lost nothing is known."""
    found = DefinitionSet(list(loaded.files))
    for name in [f"{key}@{digest}" for key, digest in kept.items()]:
        if name in texts:
            read_text(texts[name].encode(), name, found)
    return found


def rule_versions(loaded: DefinitionSet, known: Mapping[str, int]) -> dict[str, int]:
    """Give the version of each rule as alerts show it; `known` has those that are not as the file says."""
    said = {rule.code: rule.version for file in loaded.of(RuleFile) for rule in file.rules}
    judged = {t.indicator for file in loaded.of(RuleFile) for rule in file.rules for t in thresholds_of(rule)}
    of_units = [t for file in loaded.of(CascadeFile) for t in file.thresholds if t.indicator not in judged]
    said |= {own_code(threshold): 1 for threshold in of_units}
    return {code: known.get(code, version) for code, version in sorted(said.items())}


def restored(serial: int, manifest: Manifest) -> Manifest:
    """Give the manifest by which an earlier set comes into effect again, with the versions that its rules had."""
    return msgspec.structs.replace(
        manifest, serial=serial, state="proposed", note=f"rollback to {manifest.serial}", at=""
    )
