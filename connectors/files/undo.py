"""A batch taken back: every row as it was before it, unless somebody else has changed it since.

Batches are taken back in the reverse of their order: what a later one found was this one's.

Says what was there before as one more change, so that workers, replays and other readers of the topic follow. Twice
does nothing the second time: a row whose undo stands in the topic is left as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from connectors.files.batch import BatchRefused, follow
from connectors.files.journal import Journal, Known
from connectors.files.topic_log import TopicLog, dump_offsets, load_offsets
from connectors.landing import Landing
from schemas import Columns, Origin, RowForm, TableMapping

Advance = Callable[[int], None]
_WRITTEN = "written_ts IS NOT NULL AND NOT is_undone"
TO_UNDO = f"{_WRITTEN} AND passed_by IS NULL"


@dataclass(slots=True)
class Undone:
    """What undoing did."""

    restored: int = 0
    """Rows that are as they were."""
    deleted: int = 0
    """Rows that were not there before the batch."""
    passed: tuple[str, ...] = ()
    """Keys of rows that somebody else changed since: they are left as they are. The first `MOST_NAMED`."""
    passed_count: int = 0
    later: tuple[str, ...] = ()
    """Batches of files that changed rows since, and have not been taken back."""
    unknown: int = 0
    """Rows whose past the topic no longer held: left as they are."""


MOST_NAMED = 20
"""As many keys as a person reads."""


class Undo:
    """Takes one batch back."""

    def __init__(self, mapping: TableMapping, journal: Journal, *, operator: str, src_ts: int) -> None:
        """Raises BatchRefused if the batch cannot be undone."""
        self._mapping, self._journal, self._form = mapping, journal, RowForm(mapping)
        self._batch = journal["written_as"]
        if journal["has_past"] == "0":
            raise BatchRefused(f"batch '{self._batch}' was written with --no-undo: what was there before is not known")
        self._origin = Origin(
            connector="stagewatch-file", src=journal["src"] or "manual", src_ts=src_ts, undoes=self._batch,
            operator=operator, by_arrival=True,
        )  # fmt: skip

    def look(self, log: TopicLog, advance: Advance) -> Undone:
        """Find what has to be done, from what the topic says now. Raises TryLater."""
        journal = self._journal
        for told in log.read(load_offsets(journal["ends"]), advance, high=load_offsets(journal["highs"])):
            follow(journal, told, self._form, batch=self._batch)
        journal.note(ends=dump_offsets(log.read_to), highs=dump_offsets(log.high))
        found = Undone()
        names = []
        later: set[str] = set()
        for known in journal.rows(f"{_WRITTEN} AND passed_by IS NOT NULL"):
            found.passed_count += 1
            if known.passed_by:
                later.add(known.passed_by)
            if found.passed_count <= MOST_NAMED:
                names.append(known.key)
        found.passed, found.later = tuple(names), tuple(sorted(later))
        found.unknown = journal.count(f"{TO_UNDO} AND at IS NULL") if self._is_past_cut else 0
        gone = journal.count(f"{TO_UNDO} AND image IS NULL")
        found.deleted = gone - found.unknown
        found.restored = journal.count(TO_UNDO) - gone
        return found

    @property
    def _is_past_cut(self) -> bool:
        """The topic's front had been deleted: a row that it does not tell of may have been there all the same."""
        return self._journal["begins_late"] == "1"

    def write(self, landing: Landing, advance: Advance) -> None:
        """Write what `look` found. Raises TryLater; then it may be called again after another `look`."""
        added: Columns = dict.fromkeys(filter(None, self._journal["columns"].split("\n")))
        for done, known in enumerate(self._journal.rows(TO_UNDO)):
            if known.at is None and self._is_past_cut:
                continue
            key, value = self._record(known, added)
            landing.put(self._mapping.topic, key, value, self._origin.headers)
            advance(done)
        landing.settle()
        self._journal.note(state="undone")

    def _record(self, known: Known, added: Columns) -> tuple[bytes, bytes]:
        if known.image is None:
            columns, op = known.own, "d"
        else:
            # What only the batch brought cannot be made missing again: it becomes null.
            columns = {**(added if known.is_ours else {}), **known.image}
            op = "u"
        value = self._form.record("d" if op == "d" else "u", columns, self._origin)
        return known.rec_key or self._form.key(columns), value
