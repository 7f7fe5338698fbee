"""Connector files (`version: connector/v1`): what shall run in Kafka Connect, one connector a file.

Read by `stagewatch connectors` and `stagewatch check`. A fault keeps a file from being used; a warning names a
trap and may be accepted, with a reason, under `accepted:`. Nothing here talks to Connect.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.connect.capture import KEYS, TABLES, derived_config, disagreements
from connectors.connect.redaction import literal_secret
from connectors.debezium import MODELS, Debezium, Trap
from connectors.sources import SourceCatalog
from schemas import DefinitionError, Fault, Places, TableMapping, load_model, pydantic_faults

VERSION = "connector/v1"
TEMPLATES = Path(__file__).parents[1] / "templates"
"""Files to begin with, one or more for each of the eight systems."""

State = Literal["running", "paused", "stopped"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Scalar = str | int | float | bool


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CaptureModel(_Model):
    """From which declaration the captured tables and the records' keys are derived."""

    source: str = Field(description="prefix of a declared source: mkt, lean, ...")
    db_schema: str | None = Field(
        default=None, alias="schema", description="schema (MySQL: database) of the tables; by default the source's name"
    )
    tables: list[str] | None = Field(default=None, min_length=1, description="by default all that the source declares")


class ConnectorModel(_Model):
    """One connector as it shall be."""

    version: Literal["connector/v1"]
    name: Name | None = Field(default=None, description="its name in Connect; by default the file's")
    title: str = Field(default="", description="what it captures, in the business's words")
    state: State = Field(default="running", description="running, paused (tasks stay) or stopped (tasks are let go)")
    capture: CaptureModel | None = Field(
        default=None, description=f"derives {TABLES} and {KEYS} from a source's declaration"
    )
    accepted: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default={}, description="warnings that are known and wanted: name of the warning to the reason"
    )
    config: dict[str, Scalar | list[Scalar]] = Field(
        description="settings as Connect takes them; a list is joined by commas; secrets only as ${provider:...}"
    )


@dataclass(frozen=True, slots=True)
class Desired:
    """One connector as its file wants it. `config` is what Connect will be given, all text."""

    name: str
    file: str
    state: State
    config: Mapping[str, str]
    model: Debezium | None
    """None: a connector of another make, of which only the secrets are checked."""
    source: str | None
    accepted: Mapping[str, str]
    places: Places


def load_connectors(files: Iterable[Path], catalog: SourceCatalog) -> list[Desired]:
    """Read connector files; gives them by name. Raises `DefinitionError` with every fault of every file."""
    faults: list[Fault] = []
    found: dict[str, Desired] = {}
    for path in files:
        try:
            desired = _read(path, catalog)
        except DefinitionError as error:
            faults += error.faults
            continue
        other = found.setdefault(desired.name, desired)
        if other is not desired:
            text = f"a connector named '{desired.name}' is described twice, here and in {other.file}"
            faults.append(desired.places.fault(("name",), text))
    if faults:
        raise DefinitionError(faults)
    return [found[name] for name in sorted(found)]


def warnings_of(connectors: Sequence[Desired], catalog: SourceCatalog) -> list[Fault]:
    """Give the traps that no file accepts, and accepted ones that are none, each at its place."""
    found = []
    for desired in connectors:
        traps = [*_traps(desired, catalog), *_shared(desired, connectors)]
        for trap in traps:
            if trap.name not in desired.accepted:
                text = f"{trap.setting}: {trap.text} [{trap.name}]"
                found.append(desired.places.fault(("config", trap.setting), text, key=True))
        found += [
            desired.places.fault(("accepted", name), f"nothing to accept: no warning '{name}'", key=True)
            for name in desired.accepted.keys() - {trap.name for trap in traps}
        ]
    return sorted(found, key=lambda fault: (fault.file, fault.line, fault.message))


def _traps(desired: Desired, catalog: SourceCatalog) -> Iterator[Trap]:
    if desired.model is not None:
        yield from desired.model.traps()
        yield from disagreements(desired.model, catalog, desired.source)


def _shared(desired: Desired, connectors: Sequence[Desired]) -> Iterator[Trap]:
    """Give what this connector uses and another does too, though it cannot be shared."""
    own = [] if desired.model is None else list(desired.model.unique())
    for other in connectors:
        if other.name != desired.name and other.model is not None:
            for setting, value in set(own) & set(other.model.unique()):
                yield Trap("shared", setting, f"{value} is used by {other.name} too; give each its own")


def _read(path: Path, catalog: SourceCatalog) -> Desired:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DefinitionError([Fault(str(path), 1, 1, f"cannot be read: {error.strerror}")]) from None
    model, places = load_model(ConnectorModel, content, str(path))
    config = {key: _text(value) for key, value in model.config.items()}
    faults = list(_config_faults(config, places))
    faults += _derive(model, config, catalog, places)
    typed = _typed(config, places, faults)
    if faults:
        raise DefinitionError(faults)
    source = model.capture.source if model.capture else None
    name = model.name or path.stem
    return Desired(name, str(path), model.state, config, typed, source, model.accepted, places)


def _text(value: Scalar | list[Scalar]) -> str:
    """Write a value as Connect's configuration, which is all text, has it."""
    if isinstance(value, list):
        return ",".join(_text(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _config_faults(config: Mapping[str, str], places: Places) -> Iterator[Fault]:
    if "connector.class" not in config:
        yield places.fault(("config",), "field 'connector.class' is missing", key=True)
    for key, value in config.items():
        if key == "name" or key.startswith("stagewatch."):
            yield places.fault(("config", key), f"'{key}' is set by `stagewatch connectors` itself", key=True)
        if literal_secret(key, value):
            text = f"{key}: a secret in the clear; write a reference such as ${{env:NAME}} or ${{file:/path:key}}"
            yield places.fault(("config", key), text)


def _derive(model: ConnectorModel, config: dict[str, str], catalog: SourceCatalog, places: Places) -> Iterator[Fault]:
    """Add what follows from the source's declaration to the configuration; gives what is wrong with `capture`."""
    capture = model.capture
    if capture is None:
        return
    source = capture.source.lower()
    declared = {mapping.table: mapping for mapping in catalog.mappings if mapping.source == source}
    if not declared:
        known = ", ".join(sorted({mapping.source for mapping in catalog.mappings}))
        yield places.fault(("capture", "source"), f"no source '{capture.source}' is declared; known: {known}")
        return
    chosen: list[TableMapping] = []
    for index, name in enumerate(capture.tables or declared):
        if name.lower() in declared:
            chosen.append(declared[name.lower()])
        else:
            text = f"source '{source}' declares no table '{name}'; known: {', '.join(declared)}"
            yield places.fault(("capture", "tables", index), text)
    is_upper = getattr(MODELS.get(config.get("connector.class", "")), "NAMES_ARE_UPPER", False)
    for key, value in derived_config(chosen, capture.db_schema or source, names_are_upper=is_upper).items():
        if key in config:
            yield places.fault(("config", key), f"{key} is derived from `capture`; leave out one of them", key=True)
        config.setdefault(key, value)


def _typed(config: Mapping[str, str], places: Places, faults: list[Fault]) -> Debezium | None:
    kind = MODELS.get(config.get("connector.class", ""))
    if kind is None:
        return None
    try:
        return kind.model_validate(config)
    except ValidationError as error:
        inside = _Inside(places)
        faults += pydantic_faults(error, inside)
        return None


class _Inside(Places):
    """The places below `config`, for a model that only sees that part of the file."""

    def __init__(self, whole: Places) -> None:
        super().__init__(whole.file)
        self._whole = whole

    def at(self, path: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
        """Give the place of a part of `config`."""
        return self._whole.at(("config", *path), key=key)
