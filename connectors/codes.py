"""Code lists compiled: the standard lists (`version: codes/v1`) and how each source writes them.

Called by `connectors.sources` while it reads the source folders. What comes out is pure (`schemas.CodeList`) and
applied while rows are decoded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from connectors.source_models import CodeListModel, CodeListsModel, CodeModel, SourceModel
from schemas import Fault, Places
from schemas.codes import CodeList, CodeMeaning


@dataclass(frozen=True, slots=True)
class CodeFile:
    """One file of standard lists as read."""

    file: str
    model: CodeListsModel
    places: Places


def standard_lists(files: list[CodeFile], faults: list[Fault]) -> dict[str, CodeListModel]:
    """Give the standard lists of all files by name; a name declared twice is a fault."""
    found: dict[str, CodeListModel] = {}
    for file in files:
        for name, model in file.model.lists.items():
            if name in found:
                faults.append(file.places.fault(("lists", name), f"code list '{name}' is declared twice", key=True))
            found[name] = model
    return found


def lists_of(source: SourceModel, standard: Mapping[str, CodeListModel]) -> dict[str, CodeList]:
    """Give the lists as one source writes them, by name; also those that it writes in standard codes."""
    zone = ZoneInfo(source.column_timezone)
    found = {}
    for name, model in standard.items():
        meanings: dict[str, list[CodeMeaning]] = {}
        for each in source.codes.get(name, ()):
            meanings.setdefault(each.code, []).append(_meaning(each, zone))
        ordered = {code: tuple(sorted(held, key=_begin)) for code, held in meanings.items()}
        found[name] = CodeList(name, dict(model.codes), ordered)
    return found


def code_faults(source: SourceModel, standard: Mapping[str, CodeListModel], places: Places) -> Iterator[Fault]:
    """Give the lists and codes that no standard list has, and meanings of one code that overlap."""
    for name, codes in source.codes.items():
        if name not in standard:
            known = ", ".join(sorted(standard)) or "none"
            yield places.fault(("codes", name), f"no standard code list '{name}'; known are {known}", key=True)
            continue
        for index, each in enumerate(codes):
            if each.to not in standard[name].codes:
                yield places.fault(("codes", name, index, "to"), f"'{each.to}' is no standard code of {name}")
            if any(_overlap(each, other) for other in codes[:index] if other.code == each.code):
                yield places.fault(("codes", name, index), f"'{each.code}' has two meanings on the same day")
    for table, model in source.tables.items():
        for column, declared in model.columns.items():
            if declared.codes is not None and declared.codes.list not in standard:
                known = ", ".join(sorted(standard)) or "none"
                message = f"no code list '{declared.codes.list}'; known are {known}"
                yield places.fault(("tables", table, "columns", column), message)


def _overlap(one: CodeModel, other: CodeModel) -> bool:
    begins = max(one.valid_from or date.min, other.valid_from or date.min)
    return begins <= min(one.valid_to or date.max, other.valid_to or date.max)


def _meaning(model: CodeModel, zone: ZoneInfo) -> CodeMeaning:
    end = model.valid_to + timedelta(days=1) if model.valid_to is not None else None
    return CodeMeaning(model.to, _midnight(model.valid_from, zone), _midnight(end, zone))


def _midnight(day: date | None, zone: ZoneInfo) -> int | None:
    return None if day is None else round(datetime.combine(day, time(), zone).timestamp() * 1000)


def _begin(meaning: CodeMeaning) -> tuple[bool, int]:
    return meaning.valid_from is not None, meaning.valid_from or 0
