"""`stagewatch check`: lints every definition and runs nothing."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import command, settings_from, settings_option

if TYPE_CHECKING:
    from schemas import Fault


@command(short_help="Lint every definition and source; report all faults.")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@settings_option
def check(*, paths: tuple[Path, ...], config: Path | None) -> int:
    """Lint processes, rules, limits, calendars, templates, indicators and sources.

    PATHs are files or folders; without any, those that are configured (by default those shipped). Every fault
    is a line `file:line:col: message` on stdout; exit 1 if there is one.
    """
    from stagewatch.output import Output

    output = Output()
    settings = settings_from(config, output)
    faults = faults_of([*settings.definitions, *settings.sources], is_whole=True) if not paths else faults_of(paths)
    for fault in faults:
        output.line(str(fault))
    if faults:
        output.error(f"{len(faults)} faults")
        return 1
    output.done("checked: no faults")
    return 0


def faults_of(paths: Sequence[Path], *, is_whole: bool = False) -> list[Fault]:
    """Give the faults of all files below the paths, sorted by place.

    Files given by themselves lean on those shipped: a rule file alone is checked with the processes it names.
    """
    from connectors import check_source, load_sources
    from rules import SHIPPED, read_definitions
    from schemas import DefinitionError

    files = [file for path in paths for file in _yaml_files(path)]
    sources = [file for file in files if _is_source(file)]
    definitions = [file for file in files if file not in sources]
    faults: list[Fault] = []
    for file in sources:
        faults += check_source(file.read_bytes(), str(file))
    if sources and not faults:
        try:
            load_sources(sources)  # topics declared twice across files
        except DefinitionError as error:
            faults += error.faults
    if definitions:
        names = {str(file) for file in definitions}
        found = read_definitions(definitions).faults
        if found and not is_whole:
            found = [f for f in read_definitions([SHIPPED, *definitions]).faults if f.file in names]
        faults += found
    return sorted(set(faults), key=lambda fault: (fault.file, fault.line, fault.column))


def _yaml_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix in {".yaml", ".yml"} and file.is_file())
    return [path]


def _is_source(file: Path) -> bool:
    """Tell a source's file from a definition's: by its version, or where that cannot be read, by its folder."""
    from schemas import DefinitionError, load_yaml

    try:
        data, _ = load_yaml(file.read_bytes(), str(file))
    except (DefinitionError, OSError):
        return file.parent.name == "sources"
    return isinstance(data, dict) and str(data.get("version")).startswith("source/")
