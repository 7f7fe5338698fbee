"""Changed rule books: the shipped one with a text replaced, published in a ledger as `rules apply` does."""

from collections.abc import Iterable

import msgspec

from rules import SHIPPED, Choice, Definitions, DefinitionSet, Ledger, proposed, read_definitions, restored, texts_of
from rules.loader import fit, read_text

Edit = tuple[str, str, str]
"""Definition (`limits/default`), a text in it, and what stands there instead."""
CHOICE = Choice()
SURVEY = "- {process: hv_connection, stage: SURVEY, limit: 5wd}"
TIGHT: Edit = ("limits/default", SURVEY, SURVEY.replace("5wd", "2wd"))
LOOSE: Edit = ("limits/default", SURVEY, SURVEY.replace("5wd", "20wd"))


def edited(*edits: Edit, base: DefinitionSet | None = None) -> DefinitionSet:
    """Give a set in which each text was replaced; a text that is not there is a fault of the test."""
    known = base or read_definitions([SHIPPED])
    loaded = DefinitionSet()
    for file in known.files:
        text = file.text
        for key, old, new in edits:
            if file.key == key:
                assert old in text, f"{key} does not say {old!r}"
                text = text.replace(old, new)
        read_text(text.encode(), file.path, loaded)
    fit(loaded)
    assert not loaded.faults, loaded.faults[0]
    return loaded


class Book:
    """A ledger in which sets come into effect one after the other."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.base = read_definitions([SHIPPED])

    def publish(self, *edits: Edit, at: int = 0) -> Definitions:
        """Let the shipped set with these edits come into effect; without any, the shipped one as it is."""
        loaded, current = edited(*edits), self.ledger.current
        base = self.ledger.read(current.definitions) if current else self.base
        serial = self.ledger.next_serial
        manifest = proposed(self.ledger, base, loaded, CHOICE)
        for text in (*texts_of(self.base, serial), *texts_of(loaded, serial)):
            self.ledger.put(text, at)
        self.ledger.put(msgspec.structs.replace(manifest, state="effective"), at)
        return self.ledger.definitions(manifest)

    def roll_back(self, to: int, *, at: int = 0) -> Definitions:
        """Let an earlier set come into effect again."""
        manifest = restored(self.ledger.next_serial, self.ledger.manifests[to])
        self.ledger.put(msgspec.structs.replace(manifest, state="effective"), at)
        return self.ledger.definitions(manifest)


def sets(*changes: Iterable[Edit]) -> list[Definitions]:
    """Give sets that are published one after the other, each the shipped one with its edits."""
    book = Book()
    return [book.publish(*edits) for edits in changes]
