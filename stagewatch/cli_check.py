"""`stagewatch check`: lints every definition and runs nothing."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import command, settings_from, settings_option

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from rules import DefinitionSet
    from schemas import Fault
    from stagewatch.settings import Settings


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
    faults = faults_of(paths, settings_from(config, output))
    for fault in faults:
        output.line(str(fault))
    if faults:
        output.error(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}")
        return 1
    output.done("checked: no faults")
    return 0


def faults_of(paths: Sequence[Path], settings: Settings) -> list[Fault]:
    """Give the faults of all files below the paths (of what is configured, if there are none), sorted by place.

    The paths are read after what is configured, so that a rule file alone is checked with the processes it
    names; of the files that are not below the paths, only faults that these cause are given.
    """
    base = [file for path in (*settings.definitions, *settings.sources) for file in _yaml_files(path)]
    own = [file for path in paths for file in _yaml_files(path)]
    found = _faults(base, [])
    if own:
        names, old = {str(file) for file in own}, {str(fault) for fault in found}
        found = [fault for fault in _faults(base, own) if fault.file in names or str(fault) not in old]
    by_text = {str(fault): fault for fault in found}
    return sorted(by_text.values(), key=lambda fault: (fault.file, fault.line, fault.column, fault.message))


def _faults(base: Sequence[Path], own: Sequence[Path]) -> list[Fault]:
    """Give the faults of `base` with `own` read after it, in any order."""
    from connectors import SourceCatalog, load_sources
    from rules import read_definitions
    from schemas import DefinitionError

    faults: list[Fault] = []
    catalogs: list[SourceCatalog] = []
    definitions: list[Path] = []
    for files in (base, own):
        sources = [file for file in files if _is_source(file)]
        definitions += [file for file in files if file not in sources]
        try:
            catalogs.append(load_sources(sources))
        except DefinitionError as error:
            faults += error.faults
    tables = {(mapping.source, mapping.table): mapping for catalog in catalogs for mapping in catalog.mappings}
    vocabulary = SourceCatalog(tables.values()).vocabulary() if not faults else None
    loaded = read_definitions(definitions, vocabulary)
    return [*faults, *loaded.faults, *_unknown_entities(catalogs, loaded)]


def _unknown_entities(catalogs: Sequence[SourceCatalog], loaded: DefinitionSet) -> Iterator[Fault]:
    """Give the tables whose rows nobody reads: most likely their entity is misspelt."""
    from rules import known_entities, nearest_first

    if loaded.broken & {"process/v1", "rules/v1"}:
        return
    known = known_entities(file.model for file in loaded.files)
    for file in (file for catalog in catalogs for file in catalog.files):
        for name, table in file.model.tables.items():
            if table.entity not in known:
                message = f"no definition knows an entity '{table.entity}'; known are "
                yield file.places.fault(("tables", name, "entity"), message + nearest_first(table.entity, known))


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
