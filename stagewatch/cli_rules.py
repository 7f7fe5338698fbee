"""`stagewatch rules`: runs the tests inside definitions, draws a process."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, Group, command, output_option, settings_from, settings_option, unknown

if TYPE_CHECKING:
    from rules import LimitRow, Process
    from stagewatch.output import Output
    from stagewatch.settings import Settings

TestRow = tuple[str, int, str, bool, str]
"""file, line, name, whether it came out as said, and if not, what came out."""

rules = Group(
    name="rules",
    help="Test, draw and change the definitions.",
    members={
        "test": "stagewatch.cli_rules:test",
        "draw": "stagewatch.cli_rules:draw",
        "diff": "stagewatch.cli_rules_change:diff",
        "apply": "stagewatch.cli_rules_change:apply",
        "rollback": "stagewatch.cli_rules_change:rollback",
        "versions": "stagewatch.cli_rules_change:versions",
        "explain": "stagewatch.cli_rules_explain:explain",
        "backtest": "stagewatch.cli_backtest:backtest",
    },
)


@command(name="test", short_help="Run the tests inside all definition files.")
@settings_option
@output_option
def test(*, config: Path | None, form: str) -> int:
    """Run the `tests:` inside processes, rules, limits, calendars, templates and sources."""
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    rows = list(_results(settings_from(config, output)))
    failed = [row for row in rows if not row[3]]
    shown = rows if output.is_json else failed
    if shown:
        output.table(["file", "line", "name", "is_ok", "detail"], shown)
    if failed:
        output.error(f"{len(failed)} of {len(rows)} tests failed")
        return 1
    output.done(f"{len(rows)} tests passed")
    return 0


def _results(settings: Settings) -> Iterator[TestRow]:
    from connectors import load_sources, run_source_tests
    from rules import read_definitions, run_tests
    from schemas import DefinitionError

    loaded = read_definitions(settings.definitions)
    if loaded.faults:
        raise DefinitionError(loaded.faults)
    for result in run_tests(loaded):
        yield result.file, result.line, result.name, result.is_ok, "; ".join(result.faults)
    for sample in run_source_tests(load_sources(list(settings.sources))):
        line, detail = (sample.fault.line, sample.fault.message) if sample.fault else (1, "")
        yield sample.file, line, sample.name, sample.fault is None, detail


@command(name="draw", short_help="Draw processes: a tree here, SVG files with -o.")
@click.argument("process", required=False)
@settings_option
@click.option("-o", "--out", metavar="FILE.svg|FOLDER", type=click.Path(path_type=Path), help="Write SVG.")
def draw(*, process: str | None, config: Path | None, out: Path | None) -> None:
    """Draw PROCESS, or every process, with stages, their order, ways back, limits, actors and documents."""
    from rules import LimitFile, Process, read_definitions
    from schemas import DefinitionError
    from stagewatch.output import Output

    output = Output()
    settings = settings_from(config, output)
    loaded = read_definitions(settings.definitions)
    if loaded.faults:
        raise DefinitionError(loaded.faults)
    processes = {found.id: found for found in loaded.of(Process)}
    if process is not None and process not in processes:
        raise click.UsageError(unknown("process", process, sorted(processes)))
    rows = [row for file in loaded.of(LimitFile) if file.id == settings.limits for row in file.rows]
    wanted = [found for found in processes.values() if process in {None, found.id}]
    if out is None:
        from rules import draw_text, limit_lines

        for found in wanted:
            output.show(draw_text(found, limit_lines(rows, found.id)))
        return
    _draw_files(wanted, rows, out, output)


def _draw_files(wanted: Sequence[Process], rows: Sequence[LimitRow], out: Path, output: Output) -> None:
    from rules import draw_svg, stage_lines

    is_file = bool(out.suffix) and not out.is_dir()
    if is_file and (out.suffix != ".svg" or len(wanted) > 1):
        raise Failed(f"{out}: name a PROCESS and a .svg file, or a folder")
    if not is_file:
        out.mkdir(parents=True, exist_ok=True)
    for found in wanted:
        path = out if is_file else out / f"{found.id}.svg"
        path.write_text(draw_svg(found, stage_lines(found, rows)), encoding="utf-8")
        output.done(f"drew {path}")
