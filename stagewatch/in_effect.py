"""The definitions in effect: what was published last, as every worker judges by it; else those of the folders.

Read by the commands that judge again what was judged before. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from connectors import SourceCatalog
from rules import Choice, Definitions, DefinitionSet, Ledger, Overlay, Setting, compiled, read_definitions
from schemas import DefinitionError, TryLater
from stagewatch.cli_replay import load_everything, sources_of
from stagewatch.output import Output
from stagewatch.rule_book import choice_of, read_ledger
from stagewatch.settings import Settings


class InEffect(NamedTuple):
    """A set of definitions, and what is chosen in it."""

    files: DefinitionSet
    choice: Choice
    published: tuple[Ledger, int] | None = None
    """Where it was published, and its serial; None: it is that of the folders."""

    def compiled(self) -> Definitions:
        """Give the definitions, ready to judge by. Raises DefinitionError."""
        if self.files.faults:
            raise DefinitionError(self.files.faults)
        return compiled(self.files, self.choice)

    def texts_for(self, process: str, began: int) -> Texts:
        """Give what an instance of a process is judged by that is known since `began` (epoch ms), as it was written."""
        ledger, serial = self.published or (Ledger(), 0)
        manifest = ledger.manifests.get(serial)
        editions = sorted(int(edition) for edition in manifest.holds) if manifest else []
        later = [edition for edition in editions if ledger.effective_at.get(edition, began) > began]
        held = ledger.definitions(manifest).held if manifest and later else {}
        edition = next((each for each in later if (process, each) in held), None)
        if manifest is None or edition is None:
            return Texts(self.files, self.published)
        kept = manifest.holds[str(edition)]
        return Texts(ledger.read({**manifest.definitions, **kept}), self.published, edition, kept)

    def as_begun(self, definitions: Definitions, began: int) -> Definitions:
        """Give the compiled definitions as they are for an instance that is known since `began` (epoch ms).

        It goes on with what it began with where a change since then was for new ones only: the first such change.
        """
        if self.published is None:
            return definitions
        ledger, serial = self.published
        manifest = ledger.manifests[serial]
        later = [int(edition) for edition in manifest.holds if ledger.effective_at.get(int(edition), began) > began]
        held = ledger.definitions(manifest).held if later else {}
        kept = {name: held[name, at] for at in sorted(later, reverse=True) for name, of in held if of == at}
        by_entity = {
            entity: tuple(kept.get(process.id, process) for process in processes)
            for entity, processes in definitions.by_entity.items()
        }
        return replace(definitions, processes=definitions.processes | kept, by_entity=by_entity)

    @property
    def zone(self) -> str:
        """The zone of the calendar that is chosen: what a time without one is said in."""
        calendars = {overlay.id: overlay for overlay in self.files.of(Overlay)}
        return (calendars.get(self.choice.calendar) or Overlay(id="any", title="")).timezone


class Texts(NamedTuple):
    """Definitions as they were written, and since when each of them counts."""

    files: DefinitionSet
    published: tuple[Ledger, int] | None
    """Where they were published, and up to which serial is looked back; None: nothing was."""
    edition: int = 0
    kept: Mapping[str, str] = {}
    """What stays as it was before this edition, for instances that began with it: definition to digest."""

    def origin(self, setting: Setting) -> Origin:
        """Give where a value was set."""
        file = next(file for file in self.files.files if file.key == setting.definition)
        since = self._since(setting.definition, file.digest)
        return Origin(setting.definition, setting.org, file.places.at(setting.place)[0], since)

    def _since(self, definition: str, digest: str) -> str | None:
        """Give when this text of the definition came into effect last; None: it never was published."""
        ledger, serial = self.published or (Ledger(), 0)
        last = self.edition - 1 if definition in self.kept else serial
        since: str | None = None
        for each in sorted(each for each in ledger.effective_at if each <= last):
            manifest = ledger.manifests[each]
            if manifest.definitions.get(definition) != digest:
                since = None
            elif since is None:
                since = f"{manifest.at} (rules {each})"
        return since


class Origin(NamedTuple):
    """Where a value comes from."""

    definition: str
    """`kind/id`."""
    unit: str | None
    """Whose template that is; None: no unit's own."""
    line: int
    since: str | None
    """When it came into effect, and by which published set; None: it never was published."""

    @property
    def said(self) -> str:
        """Say it in one phrase: `cascade/city of unit 33401, line 9, since … (rules 2)`."""
        unit = f" of unit {self.unit}" if self.unit else ""
        since = f", since {self.since}" if self.since else ""
        return f"{self.definition}{unit}, line {self.line}{since}"


class Editions:
    """All that was published, read once, and what stands in the folders."""

    def __init__(self, settings: Settings, sources: SourceCatalog) -> None:
        """Raises TryLater if the broker does not answer."""
        self._settings, self._codes = settings, sources.known_codes()
        self._ledger: Ledger | None = None
        if settings.bootstrap is not None:
            self._ledger = read_ledger(settings.bootstrap)
            self._ledger.known_codes = self._codes

    def at(self, at: int | None = None) -> InEffect:
        """Give what was in effect at a time (epoch ms; None: now)."""
        published = None if self._ledger is None else published_at(self._ledger, at)
        choice = replace(choice_of(self._settings), known_codes=self._codes)
        return published or InEffect(read_definitions(self._settings.definitions), choice)


def in_effect(settings: Settings, sources: SourceCatalog) -> InEffect:
    """Give what is in effect now. Raises TryLater if the broker does not answer."""
    return Editions(settings, sources).at()


def published_at(ledger: Ledger, at: int | None = None) -> InEffect | None:
    """Give the published set that was in effect at a time (epoch ms; None: now); None if there was none yet."""
    serials = [serial for serial, since in ledger.effective_at.items() if at is None or since <= at]
    if not serials:
        return None
    manifest = ledger.manifests[max(serials)]
    choice = replace(manifest.choice, known_codes=ledger.known_codes)
    return InEffect(ledger.read(manifest.definitions), choice, (ledger, manifest.serial))


def load_in_effect(settings: Settings, output: Output) -> tuple[Definitions, SourceCatalog]:
    """Give the definitions in effect now, and the sources; those of the folders, and a warning, without the broker.

    Raises SettingError for a choice that the folders do not have.
    """
    sources = sources_of(settings)
    try:
        found = in_effect(settings, sources)
    except TryLater as error:
        output.warn(f"{error}: judged by the definitions of the settings")
        return load_everything(settings)
    return load_everything(settings) if found.published is None else (found.compiled(), sources)
