"""`stagewatch check`: lints every definition and runs nothing."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import command, output_option, settings_from, settings_option
from stagewatch.connector_setup import version_of, yaml_files

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from rules import DefinitionSet
    from schemas import Fault
    from stagewatch.settings import Settings


@command(short_help="Lint every definition and source; report all faults.")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@output_option
@settings_option
def check(*, paths: tuple[Path, ...], form: str, config: Path | None) -> int:
    """Lint processes, rules, limits, calendars, templates, indicators, sources and connectors.

    PATHs are files or folders; without any, those that are configured (by default those shipped). Every fault
    is a line `file:line:col: message` on stdout; exit 1 if there is one. What a connector would run with, and
    somebody would be sorry for, is a warning of the same form on stderr.
    """
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    faults, warnings = _connector_findings(_chosen(paths, settings.connectors), settings)
    for warning in [*_dialect_warnings(settings), *warnings]:
        output.warn(str(warning))
    faults = [*_setting_faults(settings), *faults_of(paths, settings), *_road_faults(paths, settings), *faults]
    for fault in faults:
        output.fault(fault)
    if faults:
        output.error(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}")
        return 1
    output.done("checked: no faults")
    return 0


def faults_of(paths: Sequence[Path], settings: Settings) -> list[Fault]:
    """Give the faults of definitions and sources below the paths (by default of what is configured), by place.

    The paths are read after what is configured, so that a rule file alone is checked with the processes it
    names; of the files that are not below the paths, only faults that these cause are given.
    """
    base = [file for path in (*settings.definitions, *settings.sources) for file in yaml_files(path)]
    own = [file for path in paths for file in yaml_files(path) if not _is_connector(file) and not _is_road(file)]
    found = _faults(base, [])
    if paths:
        names, old = {str(file) for file in own}, {str(fault) for fault in found}
        found = [fault for fault in _faults(base, own) if fault.file in names or str(fault) not in old]
    by_text = {str(fault): fault for fault in found}
    return sorted(by_text.values(), key=lambda fault: (fault.file, fault.line, fault.column, fault.message))


def _chosen(paths: Sequence[Path], configured: Sequence[Path]) -> list[Path]:
    """Give the files of connectors and handlers that are meant: those below the paths, else the configured."""
    return [file for path in paths or configured for file in yaml_files(path) if _is_connector(file)]


def _connector_findings(files: Sequence[Path], settings: Settings) -> tuple[list[Fault], list[Fault]]:
    """Give the faults and the warnings of connector and handler files; nothing while the sources have faults."""
    if not files:
        return [], []
    from connectors import load_sources
    from connectors.connect import load_connectors, warnings_of
    from connectors.ogg import load_handler
    from schemas import DefinitionError

    try:
        catalog = load_sources(settings.sources, settings.dialect_overrides)
    except DefinitionError:  # said already, with the sources
        return [], []
    handlers = [file for file in files if version_of(file) == "ogg/v1"]
    faults: list[Fault] = []
    warnings: list[Fault] = []
    try:
        wanted = load_connectors([file for file in files if file not in handlers], catalog)
        warnings += warnings_of(wanted, catalog)
    except DefinitionError as error:
        faults += error.faults
    for file in handlers:
        try:
            warnings += load_handler(file, catalog)[1]
        except DefinitionError as error:
            faults += error.faults
    return faults, warnings


def _setting_faults(settings: Settings) -> list[Fault]:
    """Give the faults of the setting `precedence`, which names entities, fields and sources."""
    from connectors import load_sources
    from schemas import DefinitionError

    try:
        load_sources(settings.sources, settings.dialect_overrides, settings.precedence)
    except DefinitionError as error:
        return [fault for fault in error.faults if fault.file == "settings"]
    return []


def _dialect_warnings(settings: Settings) -> Sequence[str]:
    """Give the patterns of the setting `dialects` that match nothing; nothing while the sources have faults."""
    from connectors import load_sources
    from schemas import DefinitionError

    if not settings.dialect_overrides:
        return ()
    try:
        return load_sources(settings.sources, settings.dialect_overrides).warnings
    except DefinitionError:  # said already, with the sources
        return ()


def _road_faults(paths: Sequence[Path], settings: Settings) -> list[Fault]:
    """Give the faults of pull and relay definitions below the paths."""
    from schemas import DefinitionError

    faults: list[Fault] = []
    for file in (file for path in paths for file in yaml_files(path) if _is_road(file)):
        try:
            _load_road(file, settings)
        except DefinitionError as error:
            faults += error.faults
    return faults


def _load_road(file: Path, settings: Settings) -> None:
    from connectors import load_sources
    from connectors.relay import load_relay
    from connectors.web import load_pulls

    mappings = load_sources(settings.sources, settings.dialect_overrides).mappings
    if str(version_of(file)).startswith("relay/"):
        load_relay(file, mappings)
    else:
        load_pulls(file, mappings)


def _is_road(file: Path) -> bool:
    return str(version_of(file)).startswith(("pull/", "relay/"))


def _is_connector(file: Path) -> bool:
    return str(version_of(file)).startswith(("connector/", "ogg/"))


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
    joins = [] if faults else list(_unknown_joins(catalogs))
    return [*faults, *loaded.faults, *_unknown_entities(catalogs, loaded), *joins]


def _unknown_joins(catalogs: Sequence[SourceCatalog]) -> Iterator[Fault]:
    """Give the joins whose target no source declares; the shipped tables count also where others replace them."""
    from connectors import SHIPPED_SOURCES, load_sources
    from rules import nearest_first

    files = [file for catalog in catalogs for file in catalog.files]
    known = {name.lower() for file in files for name in file.model.tables}
    joins = [
        (file, name, column, target)
        for file in files
        for name, table in file.model.tables.items()
        for column, target in table.joins.items()
        if target.lower() not in known
    ]
    if not joins:
        return
    known |= {mapping.table for mapping in load_sources([SHIPPED_SOURCES]).mappings}
    for file, name, column, target in joins:
        if target.lower() not in known:
            message = f"no source declares a table '{target}'; known are {nearest_first(target, known)}"
            yield file.places.fault(("tables", name, "joins", column), message)


def _unknown_entities(catalogs: Sequence[SourceCatalog], loaded: DefinitionSet) -> Iterator[Fault]:
    """Give the tables whose rows nobody reads: most likely their entity is misspelt."""
    from connectors import held, shipped_entities
    from rules import known_entities, nearest_first

    if loaded.broken & {"process/v1", "rules/v1"}:
        return
    known = known_entities(file.model for file in loaded.files) | shipped_entities()
    for file in (file for catalog in catalogs for file in catalog.files):
        for name, table in file.model.tables.items():
            if table.entity not in known and held(table) != "checked":
                message = f"no definition knows an entity '{table.entity}'; known are "
                yield file.places.fault(("tables", name, "entity"), message + nearest_first(table.entity, known))


def _is_source(file: Path) -> bool:
    """Tell a source's file from a definition's: by its version, or where that cannot be read, by its folder."""
    version = version_of(file)
    return file.parent.name == "sources" if version is None else version.startswith(("source/", "codes/"))
