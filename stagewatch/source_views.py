"""A table's further views (`also:`): how they are declared, and what the newest records tell through them.

Pure. Called by `stagewatch sources describe` and `try`. Each view is read by the worker's own fan-out, so what is told
here is told there, where a loaded process follows such instances.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from schemas import BadInput, Decoder, FanOut, decoder_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from schemas import Change, Recorded, SchemaOf, TableMapping, Value, View


@dataclass(slots=True)
class ViewTrial:
    """What one view told."""

    mapping: TableMapping
    rows: int = 0
    """Changes that tell a row of an instance."""
    instances: set[str] = field(default_factory=set)
    gone: int = 0
    """Rows that left their instance: deleted, moved, or no longer fitting."""
    untold: Counter[str] = field(default_factory=Counter)
    """Rows that are nobody's in this view, by reason."""
    refused: list[tuple[Recorded, BadInput]] = field(default_factory=list)
    """Records that the table itself takes and this view does not: a worker refuses them whole."""
    warnings: list[str] = field(default_factory=list)


def instance_form(mapping: TableMapping) -> str:
    """Give a view's instance key as it is declared: `pkg_no`, `billing:{cons_no}`."""
    where = _where(mapping)
    is_plain = not where.prefix and len(where.instance) == 1
    return where.instance[0] if is_plain else where.prefix + ":".join(f"{{{name}}}" for name in where.instance)


VIEW_HEAD = ["topic", "view", "instance", "of", "when", "columns", "beside"]


def view_row(own: TableMapping, view: TableMapping) -> list[str]:
    """Give what a view of a table tells, to whom and where, below `VIEW_HEAD`."""
    where = _where(view)
    kept = {name for name, column in own.columns.items() if column.is_kept}
    fed = [name if column.name == name else f"{name} as {column.name}" for name, column in view.columns.items()]
    return [
        own.topic,
        view.entity,
        instance_form(view),
        ", ".join(where.of),
        "; ".join(f"{name}: {', '.join(sorted(map(str, values)))}" for name, values in where.when.items()),
        "all kept" if view.columns.keys() == kept else ", ".join(fed),
        ", ".join(sorted(where.beside)),
    ]


def _where(view: TableMapping) -> View:
    if view.view is None:
        raise TypeError(f"{view.topic}: a table's own rows are no further view of it")
    return view.view


def try_views(mapping: TableMapping, records: Sequence[Recorded], schema_of: SchemaOf | None) -> list[ViewTrial]:
    """Give what each view of a table tells of records that the table itself takes."""
    return [_tried(mapping, view, records, schema_of) for view in mapping.also]


def _tried(
    mapping: TableMapping, view: TableMapping, records: Sequence[Recorded], schema_of: SchemaOf | None
) -> ViewTrial:
    # held by nobody itself, a table with one view tells just what that view tells
    alone = msgspec.structs.replace(mapping, instance=None, is_reference=False, also=(view,))
    worker, reader = decoder_of(alone, schema_of=schema_of), Decoder(view, schema_of=schema_of)
    trial = ViewTrial(view)
    for record in records:
        try:
            told = _changes(worker, record)
            seen = list(_seen(reader, record, trial))
        except BadInput as error:
            trial.refused.append((record, error))
            continue
        _count(trial, told, seen)
    trial.warnings = worker.warnings
    return trial


def _seen(reader: Decoder, record: Recorded, trial: ViewTrial) -> Iterator[Change]:
    """Give a record's changes as the view reads them, told or not; counts rows that do not say whose they are."""
    try:
        yield from _changes(reader, record)
    except BadInput as error:
        if error.reason != "missing-key":
            raise
        trial.untold[f"without {error.detail}"] += 1


def _count(trial: ViewTrial, told: Sequence[Change], seen: Sequence[Change]) -> None:
    rows = [change for change in told if change.instance and change.op != "d"]
    trial.rows += len(rows)
    trial.instances |= {change.instance for change in rows}
    trial.gone += sum(bool(change.left) or change.op == "d" for change in told)
    trial.untold.update(
        _why(trial.mapping, change.fields) for change in seen if not change.instance and change.op != "d"
    )


def _why(mapping: TableMapping, fields: Mapping[str, Value]) -> str:
    """Say why a row is nobody's: the first condition that it fails, or the column of its key that is null."""
    where = _where(mapping)
    for name, wanted in where.when.items():
        if fields.get(mapping.columns[name].name) not in wanted:
            return f"other {name}"
    empty = [name for name in where.instance if not fields.get(mapping.columns[name].name)]
    return f"{empty[0]} is null" if empty else "no instance"


def _changes(decoder: Decoder | FanOut, record: Recorded) -> list[Change]:
    return decoder.decode_all(
        key=record.key, value=record.value, headers=record.headers, timestamp=record.timestamp, topic=record.topic,
        partition=record.partition, offset=record.offset,
    )  # fmt: skip
