"""`stagewatch rules backtest`: what a change of the definitions would have meant over recorded history."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from stagewatch.cli import Failed, command, moment, output_option, settings_from, settings_option
from stagewatch.cli_events import events_option

if TYPE_CHECKING:
    from stagewatch.backtest import Backtest
    from stagewatch.backtest_compare import Window
    from stagewatch.backtest_judge import Both
    from stagewatch.backtest_report import Report
    from stagewatch.output import Output, Value
    from stagewatch.recording import Recording


@command(name="backtest", short_help="Show which alerts a change would have raised or spared.")
@click.argument("changed", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@events_option
@click.option("--from", "begin", metavar="TIME", help="Compare alerts from then on. Left out: from the first record.")
@click.option(
    "--to", "end", metavar="TIME", help="Up to and including TIME: ISO 8601, or `now`. Left out: to the last."
)
@click.option("--limits", help="Limit template of the changed version, if it is another.")
@click.option("--calendar", help="Calendar of the changed version, if it is another.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the report as a page."
)
@click.option("--examples", type=click.IntRange(0, 100_000), default=10, show_default=True, help="Of each difference.")
@click.option("--all-rules", "is_whole", is_flag=True, help="Judge the rules that the change leaves as they are, too.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Processes. Left out: one for each processor.")
@settings_option
@output_option
def backtest(  # noqa: PLR0913 - click hands over every option
    *, changed: tuple[Path, ...], events: tuple[Path, ...], begin: str | None, end: str | None, limits: str | None,
    calendar: str | None, html: Path | None, examples: int, is_whole: bool, jobs: int | None,
    config: Path | None, form: str,
) -> None:  # fmt: skip
    """Judge recorded history twice, by the running definitions and with CHANGED, and compare the alerts.

    CHANGED are definition files or folders: each replaces the running one of its kind and id, or is added. All
    that was recorded up to --to is judged; --from only says from when on alerts are compared. A TIME without a zone
    is local to the calendar's. Nothing is written but --html.

    Running are the definitions that were published last, else those of the settings. Where CHANGED differs from them
    in rules about deadlines and their limits alone, those rules are judged and counted; the others raise the same.
    """
    from stagewatch.backtest import Backtest
    from stagewatch.backtest_html import page
    from stagewatch.backtest_report import show
    from stagewatch.backtest_versions import Change, books_of, idle_limits, load_versions
    from stagewatch.output import Output
    from stagewatch.recording import recording_of

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    change = Change(changed, limits, calendar)
    books = books_of(settings, change, is_whole=is_whole)
    versions = load_versions(settings, books)
    for name in idle_limits(change, books):
        output.warn(f"limit template `{name}` is not the one that is used; --limits {name} tries it")
    recording = recording_of(settings, events, versions.sources)
    run = Backtest(settings, books, versions, jobs or os.cpu_count() or 1)
    _say_what_is_judged(books.touched, output)
    zone, now_ms = versions.running.calendar.zone, int(time.time() * 1000)
    begin_ms, end_ms = (moment(text, now_ms=now_ms, zone=zone) if text else None for text in (begin, end))
    both = _run(run, recording, end_ms, output)
    names = [str(path) for path in change.paths], recording.name
    report = _report(run, both, _window(run, begin_ms, end_ms), examples, names)
    if html is not None:
        html.write_text(page(report), encoding="utf-8")
        output.done(f"wrote {html}")
    if output.is_json:
        output.line_of_json(cast("dict[str, Value]", report))
    else:
        show(output, report)


def _say_what_is_judged(touched: frozenset[str] | None, output: Output) -> None:
    if touched is not None:
        codes = ", ".join(sorted(touched))
        output.say(f"judging {codes}: the change leaves the other rules as they are (--all-rules judges them, too)")


def _run(run: Backtest, recording: Recording, until: int | None, output: Output) -> Both:
    from stagewatch.progress import progress_bar

    started = time.monotonic()
    with progress_bar(output.err, f"judging {recording.name} twice", 100) as bar:
        both = run.run(recording, until=until, progress=lambda share: bar(round(100 * share)))
    took = time.monotonic() - started
    rate = run.counts.records / took
    output.say(f"{run.counts.records} records judged by both versions in {took:.1f} s ({rate:.0f} a second)")
    if run.counts.refused:
        output.warn(f"{run.counts.refused} records were refused; `stagewatch replay` says why")
    return both


def _window(run: Backtest, begin: int | None, end: int | None) -> Window:
    from stagewatch.backtest_compare import Window

    if run.counts.first is None or run.counts.last is None:
        raise Failed("no record arrived by then: there is nothing to compare")
    window = Window(begin or 0, end if end is not None else run.counts.last)
    if window.begin > window.end:
        raise click.UsageError("--from lies after --to")
    return window


def _report(run: Backtest, both: Both, window: Window, examples: int, names: tuple[list[str], str]) -> Report:
    """Give the report; `names`: of the changed files, and of what was recorded."""
    from schemas import iso
    from stagewatch.backtest_compare import compare, load_of, tallied
    from stagewatch.backtest_report import Report, examples_of, sent_in_all, sent_row, tally_row
    from stagewatch.backtest_versions import rule_titles

    compared = compare(both, window)
    load = load_of(both, window, run.versions.running.calendar)
    titles = rule_titles(run.books)
    by_rule = [tally_row("rule", tally) for tally in tallied(compared, lambda alert: alert.rule)]
    return Report(
        changed=names[0], judged=None if run.books.touched is None else sorted(run.books.touched), events=names[1],
        begin=iso(max(window.begin, run.counts.first or 0)), end=iso(window.end),
        records=run.counts.records, refused=run.counts.refused,
        alerts=next((tally_row("of", tally) for tally in tallied(compared, lambda _: "all")), {}),
        by_rule=[{**row, "title": titles.get(str(row["rule"]))} for row in by_rule],
        by_org=[tally_row("org_no", tally) for tally in tallied(compared, lambda alert: alert.org_no or "")],
        by_person=[tally_row("person", tally) for tally in tallied(compared, lambda alert: alert.person or "")],
        messages=sent_in_all(load), messages_by_day=[sent_row("day", sent) for sent in load.by_day],
        messages_by_person=[sent_row("person", sent) for sent in load.by_person],
        examples=examples_of(compared, examples),
    )  # fmt: skip
