"""Rows that no capture wrote: from a file, a web service or another network, in the topic of any captured table.

Why: a table's topic is in its source's dialect, and a row by hand has to be read there too. Such a row is always a
change event in Debezium's form, with the header `stagewatch.ingest`, whatever the topic's dialect is, and its
`source` says who brought it and when the row was true (`src_ts`).

Such a row has no place in the source's log, only a time. Its position is below zero and grows with `src_ts`: rows of
this kind are ordered among themselves by their time, so that a repeat changes nothing; only one whose sender gives no
time comes after all that stands before it in the log. Against the source's own changes `rules` orders them by the
topic's log.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from schemas.change import Change, Op, Value

INGEST_HEADER = "stagewatch.ingest"
"""Its value names the road: `file`, `pull`, `push`, `relay`."""

Road = Literal["file", "pull", "push", "relay"]

_OUTSIDE = -(1 << 62)
"""Far below every epoch ms, and half the range of 64 bits, so that no sum of both overflows or reaches zero."""
BEFORE_ALL = -(1 << 63)
"""The position of what is not known yet: before every row's."""
BY_LOG = -1
"""The position of a row whose place in its topic alone says how new it is: one that Debezium's incremental snapshot
read. It is above all rows from outside and below every position in a source's log."""
CLOSED = (1 << 63) - 1
"""The order of a row that was changed from outside: what comes at the same position is a repeat of what was before."""
BY_ARRIVAL = 1
"""The order of a row from outside whose sender gives no time. Its `src_ts` is the clock of who took it, and clocks of
several nodes do not agree: it is newer than every row from outside that stands before it in the log."""
_MOST_MS = 1 << 53
"""Beyond every date that JSON readers agree about."""


def ingested_position(src_ts: int) -> int:
    """Give the position of a row that was true at `src_ts` (epoch ms): below zero, and growing with time."""
    return _OUTSIDE + min(max(src_ts, -_MOST_MS), _MOST_MS)


def comes_after(position: int, known: int, *, is_later: bool) -> bool:
    """Tell whether a change comes after what is known of its row.

    `is_later`: it stands behind in the topic's log. That decides where a row has no place in the source's log (it is
    from outside, or `BY_LOG`) and is held against one that has; the row then keeps the source's position, so that what
    the source says next is newer again. It decides, too, between equal positions: clocks are no finer, and of one
    transaction the log has the order.
    """
    if position < 0 and known >= BY_LOG:
        return is_later
    return position > known or (position == known and is_later)


def supersedes(change: Change, position: int, order: int, *, is_later: bool) -> bool:
    """Tell whether a change comes after what its row has, which stands at this position and order (`standing`).

    `is_later`: it stands behind in the log, see `comes_after`.
    """
    if change.position == position >= 0:
        return change.order > order or (change.order == order and is_later)
    if change.position == BY_LOG and 0 < change.order < position:
        return False  # a snapshot of before the row's last change, read late from another partition
    if change.order == BY_ARRIVAL and change.position < BY_LOG and BEFORE_ALL < position < BY_LOG:
        return is_later
    return comes_after(change.position, position, is_later=is_later)


def standing(change: Change, position: int, order: int) -> tuple[int, int]:
    """Give position and order of a row that had these, once a newer change is applied to it."""
    if change.position >= position:
        return change.position, change.order
    # What an incremental snapshot read may be sent again together with the change before or behind it.
    return position, order if change.position == BY_LOG else CLOSED


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
    """Line or sheet row of the file."""
    undoes: str = ""
    """The batch that this row takes back."""
    by_arrival: bool = False
    """Nobody says when the row was true: `src_ts` is when it came."""

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
    return _to_json({"op": op, image: row, "source": origin, "ts_ms": origin.src_ts})


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
