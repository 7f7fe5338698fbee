"""The definitions in effect: what was published last, as every worker judges by it; else those of the folders.

Read by the commands that judge again what was judged before. Writes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from connectors import SourceCatalog
from rules import Choice, Definitions, DefinitionSet, compiled, read_definitions
from schemas import DefinitionError
from stagewatch.rule_book import choice_of, read_ledger
from stagewatch.settings import Settings


class InEffect(NamedTuple):
    """A set of definitions, and what is chosen in it."""

    files: DefinitionSet
    choice: Choice

    def compiled(self) -> Definitions:
        """Give the definitions, ready to judge by. Raises DefinitionError."""
        if self.files.faults:
            raise DefinitionError(self.files.faults)
        return compiled(self.files, self.choice)


def in_effect(settings: Settings, sources: SourceCatalog, at: int | None = None) -> InEffect:
    """Give what was in effect at a time (epoch ms; None: now). Raises TryLater if the broker does not answer."""
    codes = sources.known_codes()
    if settings.bootstrap is not None:
        ledger = read_ledger(settings.bootstrap)
        serials = [serial for serial, since in ledger.effective_at.items() if at is None or since <= at]
        if serials:
            manifest = ledger.manifests[max(serials)]
            return InEffect(ledger.read(manifest.definitions), replace(manifest.choice, known_codes=codes))
    return InEffect(read_definitions(settings.definitions), replace(choice_of(settings), known_codes=codes))
