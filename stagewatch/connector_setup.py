"""What the `connectors` commands begin with: the files that are meant, the Connect that is meant, and whose is whose.

Called by `stagewatch.cli_connectors*` and `stagewatch.cli_check`.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stagewatch.cli import Failed, unknown

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from connectors.connect import ConnectClient, Desired, Live
    from stagewatch.output import Output
    from stagewatch.settings import Settings


def yaml_files(path: Path) -> list[Path]:
    """Give the YAML files below a folder, sorted; a file is itself."""
    from schemas import stands_twice

    if path.is_dir():
        found = (file for file in path.rglob("*") if file.suffix in {".yaml", ".yml"} and file.is_file())
        return sorted(file for file in found if not stands_twice(file, path))
    return [path]


def version_of(file: Path) -> str | None:
    """Give what a file's `version` says; None if that cannot be read."""
    from schemas import DefinitionError, load_yaml

    try:
        data, _ = load_yaml(file.read_bytes(), str(file))
    except (DefinitionError, OSError):
        return None
    return str(data.get("version")) if isinstance(data, dict) else None


def connector_files(paths: Iterable[Path]) -> list[Path]:
    """Give the connector files among the paths: a file whatever it says, of a folder those that say so.

    And those that seem to be meant as one, or cannot be read: what is left out in silence would look as if it were
    gone.
    """
    return [file for path in paths for file in yaml_files(path) if not path.is_dir() or _is_meant(file)]


def _is_meant(file: Path) -> bool:
    from connectors.connect import VERSION

    version = version_of(file)
    return version in {VERSION, None} or b"connector.class" in file.read_bytes()


def check_prune(paths: Sequence[Path], settings: Settings) -> None:
    """See that what is compared is all there is: else what other files describe would be deleted. Raises Failed."""
    if paths:
        raise Failed(
            "--prune deletes what no file describes, so it compares with all of them: name their folder in the setting "
            "`connectors` (STAGEWATCH_CONNECTORS) and leave the PATHs out"
        )
    if settings.connectors and not connector_files(settings.connectors):
        raise Failed(
            "--prune found no connector file and would delete all: `stagewatch connectors delete NAME` does that"
        )


def wanted(paths: Sequence[Path], settings: Settings, output: Output) -> list[Desired]:
    """Give the connectors that the files describe; their warnings are said on stderr."""
    from connectors import load_sources
    from connectors.connect import TEMPLATES, load_connectors, warnings_of

    chosen = paths or settings.connectors
    if not chosen:
        raise Failed(
            "no connector files: give PATHs, or name their folder in the setting `connectors` "
            f"(STAGEWATCH_CONNECTORS); `stagewatch connectors template` shows files to begin with, from {TEMPLATES}"
        )
    catalog: SourceCatalog = load_sources(settings.sources, settings.dialect_overrides)
    found = load_connectors(connector_files(chosen), catalog)
    for warning in warnings_of(found, catalog):
        output.warn(str(warning))
    return found


def client_of(settings: Settings) -> ConnectClient:
    """Give the Connect that the settings name."""
    from connectors.connect import ConnectClient

    if settings.connect_url is None:
        raise Failed(
            "no Kafka Connect is set: name its REST interface with STAGEWATCH_CONNECT_URL=http://host:8083 "
            "or `connect_url` in the settings file"
        )
    return ConnectClient(settings.connect_url)


def known(name: str, live: dict[str, Live]) -> Live:
    """Give a running connector by name; an unknown one lists the known."""
    if name not in live:
        raise click.UsageError(unknown("connector", name, live))
    return live[name]


def owned(names: Sequence[str], client: ConnectClient, settings: Settings, *, with_foreign: bool) -> list[Live]:
    """Give the connectors that a command may change: known, and ours unless foreign ones are asked for too."""
    from connectors.connect import is_ours

    live = client.connectors()
    found = [known(name, live) for name in names]
    foreign = [each.name for each in found if not is_ours(each, settings.application_id)]
    if foreign and not with_foreign:
        raise Failed(
            f"not ours: {', '.join(foreign)} (no mark of {settings.application_id}); --foreign changes it all the same"
        )
    return found


@contextmanager
def watching(output: Output) -> Iterator[Callable[[str], None]]:
    """Show what is waited for, on a terminal; silence elsewhere."""
    if not output.err.is_terminal:
        yield lambda _text: None
        return
    with output.err.status("") as status:
        yield status.update
