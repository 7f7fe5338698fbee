"""`stagewatch evaluate`: scores and ranks of units for a period, and what each point was lost by."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from stagewatch.cli import Failed, bootstrap_of, command, settings_from, settings_option, unknown
from stagewatch.cli_store import opened_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules import DefinitionSet, Evaluation, EvaluationFile, Material, Period, WorkCalendar
    from schemas import IndicatorValue
    from stagewatch.output import Output, Value
    from stagewatch.settings import Settings

TOPIC = "stagewatch.indicators"


@command(short_help="Score and rank units for a period, down to each deduction.")
@click.option("--period", "period_name", required=True, metavar="PERIOD", help="2026-W10, 2026-03, 2026-Q1 or 2026.")
@click.option("--from", "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="What `replay -o DIR` wrote. Left out: the running system's store.")  # fmt: skip
@click.option(
    "--events", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Recorded events that hold the table of units (ymd_org). Left out: the broker's, if one is set.",
)  # fmt: skip
@click.option("--org", metavar="CODE", help="Only this unit and those below it; deductions are this unit's.")
@click.option("--evaluation", "name", default="connection", show_default=True, help="Id of the evaluation.")
@click.option("--write", is_flag=True, help="Publish scores and ranks as indicators I234 and I234R.")
@click.option("--dry-run", is_flag=True, help="With --write: only say what would be published.")
@click.option("-o", "--output", "form", type=click.Choice(["table", "json", "html"]), default="table",
              help="json: one object; html: a page that needs nothing else.")  # fmt: skip
@settings_option
def evaluate(  # noqa: PLR0913 - click hands over every option
    *, period_name: str, folder: Path | None, events: tuple[Path, ...], org: str | None, name: str, write: bool,
    dry_run: bool, form: str, config: Path | None,
) -> None:  # fmt: skip
    """Evaluate all units for PERIOD on four dimensions (scale, efficiency, compliance, service).

    What is measured, weights, targets and floors stand in a definition (`version: evaluation/v1`). A unit's deductions
    add up to the points that its score lacks. Without --org, deductions are those of the units at the top.
    """
    from rules import Period
    from stagewatch.evaluation_report import at_or_below, indicator_values, report_of
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    if write and folder is not None:
        raise click.UsageError("--write publishes what the running system measured: leave --from out")
    try:
        period = Period.parse(period_name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--period'") from None
    settings = settings_from(config, output)
    evaluation = _evaluated(settings, name, period, _Sources(settings, folder, events, config), output)
    if org is not None and org not in evaluation.scores:
        raise Failed(unknown("unit with a score", org, evaluation.scores))
    tops = evaluation.tops if org is None else [org]
    units = [unit for top in tops for unit in at_or_below(evaluation, top)]
    report = report_of(evaluation, units, tops)
    if form == "html":
        from stagewatch.evaluation_html import page

        click.echo(page(report), nl=False)
    elif form == "json":
        output.line_of_json(cast("dict[str, Value]", report))
    else:
        from stagewatch.evaluation_report import show

        show(output, report)
    if write:
        _publish(settings, list(indicator_values(evaluation, int(time.time() * 1000))), output, is_dry=dry_run)


class _Sources:
    """Where an evaluation's definitions and material come from."""

    def __init__(self, settings: Settings, folder: Path | None, events: tuple[Path, ...], config: Path | None) -> None:
        self._settings, self._folder, self._events, self._config = settings, folder, events, config

    @property
    def _is_live(self) -> bool:
        return self._folder is None and self._settings.bootstrap is not None

    def definitions(self) -> DefinitionSet:
        """Give what is in effect: with a broker what was published, else the folders of the settings."""
        from rules import Ledger
        from schemas import DefinitionError
        from stagewatch.rule_book import base_set, read_ledger

        ledger = read_ledger(self._settings.bootstrap) if self._is_live and self._settings.bootstrap else Ledger()
        loaded = base_set(self._settings, ledger)
        if loaded.faults:
            raise DefinitionError(loaded.faults)
        return loaded

    def material(self, file: EvaluationFile, output: Output) -> Material:
        """Read the folder, or the store."""
        from stagewatch.evaluation_inputs import from_folder, from_store

        if self._folder is not None:
            return from_folder(self._folder)
        with opened_store(self._config, output) as store:
            return from_store(store, file)

    def parents(self, period: Period, calendar: WorkCalendar) -> dict[str, str | None]:
        """Read the table of units; empty if there is neither a file nor, for the running system, a broker."""
        if not (self._events or self._is_live):
            return {}
        from connectors import load_sources
        from stagewatch.captured import Captured
        from stagewatch.evaluation_inputs import UNIT, parents_of, recorded_units
        from stagewatch.recording import FileRecording

        settings = self._settings
        catalog = load_sources(list(settings.sources), settings.dialect_overrides, settings.precedence)
        if self._events:
            return parents_of(recorded_units(FileRecording(self._events), catalog), period, calendar)
        mappings = [mapping for mapping in catalog.mappings if mapping.entity == UNIT]
        return parents_of((each for _, each in Captured(catalog, settings).changes(mappings)), period, calendar)


def _evaluated(settings: Settings, name: str, period: Period, sources: _Sources, output: Output) -> Evaluation:
    from rules import Catalogue, EvaluationFile, Ground, Overlay, Units, evaluate, state_council_calendar

    loaded = sources.definitions()
    files = {file.id: file for file in loaded.of(EvaluationFile)}
    if name not in files:
        raise click.UsageError(unknown("evaluation", name, sorted(files)))
    overlays = {overlay.id: overlay for overlay in loaded.of(Overlay)}
    if settings.calendar not in overlays:
        raise Failed(unknown("calendar", settings.calendar, sorted(overlays)))
    file, calendar = files[name], state_council_calendar(overlays[settings.calendar])
    catalogue = Catalogue.of([each.model for each in loaded.files])
    ground = Ground(catalogue, calendar, Units(file.unit_levels, sources.parents(period, calendar)))
    return evaluate(file, period, sources.material(file, output), ground)


def _publish(settings: Settings, values: Sequence[tuple[str, IndicatorValue]], output: Output, *, is_dry: bool) -> None:
    from schemas import encode_indicator
    from stagewatch.sending import send_records

    bootstrap = bootstrap_of(settings)
    if is_dry:
        output.say(f"would publish {len(values)} values to {TOPIC}")
        return
    send_records(bootstrap, TOPIC, [(key, encode_indicator(value)) for key, value in values])
    output.done(f"published {len(values)} values to {TOPIC}")
