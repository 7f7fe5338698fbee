"""What the newest records of a declared table show about its declaration: does it work, and what should change?

Pure: records in, findings out. Decoding is the worker's own; what it would refuse is refused here. Called by
`stagewatch sources try`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from schemas import BadInput, Decoder, advice_on, is_ingested, looks_like
from schemas.mapping import Format
from schemas.row_images import row_images
from stagewatch.column_guess import guess_type
from stagewatch.source_views import ViewTrial, try_views
from stagewatch.trial_advice import absence_advice, decimal_advice, order_advice, time_advice, whole_advice

if TYPE_CHECKING:
    from schemas import Change, Recorded, SchemaOf, TableMapping, Value
    from schemas.row_images import RowImage

_OF_A_COLUMN = "column "
"""How a refusal begins that is one column's fault (`schemas.table`)."""


@dataclass(slots=True)
class Refusal:
    """Records refused for one reason."""

    place: str
    """Of the first: `topic[partition]@offset`."""
    error: str
    looks_like: str | None
    count: int = 0


@dataclass(slots=True)
class ColumnTrial:
    """What came in one declared column, in rows that were not deleted."""

    name: str
    type: str
    seen: int = 0
    null: int = 0
    missing: int = 0
    unreadable: int = 0
    unknown_codes: int = 0
    values: list[Value] = field(default_factory=list)
    """Those seen, as rules will read them."""


@dataclass(slots=True)
class Undeclared:
    """A column that comes and that the declaration does not name."""

    name: str
    seen: int
    type: str | None
    """As it would be declared; None for an object or a list, which no declaration takes."""


@dataclass(slots=True)
class Trial:
    """The whole picture."""

    mapping: TableMapping
    records: int
    partitions: int | None
    decoded: int = 0
    """Records that tell at least one change."""
    ops: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, int] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)
    instances: int = 0
    """Different instances that the rows belong to."""
    of_none: int = 0
    """Changes of rows that belong to no instance, though the table has an instance column."""
    columns: list[ColumnTrial] = field(default_factory=list)
    undeclared: list[Undeclared] = field(default_factory=list)
    views: list[ViewTrial] = field(default_factory=list)
    """What the table's further views tell of the records that it takes itself."""
    faults: list[str] = field(default_factory=list)
    """Why it does not work; empty if it does."""
    advice: list[str] = field(default_factory=list)


def try_records(
    mapping: TableMapping, records: Sequence[Recorded], *, schema_of: SchemaOf | None = None,
    partitions: int | None = None,
) -> Trial:  # fmt: skip
    """Give what the records, by partition and offset, show.

    `partitions`: how many the topic has, if that is known. Raises `TryLater` where Avro schemas cannot be had.
    """
    trial = Trial(mapping, len(records), partitions)
    decoder = Decoder(mapping, schema_of=schema_of)
    told = [(record, _decode(trial, decoder, record)) for record in records]
    trial.views = try_views(mapping, [record for record, found in told if found], schema_of)
    refused = {(each[0].partition, each[0].offset): each for view in trial.views for each in view.refused}
    for record, error in refused.values():
        _refuse(trial, record, error)
    changes = [change for _, found in told for change in found]
    images = [image for record in records for image in _images(mapping, record, schema_of)]
    trial.decoded = sum(bool(found) for _, found in told)
    trial.ops.update(change.op for change in changes)
    trial.skipped = decoder.skipped
    trial.instances = len({change.instance for change in changes if change.instance})
    trial.of_none = sum(not change.instance for change in changes) if mapping.instance is not None else 0
    trial.columns = _columns(mapping, records, decoder, schema_of)
    trial.undeclared = _undeclared(mapping, images)
    trial.faults = _faults(trial, told)
    warnings = decoder.warnings + [line for view in trial.views for line in view.warnings]
    trial.advice = list(dict.fromkeys(_advice(trial, records, changes, images) + warnings))
    return trial


def _decode(trial: Trial, decoder: Decoder, record: Recorded) -> list[Change]:
    try:
        return _changes(decoder, record)
    except BadInput as error:
        _refuse(trial, record, error)
        return []


def _refuse(trial: Trial, record: Recorded, error: BadInput) -> None:
    place = f"{record.topic}[{record.partition}]@{record.offset}"
    refusal = trial.refused.setdefault(error.reason, Refusal(place, str(error), looks_like(record.value)))
    refusal.count += 1


def _changes(decoder: Decoder, record: Recorded) -> list[Change]:
    return decoder.decode_all(
        key=record.key, value=record.value, headers=record.headers, timestamp=record.timestamp, topic=record.topic,
        partition=record.partition, offset=record.offset,
    )  # fmt: skip


def _images(mapping: TableMapping, record: Recorded, schema_of: SchemaOf | None) -> list[RowImage]:
    if is_ingested(record.headers):  # rows that no capture wrote are plain Debezium JSON in every topic
        mapping = msgspec.structs.replace(mapping, dialect="debezium-json", format=Format())
    return row_images(mapping, record.value, schema_of)


def _columns(
    mapping: TableMapping, records: Sequence[Recorded], decoder: Decoder, schema_of: SchemaOf | None
) -> list[ColumnTrial]:
    """Look at each declared column by itself, so that one that cannot be read hides no other."""
    found = []
    for name, column in mapping.columns.items():
        trial = ColumnTrial(name, column.type, unknown_codes=decoder.unknown_codes.get(name, 0))
        alone = msgspec.structs.replace(
            mapping, columns={name: msgspec.structs.replace(column, is_kept=True)}, key=(), instance=None, constants={}
        )
        only = Decoder(alone, schema_of=schema_of)
        for record in records:
            _look(trial, only, record, column.name)
        found.append(trial)
    return found


def _look(trial: ColumnTrial, decoder: Decoder, record: Recorded, field_name: str) -> None:
    try:
        changes = _changes(decoder, record)
    except BadInput as error:
        trial.unreadable += error.detail.startswith(_OF_A_COLUMN)
        return
    for change in changes:
        if change.op == "d":
            continue
        if field_name not in change.fields:
            trial.missing += 1
        elif (value := change.fields[field_name]) is None:
            trial.null += 1
        else:
            trial.seen += 1
            trial.values.append(value)


def _undeclared(mapping: TableMapping, images: Sequence[RowImage]) -> list[Undeclared]:
    known = {*mapping.columns, *mapping.key}
    values: dict[str, list[Any]] = {}
    types: dict[str, str] = {}
    for image in images:
        types |= image.types
        for name, value in image.row.items():
            if (lowered := name.lower()) not in known:
                values.setdefault(lowered, []).append(value)
    return [
        Undeclared(name, len(came), guess_type(name, [each for each in came if each is not None], types.get(name, "")))
        for name, came in values.items()
    ]  # fmt: skip


def _faults(trial: Trial, told: Sequence[tuple[Recorded, list[Change]]]) -> list[str]:
    found = [f"{refusal.count} of {trial.records} refused: {reason}" for reason, refusal in trial.refused.items()]
    if not trial.decoded and not trial.refused:
        kinds = ", ".join(trial.skipped) or "none"
        found.append(f"no record tells of a row (only: {kinds}): is this the table's own topic?")
    mapping = trial.mapping
    if mapping.message_key != "row":
        changes = [(record, change) for record, changes in told for change in changes if change.instance]
        wrong = sum(
            record.key != mapping.key_form.replace(b"%b", change.instance.encode()) for record, change in changes
        )
        if wrong:
            wanted = mapping.key_form.decode().replace("%b", "…")
            found.append(
                f"message_key: {mapping.message_key} is declared, but {wrong} of {len(changes)} changes are not keyed "
                f"by {wanted}: set message.key.columns at the connector, or leave message_key out"
            )
    return found


def _advice(
    trial: Trial, records: Sequence[Recorded], changes: Sequence[Change], images: Sequence[RowImage]
) -> list[str]:
    mapping = trial.mapping
    captured = [record for record in records if not is_ingested(record.headers)]
    found = [line for record in captured for line in advice_on(mapping, key=record.key, value=record.value)]
    found += whole_advice(trial.partitions, captured, is_said=any("no key" in line for line in found))
    found += order_advice(mapping, changes, images)
    if mapping.instance is not None and changes and trial.of_none == len(changes):
        found.append(f"no row names its instance: {mapping.instance} is always null")
    found += absence_advice(trial.columns, [each.name for each in trial.undeclared])
    for column in trial.columns:
        found += time_advice(column, images) + decimal_advice(column, images)
        if column.unknown_codes:
            found.append(
                f"column {column.name}: {column.unknown_codes} values are in no code list; add them under `codes:`"
            )
    return found
