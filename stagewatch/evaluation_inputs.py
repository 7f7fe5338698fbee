"""What an evaluation reads: the folder of a replay, or the store and the captured table of units. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from rules import Dossier, EvaluationFile, Material, Period, WorkCalendar, last_events
from schemas import BadInput, Change, decode_alert, decode_indicator, decoder_of
from stagewatch.cli import Failed

if TYPE_CHECKING:
    from connectors import SourceCatalog
    from sinks.store import Store
    from stagewatch.recording import Recording

UNIT = "org"
"""Entity of the table of units (`ymd_org`)."""
ALL_ROWS = 2**62
"""More than a store holds: an evaluation needs every row."""

_T = TypeVar("_T")
_dossier = msgspec.json.Decoder(Dossier).decode


def from_folder(folder: Path) -> Material:
    """Read what `replay -o` wrote. Raises Failed naming the file and line that cannot be read."""
    return Material(
        list(_lines(folder / "indicators.jsonl", decode_indicator)),
        list(_lines(folder / "instances.jsonl", _dossier)),
        last_events(_lines(folder / "alerts.jsonl", decode_alert)),
    )


def _lines(file: Path, decode: Callable[[bytes], _T]) -> Iterator[_T]:
    if not file.exists():
        raise Failed(f"{file.parent} is no folder of a replay: it has no {file.name}")
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield decode(line)
            except (BadInput, msgspec.MsgspecError) as error:
                raise Failed(f"{file}:{number}: {error}") from error


def from_store(store: Store, file: EvaluationFile) -> Material:
    """Read what the workers keep in the store, of the indicators and processes of an evaluation."""
    codes = sorted({code for _, item in file.items for code in (item.indicator, item.per) if code})
    return Material(
        [row.value for code in codes for row in store.indicators(indicator=code, limit=ALL_ROWS)],
        [_dossier(row.state) for id_ in file.processes for row in store.instances(process=id_, limit=ALL_ROWS)],
        [row.event for id_ in file.processes for row in store.alerts(process=id_, limit=ALL_ROWS)],
    )


def recorded_units(recording: Recording, catalog: SourceCatalog) -> Iterator[Change]:
    """Give the changes of the table of units in recorded events; what is refused tells nothing."""
    decoders = {
        mapping.topic: decoder_of(mapping, schema_of=catalog.schema_of)
        for mapping in catalog.mappings
        if mapping.entity == UNIT
    }
    for record in recording.records(lambda _error, _record: None, lambda _read: None):
        decoder = decoders.get(record.topic)
        try:
            yield from () if decoder is None else decoder.decode_all(
                key=record.key, value=record.value, headers=record.headers, timestamp=record.timestamp,
                topic=record.topic, partition=record.partition, offset=record.offset,
            )  # fmt: skip
        except BadInput:
            continue


def parents_of(changes: Iterable[Change], period: Period, calendar: WorkCalendar) -> dict[str, str | None]:
    """Give by unit the one above it at the end of a period; `changes` in order of each row."""
    rows: dict[str, dict[str, object]] = {}
    for change in changes:
        rows[change.row] = {} if change.op == "d" else {**rows.get(change.row, {}), **change.fields}
    return {
        str(row["org_no"]): str(row["parent_org_no"]) if row.get("parent_org_no") else None
        for row in rows.values()
        if row.get("org_no") and _was_valid(row, period, calendar)
    }


def _was_valid(row: dict[str, object], period: Period, calendar: WorkCalendar) -> bool:
    begin, end = row.get("valid_from"), row.get("valid_to")
    has_begun = not isinstance(begin, int) or calendar.local_date(begin) <= period.end
    return has_begun and (not isinstance(end, int) or calendar.local_date(calendar.by_clock(end)) > period.end)
