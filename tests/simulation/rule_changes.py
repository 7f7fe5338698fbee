"""Rules that change while a world runs: sets that come into effect at some moment, and say the same of every alert.

Titles and a stage's name change, so that every alert is the same and shows by its version which set judged it; all
instances are taken up, some of them keep the process that they began with.
"""

import random
from functools import lru_cache

import msgspec

from rules import Definitions, Engine, Manifest, Reference, encode_record, proposed, texts_of
from rules.versions import Record
from streams.definitions import RuleBook
from streams.logic import SourcePartition
from streams.topics import TopicNames
from tests.helpers.builders import shipped
from tests.helpers.rulebooks import CHOICE, Book, Edit, edited

SOURCE = SourcePartition(TopicNames("sim").definitions, 0)
TITLE: Edit = ("rules/connection", "    title: ", "    title: 新")
STAGE: Edit = ("process/hv_connection", "title: 供电方案编制,", "title: 方案编制,")
SETS: tuple[tuple[Edit, ...], ...] = ((TITLE,), (TITLE, STAGE))
WATCHED, VERSIONS = "R-T", (1, 2)
"""How the rules begin whose titles change with the first set; their version before and after."""


@lru_cache
def publications() -> tuple[tuple[tuple[bytes, bytes], ...], ...]:
    """Give key and value of the records by which each set comes into effect."""
    book, found = Book(), []
    for serial, edits in enumerate(SETS, start=1):
        current = book.ledger.current
        base = book.ledger.read(current.definitions) if current else book.base
        loaded = edited(*edits)
        manifest = msgspec.structs.replace(proposed(book.ledger, base, loaded, CHOICE), state="effective")
        records: list[Record] = [*texts_of(base, serial), *texts_of(loaded, serial), manifest]
        for record in records:
            book.ledger.put(record, 0)
        found.append(tuple((record.key.encode(), encode_record(record)) for record in records))
        compiled(serial, book)
    return tuple(found)


_COMPILED: dict[int, Definitions] = {}


def compiled(serial: int, book: Book | None = None) -> Definitions:
    """Give a set ready to judge by; every worker of every world loads the same ones, so they are made once."""
    if serial not in _COMPILED and book is not None:
        _COMPILED[serial] = book.ledger.definitions(book.ledger.manifests[serial])
    return _COMPILED[serial]


def moments(seed: int, first: int, last: int) -> list[int]:
    """Give when the sets come into effect in a world, epoch ms: in every other world none does."""
    rng = random.Random(f"rules-{seed}")
    return sorted(rng.randint(first, last) for _ in SETS) if rng.random() < 0.5 else []


class SimulatedBook(RuleBook):
    """A book that takes compiled sets from the shelf."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        super().__init__(Engine(shipped(), reference))

    def load(self, manifest: Manifest) -> None:
        self._engines[manifest.serial] = Engine(compiled(manifest.serial), self._reference)
