"""What `stagewatch ingest file`, `undo` and `list` do: the steps of a batch, and what is said about them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from connectors import Landing, SourceCatalog, existing_topics, load_sources
from connectors.files import (
    FOLDER,
    Batch,
    BatchRefused,
    BusyBatch,
    FileRow,
    Form,
    Journal,
    Order,
    Rejects,
    Titles,
    TopicLog,
    Undo,
    UnreadableFile,
    Written,
    file_hash,
    open_sheet,
)
from schemas import TableMapping, TryLater, iso
from stagewatch.cli import Failed, bootstrap_of, moment, unknown
from stagewatch.output import Output, Value
from stagewatch.progress import progress_bar
from stagewatch.settings import Settings

MOST_SHOWN = 50
"""Bad cells that are shown: a screen or two. All of them are counted."""
SUFFIX = ".sqlite"
DAY_MS = 86_400_000
PEEK_S = 3.0
"""How long a dry run, which needs no broker, waits for one: a broker that is there answers in less than a second."""


class AlreadyLoaded(Failed):
    """The very file was loaded before."""


class Table(NamedTuple):
    """A captured table, and what its columns are called in the business's words."""

    mapping: TableMapping
    titles: Titles


def find_table(catalog: SourceCatalog, name: str) -> Table:
    """Give the table `SOURCE.TABLE`. Raises Failed."""
    by_name = {f"{mapping.source}.{mapping.table}": mapping for mapping in catalog.mappings}
    mapping = by_name.get(name.lower())
    if mapping is None:
        raise Failed(unknown("table", name, sorted(by_name)))
    titles: dict[str, list[str]] = {}
    for file in (file for file in catalog.files if file.model.source.lower() == mapping.source):
        for table in (table for name, table in file.model.tables.items() if name.lower() == mapping.table):
            for column_name, column in table.columns.items():
                titles.setdefault(column.title, []).append(column_name.lower())
    titles.pop("", None)
    return Table(mapping, titles)


class FileLoad:
    """One `ingest file`."""

    def __init__(self, settings: Settings, output: Output, path: Path, chosen: Mapping[str, Any]) -> None:
        """`chosen`: the command's options by name."""
        self._settings, self._output, self._path, self._chosen = settings, output, path, chosen
        catalog = load_sources(list(settings.sources), settings.dialect_overrides)
        self._table = find_table(catalog, str(chosen["table"]))
        self._hash = file_hash(path)
        mapping = self._table.mapping
        self._batch = str(chosen.get("batch") or f"{mapping.source}.{mapping.table}-{self._hash[:12]}")
        self._bad_shown, self._first_bad = 0, ""
        self.report: dict[str, Value] = {"batch": self._batch}
        """What has been done, for machines."""

    def run(self) -> bool:
        """Do all of it; whether it was done. Raises the errors of `connectors.files`."""
        path = journal_path(self._settings.data_dir, self._batch)
        if self._chosen["dry_run"]:
            path = path.with_suffix(".dry-run")
            path.unlink(missing_ok=True)
        try:
            with Journal(path) as journal:
                self._begin(journal)
                return self._load(journal)
        finally:
            if self._chosen["dry_run"]:
                for each in path.parent.glob(f"{path.name}*"):
                    each.unlink()

    def _begin(self, journal: Journal) -> None:
        """Start the batch, or go on with it. Raises Failed if it is another, or done."""
        state = journal["state"]
        if state and journal["hash"] != self._hash:
            raise Failed(f"batch '{self._batch}' is of another file, {journal['file']}; choose another --batch")
        if state == "done" and self._chosen.get("src") == "etl" and not self._is_latest():
            state = "undone"  # a schedule brings yesterday's content again after another's: it holds again
        if state == "done":
            raise AlreadyLoaded(
                f"batch '{self._batch}' was loaded already, {iso(int(journal['src_ts']))}; "
                f"`stagewatch ingest undo {self._batch}` takes it back, --batch ID loads it again"
            )
        if state in ("", "checked", "refused", "undone"):
            again = int(journal["again"] or 0) + (state == "undone")
            journal.clear()
            mapping = self._table.mapping
            journal.note(
                batch=self._batch, again=again, written_as=f"{self._batch}~{again}" if again else self._batch,
                hash=self._hash, file=str(self._path), table=f"{mapping.source}.{mapping.table}",
                src_ts=self._src_ts(), operator=self._chosen["operator"], src=self._chosen.get("src", "manual"),
                has_past=int(not self._chosen["no_undo"]), state="checked",
            )  # fmt: skip

    def _is_latest(self) -> bool:
        """Tell whether no other batch of the table has been loaded since."""
        columns = [row for row in batches(self._settings.data_dir) if row[1] == self._batch_table and row[3] == "done"]
        return not columns or columns[-1][0] == self._batch

    def _src_ts(self) -> int:
        now_ms = int(time.time() * 1000)
        text = self._chosen["as_of"]
        if text is None:
            return now_ms
        at = moment(text, now_ms=now_ms, zone=self._table.mapping.column_timezone)
        if at > now_ms + DAY_MS:
            raise Failed(f"--as-of {text} is in the future: rows that come later would be held for older ones")
        return min(at, now_ms)  # today, which ends at midnight

    def _order(self, journal: Journal) -> Order:
        chosen = self._chosen
        return Order(
            path=self._path, mapping=self._table.mapping, batch=journal["written_as"], src_ts=int(journal["src_ts"]),
            titles=self._table.titles, form=self._form(), operator=str(chosen["operator"]), src=journal["src"],
            is_dated=chosen["as_of"] is not None, is_full=chosen["is_full"], is_history=chosen["is_history"],
            expected_rows=chosen["expected"],
            now_ms=int(time.time() * 1000), is_dry=chosen["dry_run"],
        )  # fmt: skip

    def _form(self) -> Form:
        chosen = self._chosen
        return Form(chosen["encoding"], chosen["delimiter"], chosen["sheet"])

    def _load(self, journal: Journal) -> bool:
        batch = Batch(self._order(journal), journal)
        if not self._is_taken(batch, journal):
            return False
        if self._chosen["dry_run"]:
            self._foretell(batch, journal.count("is_ours"))
            return True
        bootstrap = bootstrap_of(self._settings)
        self._make_topic(bootstrap)
        with TopicLog(bootstrap, self._table.mapping) as log, Landing(bootstrap) as landing:
            # What a run that was cut short has written is not written again.
            if journal["has_past"] == "1" or self._chosen["is_full"] or journal["state"] == "writing":
                with self._progress("looking back", sum(log.ends().values())) as advance:
                    batch.look_back(log, advance)
            journal.note(state="writing")
            with self._progress("writing", self._path.stat().st_size) as advance:
                written = batch.write(landing, log, advance)
        self._report(written)
        return True

    def _progress(self, what: str, total: int) -> Any:  # noqa: ANN401 - a context manager of `Advance`
        return progress_bar(self._output.err, f"{what} {self._path.name}", total)

    def _make_topic(self, bootstrap: str) -> None:
        topic = self._table.mapping.topic
        with Landing(bootstrap) as landing:
            if landing.make_topic(topic, self._settings.partitions):
                self._output.say(f"made topic {topic}: nothing captures this table yet")

    def _foretell(self, batch: Batch, rows: int) -> None:
        """Say what the batch would do, of a full load also what it would delete: exactly, where a broker answers."""
        self._output.say(f"would write {rows} rows to {self._table.mapping.topic}")
        self.report["rows"] = rows
        if self._chosen["is_full"]:
            missing = self.report["deleted"] = self._missing(batch)
            count = "the rows of it" if missing is None else f"{missing} rows of it"
            why = " (no broker answers: how many is not known)" if missing is None else ""
            self._output.say(f"would delete {count} that the file lacks{why}")
        if self._output.is_json:
            self._output.record(self.report)

    def _missing(self, batch: Batch) -> int | None:
        """Count what a full load would delete; None if no broker answers."""
        if self._settings.bootstrap is None:
            return None
        try:
            if self._table.mapping.topic not in existing_topics(self._settings.bootstrap, wait_s=PEEK_S):
                return 0  # asking for its partitions could make it
            with TopicLog(self._settings.bootstrap, self._table.mapping) as log:
                batch.look_back(log, lambda _done: None)
        except TryLater:
            return None
        return batch.missing()

    # -- the check

    def _is_taken(self, batch: Batch, journal: Journal) -> bool:
        """Check the file; whether it may be written. A refusal is noted in the journal (R-D08)."""
        try:
            is_good = self._check(batch)
        except (BatchRefused, UnreadableFile) as error:
            journal.refuse(str(error).removeprefix(f"{self._path}: "), int(time.time() * 1000))
            raise
        if not is_good:
            bad = int(str(self.report["bad"]))
            journal.refuse(f"{bad} bad rows", int(time.time() * 1000), bad=bad, first=self._first_bad)
        return is_good

    def _check(self, batch: Batch) -> bool:
        """Check the file and say what is wrong with it; whether it may be written."""
        skip_bad, rejects = self._chosen["skip_bad"], self._rejects()
        with rejects, self._progress("checking", self._path.stat().st_size) as advance:
            findings = batch.check(lambda row: self._tell_bad(row, rejects), advance)
        for name in findings.ignored:
            self._output.warn(f"column '{name}' is not one of {self._batch_table}: ignored")
        for column, row in findings.nameless.items():
            self._output.warn(f"{self._path}:{row}: column {column} has no name in the first row: it is ignored")
        if findings.unread:
            self._output.warn(f"one sheet is read, and not {', '.join(findings.unread)}; say which with --sheet")
        self.report["bad"] = findings.bad
        if findings.bad:
            more = f" (the first {MOST_SHOWN} cells are shown)" if self._bad_shown > MOST_SHOWN else ""
            self._output.error(
                f"{findings.bad} of {findings.bad + findings.rows} rows are bad: {self._bad_shown} cells{more}"
            )
            if self._chosen["is_full"]:
                self._output.error("nothing was written: a full load would delete what bad rows are about; mend them")
                return False
            if not skip_bad:
                self._output.error("nothing was written; mend the file, or --skip-bad")
                return False
            self._output.say(f"bad rows are in {rejects.path}" if not self._chosen["dry_run"] else "would skip them")
        return True

    @property
    def _batch_table(self) -> str:
        return f"{self._table.mapping.source}.{self._table.mapping.table}"

    def _rejects(self) -> Rejects:
        with open_sheet(self._path, self._form()) as sheet:
            head = list(sheet.head)
        return Rejects(self._path.with_name(f"{self._path.name}.rejects.csv"), head)

    def _tell(self, row: int, column: str, what: str) -> None:
        """Name a bad cell, as data."""
        if self._output.is_json:
            self._output.record({"file": str(self._path), "row": row, "column": column, "fault": what})
        else:
            self._output.line(f"{self._path}:{row}:{column}: {what}")

    def _tell_bad(self, row: FileRow, rejects: Rejects) -> None:
        for column, what in row.faults:
            self._bad_shown += 1
            self._first_bad = self._first_bad or f"{self._path}:{row.number}:{column}: {what}"
            if self._bad_shown <= MOST_SHOWN:
                self._tell(row.number, column, what)
        if self._chosen["skip_bad"] and not self._chosen["dry_run"]:
            rejects.add(row)

    def _report(self, written: Written) -> None:
        output, topic = self._output, self._table.mapping.topic
        if written.before:
            output.say(f"{written.before} rows stood in {topic} from an earlier run")
        if written.older:
            output.warn(f"{written.older} rows were not written: the source has said something newer")
        if written.kept:
            output.warn(f"{written.kept} rows that the file lacks were kept: the source has told of them since")
        self.report |= {
            "topic": topic, "rows": written.rows, "before": written.before, "older": written.older,
            "deleted": written.deleted, "kept": written.kept,
        }  # fmt: skip
        if output.is_json:
            output.record(self.report)
        deleted = f", deleted {written.deleted} that the file lacks" if self._chosen["is_full"] else ""
        output.done(f"wrote {written.rows} rows to {topic} as batch {self._batch}{deleted}")


def journal_path(data_dir: Path, batch: str) -> Path:
    """Give where the journal of a batch is. Raises Failed for a name that cannot be a file's."""
    if not batch or not all(char.isalnum() or char in "._-" for char in batch) or batch.startswith("."):
        raise Failed(f"'{batch}' cannot be the name of a batch: letters, digits, dots, hyphens and underscores")
    return data_dir / FOLDER / f"{batch}{SUFFIX}"


def take_back(  # noqa: PLR0913 - the command's options
    settings: Settings, output: Output, batch: str, *, operator: str, leaves: bool, is_dry: bool
) -> None:
    """Undo a batch, and say what became of its rows. Raises Failed for an unknown one.

    `leaves`: rows that a later batch changed stay as they are; else that batch must be taken back first.
    """
    path = journal_path(settings.data_dir, batch)
    if not path.exists():
        known = [row[0] for row in batches(settings.data_dir)]
        raise Failed(unknown("batch", batch, known) + f" (in {settings.data_dir / FOLDER})")
    with Journal(path) as journal:
        mapping = find_table(load_sources(list(settings.sources), settings.dialect_overrides), journal["table"]).mapping
        undo = Undo(mapping, journal, operator=operator, src_ts=int(time.time() * 1000))
        bootstrap = bootstrap_of(settings)
        with TopicLog(bootstrap, mapping) as log:
            found = undo.look(log, lambda _done: None)
        if found.later and not leaves:
            later = found.later[0].partition("~")[0]
            raise Failed(
                f"batch '{later}' has changed rows of '{batch}' since: `stagewatch ingest undo {later}` first; "
                "or --leave, which leaves those rows as they are"
            )
        for key in found.passed:
            output.line(f"{key}: changed since by somebody else, left as it is")
        if found.passed_count > len(found.passed):
            output.say(f"... {found.passed_count} such rows in all")
        if found.unknown:
            output.warn(f"{found.unknown} rows are left: {mapping.topic} no longer holds what they were before")
        counts = f"{found.restored} rows restored, {found.deleted} deleted, {found.passed_count} left"
        if output.is_json:
            output.record(
                {"batch": batch, "restored": found.restored, "deleted": found.deleted, "left": found.passed_count,
                 "unknown": found.unknown}
            )  # fmt: skip
        if is_dry:
            output.say(f"would undo {batch}: {counts}")
            return
        with Landing(bootstrap) as landing, progress_bar(output.err, "undoing", found.restored + found.deleted) as bar:
            undo.write(landing, bar)
        output.done(f"undid {batch}: {counts}")


class RefusedBatch(NamedTuple):
    """A batch that was rejected, and nothing of it written (R-D08)."""

    batch: str
    table: str
    file: str
    reason: str
    bad: int
    """Bad rows; 0 where it was refused as a whole."""
    first: str
    """The first bad cell, if one was bad, and when it was refused."""


def refused_batches(data_dir: Path) -> Iterator[RefusedBatch]:
    """Give the batches of this data folder that were refused and not loaded since, oldest first."""
    for _, facts in _journals(data_dir):
        if facts.get("state") == "refused":
            first = f"{facts['first']} {iso(int(facts['refused_at']))}".strip()
            yield RefusedBatch(facts["batch"], facts["table"], facts["file"], facts["reason"], int(facts["bad"]), first)


def batches(data_dir: Path) -> Iterator[list[Value]]:
    """Give what is known of every batch, oldest first: as the columns of `ingest list`."""
    for src_ts, facts in _journals(data_dir):
        yield [
            facts.get("batch"), facts.get("table"), iso(src_ts), facts.get("state"), int(facts.get("rows", 0)),
            int(facts.get("deleted", 0)), facts.get("operator"), facts.get("file"),
        ]  # fmt: skip


def _journals(data_dir: Path) -> list[tuple[int, dict[str, str]]]:
    """Give `src_ts` and the facts of every batch, oldest first."""
    found = []
    for path in (data_dir / FOLDER).glob(f"*{SUFFIX}"):
        try:
            with Journal(path) as journal:
                facts = journal.facts()
        except BusyBatch:
            facts = {"batch": path.stem, "state": "running", "src_ts": str(int(path.stat().st_mtime * 1000))}
        found.append((int(facts.get("src_ts", 0)), facts))
    return sorted(found, key=lambda each: each[0])
