"""Backtest: what a change of the definitions would have meant over recorded history, with the worker's own engine.

Records are decoded once; then both versions judge the same changes, each share of the instances in a process of its
own. Called by `stagewatch rules backtest`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from schemas import Recorded
from stagewatch.backtest_decode import Decoded, ShareDecoder, ShareFiles
from stagewatch.backtest_judge import Both, judge_share, merged
from stagewatch.backtest_values import judge_values
from stagewatch.backtest_versions import Books, Versions, load_versions
from stagewatch.recording import Recording, at_once
from stagewatch.settings import Settings

PIECE = 4_000
"""Records that a process decodes at a time: some 100 ms of work, beside which handing them over costs little."""
AHEAD = 3
"""Pieces per process that wait to be decoded or written; more would only fill memory."""
LOOK_S = 0.2
"""How often the bar moves while others judge."""


Told = Callable[[float], None]
"""Told how far the whole is: 0 to 1."""
READING = 0.4
"""Share of the time that reading and decoding take."""


@dataclass(slots=True)
class Counts:
    """What was read."""

    records: int = 0
    changes: int = 0
    refused: int = 0
    first: int | None = None
    """Arrival of the first record, epoch ms; None: there was none."""
    last: int | None = None
    """Arrival of the last record."""


@dataclass(slots=True)
class Backtest:
    """A backtest with `jobs` processes; 1: in this one."""

    settings: Settings
    books: Books
    versions: Versions
    jobs: int = 1
    counts: Counts = field(default_factory=Counts)

    def run(self, recording: Recording, *, until: int | None, progress: Told) -> Both:
        """Give what both versions raised.

        Records that arrived after `until` (epoch ms) are left out, and time passes up to it; None: up to the last
        record. A folder for temporary files takes about a third of what the records take.
        """
        with TemporaryDirectory(prefix="stagewatch-") as folder:
            done = get_context("spawn").Array("q", self.jobs)
            with self._pool(done, recording.topics(), progress) as pool:
                paths = self._decode(pool, Path(folder), self._pieces(recording, until, progress))
                end = until if until is not None else self.counts.last or 0
                tasks = [pool.submit(_judge, number, path, end) for number, path in enumerate(paths)]
                while wait(tasks, LOOK_S).not_done:
                    progress(self._judged(sum(done[:])))
                both = merged(task.result() for task in tasks)
            judge_values(both, paths[0], self.versions, end, mail_domain=self.settings.mail_domain)
            return both

    def _pool(
        self,
        done: Any,  # noqa: ANN401 - an array of multiprocessing
        topics: Collection[str],
        progress: Told,
    ) -> Executor:
        """Give who does the work: processes of our own making, or this one."""
        shared = Shared(self.settings, frozenset(topics), self.jobs)
        if self.jobs == 1:
            _Worker.here = _Worker(self.versions, shared, lambda _, count: progress(self._judged(count)))
            return _Here()
        start = (shared, self.books, done)
        return ProcessPoolExecutor(self.jobs, get_context("spawn"), initializer=_start, initargs=start)

    def _decode(self, pool: Executor, folder: Path, pieces: Iterator[list[Recorded]]) -> list[Path]:
        files = ShareFiles(folder, self.jobs)
        with closing(files):
            waiting: deque[Future[Decoded]] = deque()
            for piece in pieces:
                waiting.append(pool.submit(_decode, piece))
                if len(waiting) > AHEAD * self.jobs:
                    self._keep(waiting.popleft().result(), files)
            while waiting:
                self._keep(waiting.popleft().result(), files)
        return files.paths

    def _judged(self, changes: int) -> float:
        """Give how far the whole is; reference data is judged in every share, so it may seem to be more."""
        return READING + (1 - READING) * min(changes / max(self.counts.changes, 1), 1)

    def _keep(self, decoded: Decoded, files: ShareFiles) -> None:
        self.counts.records += decoded.records
        self.counts.changes += decoded.changes
        self.counts.refused += decoded.refused
        files.write(decoded.pieces)

    def _pieces(self, recording: Recording, until: int | None, progress: Told) -> Iterator[list[Recorded]]:
        """Give the records in pieces; those of one moment are never parted."""

        def refuse(*_: object) -> None:
            self.counts.refused += 1

        total = max(recording.total, 1)
        piece: list[Recorded] = []
        for together in at_once(recording, refuse, lambda read: progress(READING * read / total)):
            at = together[0].timestamp
            if until is not None and at > until:
                break
            self.counts.first = at if self.counts.first is None else self.counts.first
            self.counts.last = at
            piece += together
            if len(piece) >= PIECE:
                yield piece
                piece = []
        if piece:
            yield piece


class _Here(Executor):
    """Does each task at once, in this process."""

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - any task
        """Do the task; what it raises is raised here."""
        future: Future[Any] = Future()
        future.set_result(task(*args, **kwargs))
        return future


class Shared(NamedTuple):
    """What all processes are told."""

    settings: Settings
    topics: frozenset[str]
    """Of which there are records."""
    shares: int


class _Worker:
    """What one process needs for its tasks; made once in each."""

    here: _Worker

    def __init__(self, versions: Versions, shared: Shared, told: Callable[[int, int], None]) -> None:
        self.versions, self.mail_domain, self.told = versions, shared.settings.mail_domain, told
        followed = {*versions.running.by_entity, *versions.changed.by_entity}
        self.decoder = ShareDecoder(
            versions.sources.captured(shared.topics).told(followed), shared.shares, versions.left_out
        )


def _start(shared: Shared, books: Books, done: Any) -> None:  # noqa: ANN401 - as above
    """Make a process ready."""
    _Worker.here = _Worker(load_versions(shared.settings, books), shared, done.__setitem__)


def _decode(records: Sequence[Recorded]) -> Decoded:
    return _Worker.here.decoder.decode(records)


def _judge(number: int, path: Path, until: int) -> Both:
    worker = _Worker.here
    return judge_share(
        path, worker.versions, until, mail_domain=worker.mail_domain, told=lambda count: worker.told(number, count)
    )
