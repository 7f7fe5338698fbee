"""Rows that no capture wrote: from a file, a web service or another network, in the topic of any captured table.

Why: a table's topic is in its source's dialect, and a row by hand has to be read there too. Such a row is always a
change event in Debezium's form, with the header `stagewatch.ingest`, whatever the topic's dialect is, and its
`source` says who brought it and when the row was true (`src_ts`).

The law, which row of a key counts. Its records are read in the order of its topic's partition, each at least once:

1. The source's own changes are ordered by their place in its log, whatever stands between them; by their arrival where
   the source tells no place (`schemas.arrival_order`).
2. A row whose sender says when it was true (`src_ts`) counts if it says a later time than every such row before it. Of
   two at the same time the later in the topic holds, as long as nothing else came between: behind that it is a repeat.
3. A row whose sender says no time (`by_arrival`) counts as it comes. Clocks of several nodes do not agree, so none is
   asked; who writes it, writes it once.
4. Between these three the topic decides: what counts is newer than all that stands before it.

So whatever is sent again changes nothing: a row remembers, beside its place in the source's log, the latest time that a
row from outside said. Senders that say times are held against one another by them, so their clocks have to agree.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from schemas.arrival_order import FIRST_ARRIVAL
from schemas.change import Change, Op, Value

INGEST_HEADER = "stagewatch.ingest"
"""Its value names the road: `file`, `pull`, `push`, `relay`."""

Road = Literal["file", "pull", "push", "relay"]

_OUTSIDE = -(1 << 62)
"""Far below every epoch ms, and half the range of 64 bits, so that no sum of both overflows or reaches zero."""
BEFORE_ALL = -(1 << 63)
"""The position of what is not known yet: before every row's."""
BY_LOG = FIRST_ARRIVAL - 1
"""The position of a row whose place in its topic alone says how new it is: one that a snapshot read, or one from
outside whose sender gives no time. It is above all rows with a time and below every change that was captured."""
CLOSED = (1 << 63) - 1
"""The order of a row that was changed from outside: what comes at the same position is a repeat of what was before. Of
a row from outside without a time, too."""
DATED = CLOSED - 1
"""As `CLOSED`, where the change from outside said its time: another of the same time is not a repeat yet."""
_MOST_MS = 1 << 53
"""Beyond every date that JSON readers agree about."""


def ingested_position(src_ts: int) -> int:
    """Give the position of a row that was true at `src_ts` (epoch ms): below zero, and growing with time."""
    return _OUTSIDE + min(max(src_ts, -_MOST_MS), _MOST_MS)


class Standing(Protocol):
    """What is known of a row, as far as it decides what is newer."""

    @property
    def position(self) -> int:
        """Place in the source's log of the newest change, or its arrival; else `BY_LOG`, or the time the row says."""

    @property
    def order(self) -> int:
        """Order within that position; `CLOSED` or `DATED` once a row from outside came over it."""

    @property
    def said(self) -> int:
        """Position of the latest time that a row from outside said; 0: none did, or the row stands at it."""


def supersedes(change: Change, known: Standing, *, is_later: bool) -> bool:
    """Tell whether a change counts over what is known of its row (the law above).

    `is_later`: it stands behind in the topic's log. That decides between equal positions, too: clocks are no finer, and
    of one transaction the log has the order.
    """
    position = change.position
    if position > BY_LOG:
        return _is_captured_later(change, known, is_later=is_later)
    if known.position == BEFORE_ALL:
        return True
    if position < BY_LOG:
        return _is_said_later(position, known, is_later=is_later)
    if 0 < change.order < known.position:
        return False  # a snapshot of before the row's last change, read late from another partition
    return is_later


def _is_captured_later(change: Change, known: Standing, *, is_later: bool) -> bool:
    position = change.position
    if position < 0 and (known.position >= 0 or (position == known.position and known.order >= DATED)):
        return is_later  # an arrival against a place in the log, or against what came from outside in its millisecond
    if position == known.position:
        return change.order > known.order or (change.order == known.order and is_later)
    return position > known.position


def _is_said_later(position: int, known: Standing, *, is_later: bool) -> bool:
    stands = known.position < BY_LOG or known.order == DATED
    said = latest_said(known)
    if position == said:
        return stands and is_later
    return position > said and (stands or is_later)


def latest_said(known: Standing) -> int:
    """Give the position of the latest time that a row from outside said; `BEFORE_ALL` if none did."""
    return known.said or (known.position if known.position < BY_LOG else BEFORE_ALL)


def standing(change: Change, known: Standing) -> tuple[int, int, int]:
    """Give position, order and said time of a row, once a newer change is applied to what was known of it.

    Over a row of the source it keeps the source's position, so that what the source says next is newer again.
    """
    position, before = change.position, known.position
    if position >= before >= BY_LOG:  # hot path
        return position, change.order, known.said
    if position < BY_LOG:
        return (before, DATED, position) if before > BY_LOG else (position, change.order, position)
    if before < BY_LOG:
        return position, change.order, known.said or (before if before > BEFORE_ALL else 0)
    # What an incremental snapshot read may be sent again together with the change before or behind it.
    is_closed = change.order == CLOSED or known.order >= DATED
    return before, CLOSED if is_closed else known.order, known.said


def is_ingested(headers: Mapping[str, Any] | Sequence[tuple[str, Any]] | None) -> bool:
    """Tell whether a record is in Debezium's form although its topic's dialect is another."""
    if not headers:
        return False
    names: Callable[[], Any] | None = getattr(headers, "keys", None)
    return INGEST_HEADER in (names() if names else [header[0] for header in headers])


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who brought a row: the record's `source`. Kept so that lineage and undo can name it."""

    connector: str
    """`stagewatch-file`, `stagewatch-pull`, `stagewatch-push`, `stagewatch-relay`."""
    src: str
    """What `_src` of the landed row is: `manual`, `etl`, `web`."""
    src_ts: int
    """When the row was true, epoch ms."""
    batch: str = ""
    operator: str = ""
    row_no: int = 0
    """Line or sheet row of the file; place in the request, from 1."""
    undoes: str = ""
    """The batch that this row takes back."""
    by_arrival: bool = False
    """Nobody says when the row was true: `src_ts` is when it was taken, and orders nothing."""

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """What the record has to carry."""
        return [(INGEST_HEADER, self.connector.removeprefix("stagewatch-").encode())]


class _Envelope(msgspec.Struct):
    source: Origin | None = None


_to_json = msgspec.json.Encoder(decimal_format="string").encode
_read_envelope = msgspec.json.Decoder(_Envelope).decode


def encode_ingested(op: Op, row: Mapping[str, Value], origin: Origin) -> bytes:
    """Give the record's value; `row` by source column, times as text or as the source's numbers.

    A delete's row needs no more than its key and the instance.
    """
    image = "before" if op == "d" else "after"
    try:
        return _to_json({"op": op, image: row, "source": origin, "ts_ms": origin.src_ts})
    except UnicodeEncodeError:  # half of a surrogate pair: escaped as it came, and whoever reads it refuses the row
        return json.dumps({"op": op, image: row, "source": msgspec.to_builtins(origin)}, default=str).encode()


def encode_marker(kind: Literal["start", "end"], rows: int, origin: Origin) -> bytes:
    """Give what stands before or after the rows of a full load: a message event, which tells no change."""
    return _to_json(
        {"op": "m", "message": {"prefix": f"stagewatch.batch-{kind}", "rows": rows}, "source": origin}
    )  # fmt: skip


def read_origin(value: bytes) -> Origin | None:
    """Give who brought a record's row; None if it was no row of ours."""
    try:
        return _read_envelope(value).source
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
