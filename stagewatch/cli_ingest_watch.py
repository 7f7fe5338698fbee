"""`stagewatch ingest watch`: files that a schedule puts into a folder."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from stagewatch.cli import ZONE, Failed, bootstrap_of, command, settings_from, settings_option

if TYPE_CHECKING:
    from connectors.files import Arrival
    from stagewatch.output import Output
    from stagewatch.settings import Settings

POLL_S = 5.0
"""A folder costs little to look at; nobody waits for a nightly file more closely."""


def _times(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            datetime.strptime(value, "%H:%M")  # noqa: DTZ007 - a time of day
        except ValueError:
            raise click.BadParameter(f"'{value}' is no time of day; write 02:30") from None
    return values


@command(name="watch", short_help="Load files that a schedule puts into a folder.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--marker", is_flag=True, help="A file is complete only when FILE.done is beside it, however long it lies there."
)
@click.option(
    "--settle",
    "settle_s",
    metavar="SECONDS",
    type=click.FloatRange(0, 3600),
    default=30,
    show_default=True,
    help="A file without FILE.done is complete when it has not changed for so long.",
)
@click.option("--skip-bad", is_flag=True, help="Load the good rows of a file with bad ones.")
@click.option("--history", "is_history", is_flag=True, help="It is history: nobody is told of what was due before.")
@click.option("--at", "times", multiple=True, metavar="HH:MM", callback=_times,
              help="Look only at this time of day (may be repeated); by default every few seconds.")  # fmt: skip
@click.option("--once", is_flag=True, help="Load what is there and end; exit code 1 if a file failed.")
@click.option("--dry-run", is_flag=True, help="Only check what is there; nothing is written or moved.")
@settings_option
def watch_folder(*, folder: Path, times: tuple[str, ...], once: bool, config: Path | None, **chosen: Any) -> int:  # noqa: ANN401 - click's options
    """Load each complete file of FOLDER into the table that its name says: mkt.mkt_app-20260302.csv.

    FILE.done may hold the number of rows, and behind it when they were read (1200 2026-03-02T01:00:00+08:00); else the
    file's own time holds. What the source has said since then stays. SOURCE.TABLE.full-... is the whole table: rows
    that it lacks are deleted, so it needs FILE.done with its row count. Files go to done/ or failed/ in FOLDER, each
    with a report beside it. A file that was loaded once is not loaded again, also after a crash.
    """
    from stagewatch.output import Output

    output = Output()
    settings = settings_from(config, output)
    if not chosen["dry_run"]:
        bootstrap_of(settings)  # or every file would be put aside as if it were at fault
    watch = _Watch(settings, output, folder, chosen)
    if once or chosen["dry_run"]:
        return 0 if watch.look_once(chosen["settle_s"]) else 1
    output.say(f"ready: watching {folder}")
    ended = threading.Event()
    while not ended.wait(_seconds_to(times) if times else POLL_S):
        if times:
            watch.look_once(chosen["settle_s"])
        else:
            watch.look()
    return 0


def _seconds_to(times: tuple[str, ...]) -> float:
    now = datetime.now(ZoneInfo(ZONE))
    waits = []
    for text in times:
        hour, minute = map(int, text.split(":"))
        at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        waits.append(((at if at > now else at + timedelta(days=1)) - now).total_seconds())
    return min(waits)


class _Watch:
    """Works off a folder."""

    def __init__(self, settings: Settings, output: Output, folder: Path, chosen: dict[str, Any]) -> None:
        from connectors import load_sources
        from connectors.files import Arrivals

        self._settings, self._output, self._folder, self._chosen = settings, output, folder, chosen
        catalog = load_sources(list(settings.sources), settings.dialect_overrides)
        tables = frozenset(f"{mapping.source}.{mapping.table}" for mapping in catalog.mappings)
        self._arrivals = Arrivals(folder, tables, needs_marker=chosen["marker"], settle_s=chosen["settle_s"])
        self._told: set[str] = set()

    def look_once(self, settle_s: float) -> bool:
        """Work off what is complete, also what has to be looked at twice to know; whether all of it was right."""
        is_right = self.look()
        if self._arrivals.settling:
            time.sleep(settle_s)
            is_right &= self.look()
        self._tell_unmarked(0)
        return is_right

    def look(self) -> bool:
        """Work off what is complete now; whether all of it was right. A broker that is away leaves the files there."""
        from schemas import TryLater

        is_right = True
        for arrival in self._arrivals.look(time.monotonic()):
            try:
                is_right &= self._work_off(arrival)
            except TryLater as error:
                self._output.warn(f"{arrival.path.name}: {error}; the file stays, and is tried again")
                return False
        self._tell_unmarked(self._chosen["settle_s"])
        return is_right

    def _tell_unmarked(self, least_s: float) -> None:
        """Name each file once that has lain there for so long and is not taken without its marker."""
        for path, unchanged_s in self._arrivals.unmarked.items():
            if unchanged_s >= least_s and path.name not in self._told:
                self._told.add(path.name)
                self._output.say(f"{path.name}: waits for {path.name}.done with its number of rows")

    def _work_off(self, arrival: Arrival) -> bool:
        from connectors.files import DONE, FAILED, put_away
        from schemas import StagewatchError, TryLater
        from stagewatch.ingest import AlreadyLoaded, FileLoad

        output = _Said(self._output)
        report: dict[str, object] = {"file": arrival.path.name, "table": arrival.table, "full": arrival.is_full}
        try:
            load = FileLoad(self._settings, output.output, arrival.path, self._options(arrival))
            is_done = load.run()
            report |= load.report
        except AlreadyLoaded as error:
            is_done = True
            report["already"] = str(error)
        except TryLater:
            raise
        except (StagewatchError, Failed) as error:
            is_done = False
            output.output.error(str(error))
        report["done"] = is_done
        report["said"] = output.lines()
        if not self._chosen["dry_run"]:
            place = put_away(arrival.path, DONE if is_done else FAILED, report)
            self._output.say(f"{arrival.path.name}: {'done' if is_done else 'failed'}, now {place}")
        return is_done

    def _options(self, arrival: Arrival) -> dict[str, Any]:
        from schemas import iso

        chosen = self._chosen
        return {
            "table": arrival.table or arrival.path.stem, "operator": "schedule", "batch": None,
            "is_full": arrival.is_full, "src": "etl",
            "is_history": chosen["is_history"], "as_of": iso(arrival.as_of), "expected": arrival.expected_rows,
            "skip_bad": chosen["skip_bad"], "no_undo": False, "encoding": None, "delimiter": None, "sheet": None,
            "dry_run": chosen["dry_run"],
        }  # fmt: skip


class _Said:
    """An output that also keeps what it says, for the report."""

    def __init__(self, real: Output) -> None:
        import io

        from stagewatch.output import Output

        self._out, self._err, self._real = io.StringIO(), io.StringIO(), real
        self.output = Output(out=self._out, err=self._err)

    def lines(self) -> list[str]:
        """Give the lines that were said, and say them."""
        found = (self._out.getvalue() + self._err.getvalue()).splitlines()
        for line in found:
            self._real.say(line)
        return found
