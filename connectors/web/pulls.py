"""Pull definitions from files, with every fault and its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.web.pull_models import PullModel
from schemas import DefinitionError, Fault, TableMapping, load_model


@dataclass(frozen=True, slots=True)
class PullFile:
    """One definition and the table that it feeds."""

    file: str
    model: PullModel
    mapping: TableMapping


def load_pulls(path: Path, mappings: Sequence[TableMapping]) -> list[PullFile]:
    """Read a file, or all of a folder. Raises `DefinitionError` with every fault."""
    tables = {f"{mapping.source}.{mapping.table}": mapping for mapping in mappings}
    faults: list[Fault] = []
    found: dict[str, PullFile] = {}
    for each in sorted(path.glob("*.y*ml")) if path.is_dir() else [path]:
        try:
            model, places = load_model(PullModel, each.read_bytes(), str(each))
        except DefinitionError as error:
            faults += error.faults
            continue
        except OSError as error:
            faults.append(Fault(str(each), 1, 1, f"cannot be read: {error.strerror}"))
            continue
        mapping = tables.get(model.table.lower())
        if mapping is None:
            faults.append(places.fault(("table",), f"no table '{model.table}'; known are {', '.join(sorted(tables))}"))
        elif model.name in found:
            faults.append(places.fault(("name",), f"'{model.name}' is also in {found[model.name].file}"))
        else:
            found[model.name] = PullFile(str(each), model, mapping)
    if faults:
        raise DefinitionError(faults)
    return list(found.values())
