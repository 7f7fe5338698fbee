"""One file as one batch: checked, written beside the source's own records, and able to be taken back.

The steps are the caller's to take in order: `check` (nothing is written), `look_back` (what was there before),
`write`. Each may be taken again after a crash: rows that stand in the topic already are not written twice.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from connectors.files.intake import FileRow, Intake, Titles
from connectors.files.journal import Journal, Known
from connectors.files.sheet import FOUND_OUT, Form, open_sheet
from connectors.files.topic_log import RowImage, Told, TopicLog, dump_offsets, fused, load_offsets
from connectors.landing import Landing
from schemas import (
    BEFORE_ALL,
    Op,
    Origin,
    RowForm,
    StagewatchError,
    TableMapping,
    encode_marker,
    standing,
    supersedes,
)

Advance = Callable[[int], None]
TellBad = Callable[[FileRow], None]
_HASHED = 1 << 20
_MISSING = "NOT is_ours AND image IS NOT NULL AND written_ts IS NULL"
"""Rows that the topic has and the file does not, as the journal's own columns tell it."""
_CONNECTOR = "stagewatch-file"


class BatchRefused(StagewatchError):
    """A batch that must not go on; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked of a batch."""

    path: Path
    mapping: TableMapping
    batch: str
    src_ts: int
    """When the rows were true that do not say it themselves, epoch ms. What was said since is newer and stays."""
    now_ms: int | None = None
    """When the file is taken; no row can be true later. None: at `src_ts`."""
    titles: Titles = field(default_factory=dict)
    form: Form = FOUND_OUT
    operator: str = ""
    src: str = "manual"
    is_dated: bool = False
    """`src_ts` lies in the past: what arrived since is newer and stays."""
    is_full: bool = False
    """The file is the whole table: what it lacks is deleted. Then `expected_rows` must be said."""
    is_dry: bool = False
    """It is only looked at, and nothing will be written."""
    is_history: bool = False
    expected_rows: int | None = None
    """How many rows the file must have; None: nobody said."""


@dataclass(slots=True)
class Findings:
    """What a check found."""

    rows: int = 0
    bad: int = 0
    """Rows that cannot be taken."""
    ignored: tuple[str, ...] = ()
    """Columns of the file that the table does not have."""
    nameless: dict[int, int] = field(default_factory=dict)
    """Columns of the file that hold something and have no name, from 1, to the first row where they do."""
    unread: tuple[str, ...] = ()
    """Other sheets of the workbook."""


@dataclass(slots=True)
class Written:
    """What a batch did."""

    rows: int = 0
    before: int = 0
    """Rows that stood in the topic from a run before this one."""
    older: int = 0
    """Rows that were not written because the source has said something newer."""
    deleted: int = 0
    kept: int = 0
    """Rows that a full load lacks, and that are left because the source has told of them since."""


def file_hash(path: Path) -> str:
    """Give the SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASHED):
            digest.update(chunk)
    return digest.hexdigest()


class Batch:
    """One batch and its journal."""

    def __init__(self, order: Order, journal: Journal) -> None:
        self._order, self._journal = order, journal
        self._form = RowForm(order.mapping)

    def origin(self, row_no: int = 0, src_ts: int | None = None) -> Origin:
        """Give what a record of the batch says about itself; `src_ts`: the time that its row says."""
        order = self._order
        return Origin(
            connector=_CONNECTOR, src=order.src, src_ts=order.src_ts if src_ts is None else src_ts,
            batch=order.batch, operator=order.operator, row_no=row_no,
            by_arrival=src_ts is None and not order.is_dated,
        )  # fmt: skip

    # -- 1: what is in the file

    def check(self, tell_bad: TellBad, advance: Advance) -> Findings:
        """Read the whole file; every row that cannot be taken is told with all its faults. Raises UnreadableFile."""
        findings = Findings()
        for row in self._rows(advance, findings):
            bad = row if row.faults else self._twice(row)
            if bad is None:
                findings.rows += 1
            else:
                findings.bad += 1
                tell_bad(bad)
        self._journal.commit()
        self._count(findings.rows + findings.bad)
        return findings

    def _count(self, rows: int) -> None:
        """Raise BatchRefused if the file has not as many rows as it must, or if nobody said how many those are."""
        order = self._order
        if order.expected_rows is not None and order.expected_rows != rows:
            raise BatchRefused(
                f"{order.path}: {rows} rows, and {order.expected_rows} are expected: "
                "the file is not complete; nothing was written"
            )
        if order.expected_rows is None and order.is_full and not order.is_dry:
            raise BatchRefused(
                f"{order.path}: {rows} rows, and a full load deletes what a file lacks that was cut short; "
                f"say how many it must have (--rows {rows}, or in its marker)"
            )

    def _rows(self, advance: Advance, findings: Findings | None = None) -> Iterator[FileRow]:
        order = self._order
        with open_sheet(order.path, order.form) as sheet:
            latest = order.src_ts if order.now_ms is None else order.now_ms
            intake = Intake(order.path, sheet, self._form, order.titles, now_ms=latest)
            if findings is not None:
                findings.ignored, findings.unread = tuple(intake.ignored), tuple(sheet.unread)
                findings.nameless = intake.nameless
                self._journal.note(columns="\n".join(sorted(intake.columns)))
            for number, row in enumerate(intake.rows()):
                if number % 1_000 == 0:
                    advance(sheet.done())
                yield row

    def _twice(self, row: FileRow) -> FileRow | None:
        """Take a row into the journal; gives it as a bad one if an earlier row has its key."""
        own = {name: row.columns[name] for name in self._form.identity if name in row.columns}
        earlier = self._journal.add(row.key, row.number, own)
        if earlier is None or earlier == row.number:
            return None
        name = self._order.mapping.key[0]
        return FileRow(row.number, row.cells, faults=((name, f"the same key as in row {earlier}"),))

    # -- 2: what was there before

    def look_back(self, log: TopicLog, advance: Advance) -> None:
        """Learn from the topic what stood there before each row; after a crash, what came since. Raises TryLater."""
        journal = self._journal
        for told in log.read(load_offsets(journal["ends"]), advance, high=load_offsets(journal["highs"])):
            self._follow(told)
        if not journal["ends"]:
            journal.note(begins_late=int(log.begins_late()))
        journal.note(ends=dump_offsets(log.read_to), highs=dump_offsets(log.high))

    def _follow(self, told: Told) -> None:
        """Take in what the topic tells about a row of the batch."""
        follow(self._journal, told, self._form, batch=self._order.batch, takes_all=self._order.is_full)

    # -- 3: into the topic

    def write(self, landing: Landing, log: TopicLog | None, advance: Advance) -> Written:
        """Write every good row; for a full load also the deletes, once its count is right. Raises TryLater."""
        order, written = self._order, Written()
        if order.is_full:
            self._mark(landing, "start", self._journal.count("is_ours"))
        for row in self._rows(advance):
            self._write_row(landing, row, written)
        landing.settle()
        if order.is_full and log is not None:
            self._mark(landing, "end", written.rows + written.before)
            landing.settle()
            self._delete_missing(landing, log, written)
        self._journal.note(state="done", rows=written.rows + written.before, deleted=written.deleted)
        return written

    def missing(self) -> int:
        """Count the rows of the topic, as far as it was looked back, that a full load lacks and would delete."""
        return self._journal.count(self._is_deleted)

    @property
    def _is_deleted(self) -> str:
        """What a full load deletes: what was last told of before it was true, in the journal's columns."""
        return f"{_MISSING} AND at <= {int(self._order.src_ts)}"

    def _mark(self, landing: Landing, kind: str, rows: int) -> None:
        origin = self.origin()
        value = encode_marker("start" if kind == "start" else "end", rows, origin)
        landing.put(self._order.mapping.topic, origin.batch.encode(), value, origin.headers)

    def _write_row(self, landing: Landing, row: FileRow, written: Written) -> None:
        known = None if row.faults else self._journal.get(row.key)
        if known is None or known.row_no != row.number:
            return  # bad, and told as such
        if known.written_ts is not None:
            written.before += 1
            return
        src_ts = self._order.src_ts if row.src_ts is None else row.src_ts
        is_dated = self._order.is_dated or row.src_ts is not None
        if known.passed_by is not None or (is_dated and known.at is not None and known.at > src_ts):
            self._journal.learn(known._replace(passed_by=""))
            written.older += 1
            return
        origin = self.origin(row.number, row.src_ts)
        op: Op = "r" if self._order.is_history else "u"
        key = known.rec_key or self._form.key(row.columns)
        landing.put(self._order.mapping.topic, key, self._form.record(op, row.columns, origin), origin.headers)
        written.rows += 1

    def _delete_missing(self, landing: Landing, log: TopicLog, written: Written) -> None:
        """Delete what the full load lacks, after reading back that all of it stands in the topic."""
        self.look_back(log, lambda _done: None)
        arrived, sent = self._journal.count("is_ours AND written_ts IS NOT NULL"), written.rows + written.before
        if arrived != sent:
            raise BatchRefused(f"{arrived} of {sent} rows arrived; nothing was deleted; run the same command again")
        written.kept = self._journal.count(_MISSING) - self.missing()
        for known in self._journal.rows(self._is_deleted):
            origin = self.origin()
            columns = {**(known.image or {}), **known.own}
            key = known.rec_key or self._form.key(columns)
            landing.put(self._order.mapping.topic, key, self._form.record("d", columns, origin), origin.headers)
            written.deleted += 1
        landing.settle()


def follow(journal: Journal, told: Told, form: RowForm, *, batch: str, takes_all: bool = False) -> None:
    """Take in what the topic tells about one row: before the batch, of the batch itself, or after it.

    `takes_all`: also rows that the batch does not have (a full load will delete them).
    """
    key = told.change.row
    known = journal.get(key)
    if known is None:
        if not takes_all:
            return
        known = Known(key, None, {}, False, None, BEFORE_ALL, None, None, None, None, False)  # noqa: FBT003 - a plain row
    origin = told.origin
    if origin is not None and origin.undoes == batch:
        journal.learn(known._replace(is_undone=True))
    elif origin is not None and origin.batch == batch:
        journal.learn(_moved(known, told)._replace(written_ts=origin.src_ts, rec_key=told.record.key))
    elif known.written_ts is not None:
        # The batch has changed the row since: what the source said before it, said again, is a repeat.
        if supersedes(told.change, known, is_later=True):
            journal.learn(_passed(_moved(known, told), told))
    else:
        before = RowImage(known.position, known.at or 0, known.image, known.order, known.said)
        image, _ = fused(before, told, form)
        journal.learn(
            known._replace(rec_key=told.record.key, position=image.position, at=image.at, image=image.columns,
                           order=image.order, said=image.said)
        )  # fmt: skip


def _moved(known: Known, told: Told) -> Known:
    """Give a row with what stands after one more change."""
    if not supersedes(told.change, known, is_later=True):
        return known
    position, order, said = standing(told.change, known)
    return known._replace(position=position, order=order, said=said)


def _passed(known: Known, told: Told) -> Known:
    """Give a row of the batch after somebody else's change: passed, or what the batch made it once more.

    The batch that passed it first, taken back, has said again what stood before: this batch's row.
    """
    origin = told.origin
    if known.passed_by and origin is not None and origin.undoes == known.passed_by:
        return known._replace(passed_by=None, written_ts=origin.src_ts)
    if known.passed_by is not None:
        return known
    return known._replace(passed_by=origin.batch if origin is not None and origin.connector == _CONNECTOR else "")
