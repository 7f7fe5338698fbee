"""How a source is doing: whether it runs, when it last spoke, and how that compares with its usual rhythm. Pure.

`connectors.flow` says what the broker knows; `stagewatch sources` shows what is concluded here. A source that is
silent for longer than its normal gap is finding R-D01.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from connectors.outside_rows import MOST_AHEAD_MS
from connectors.source_models import SourceModel

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SPARE = 3
"""Where no limit is declared: so many times the longest gap that was seen, since the next may be a little longer."""
LEAST_LIMIT_MS = 15 * 60_000
"""And never less than this: a burst of records says nothing about the rhythm."""
LEAST_GAPS = 20
"""So many gaps must have been seen before they count as a rhythm."""
DATED_AHEAD = "records dated in the future, which do not count; set the clock of what writes them right"


class State(StrEnum):
    """What a source or table does."""

    RUNNING = "running"
    SILENT = "silent"
    """Longer than its normal gap (R-D01)."""
    STOPPED = "stopped"
    """Its connector does not run."""
    EMPTY = "empty"
    """Its topics hold no record."""
    ABSENT = "absent"
    """It has no topic: it is not captured here."""


@dataclass(frozen=True, slots=True)
class TopicFlow:
    """What the broker tells of one topic."""

    records: int
    """Between its beginning and its end, transactions' own marks included."""
    unread: int | None
    """Not read by the worker yet; None: the worker has never read it."""
    last_at: int | None
    """Timestamp of the newest record, epoch ms; of those that say when they came (`came`), if there are any."""
    gaps: tuple[int, ...]
    """Between the newest records, ms."""
    refused: int = 0
    """Dead letters from it."""
    ahead: int = 0
    """How many of the newest records are dated so far into the future that they do not say when they came."""


@dataclass(frozen=True, slots=True)
class TableHealth:
    """How one table is doing."""

    source: str
    table: str
    topic: str
    state: State
    last_at: int | None
    usual_gap_ms: int | None
    """The longest of the gaps that were seen."""
    limit_ms: int | None
    records: int
    unread: int | None
    refused: int


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How one source is doing."""

    source: str
    title: str
    state: State
    why: str
    last_at: int | None
    usual_gap_ms: int | None
    limit_ms: int | None
    records: int
    unread: int
    refused: int
    tables: tuple[TableHealth, ...]


def came(at: int, now: int) -> bool:
    """Tell whether a record of this time (epoch ms) can have come at it, by clocks that keep time."""
    return at <= now + MOST_AHEAD_MS


def span_ms(text: str | None) -> int | None:
    """Give a declared span (`16h`) in milliseconds."""
    return None if text is None else int(text[:-1]) * _UNITS[text[-1]] * 1000


def late_limit_ms(model: SourceModel, table: str) -> int | None:
    """Give how late a record of a table (lower case) may arrive, in milliseconds; None: as late as it likes."""
    own = {each.lower(): said for each, said in model.tables.items()}[table].late_after
    said = own or model.late_after
    return None if said == "off" else span_ms(said)


def source_health(
    model: SourceModel,
    topics: Mapping[str, str],
    flows: Mapping[str, TopicFlow],
    *,
    now: int,
    connectors: Sequence[str] = (),
) -> SourceHealth:
    """Conclude how a source is doing.

    `topics`: table to topic; `flows`: by topic, those that exist; `connectors`: what is wrong with its connectors, a
    line each, none if they run.
    """
    tables = tuple(_table_health(model, name, topic, flows.get(topic), now=now) for name, topic in topics.items())
    captured = [flows[topic] for topic in topics.values() if topic in flows]
    last_at = max((at for flow in captured if (at := _last_at(flow, now)) is not None), default=None)
    # The gaps between records of any table: a source speaks when one of its tables does.
    usual = min((found for flow in captured if (found := _usual(flow)) is not None), default=None)
    limit = span_ms(model.quiet_after) or _guessed(usual)
    state = State.STOPPED if connectors else _state(captured, last_at, limit, now)
    ahead = [name for name, topic in topics.items() if topic in flows and flows[topic].ahead]
    why = "; ".join(connectors) or _why(state, tables, last_at=last_at, now=now)
    if ahead:
        why = "; ".join(filter(None, [why, f"{', '.join(ahead)}: {DATED_AHEAD}"]))
    return SourceHealth(
        model.source.lower(), model.title, state, why, last_at, usual, limit,
        records=sum(flow.records for flow in captured), unread=sum(flow.unread or 0 for flow in captured),
        refused=sum(table.refused for table in tables), tables=tables,
    )  # fmt: skip


def _table_health(model: SourceModel, name: str, topic: str, flow: TopicFlow | None, *, now: int) -> TableHealth:
    usual = _usual(flow) if flow else None
    # A source's own limit is about all of its tables together: one of them may change once a year.
    limit = span_ms({each.lower(): table for each, table in model.tables.items()}[name].quiet_after)
    captured = [flow] if flow else []
    last_at = _last_at(flow, now) if flow else None
    return TableHealth(
        model.source.lower(), name, topic, _state(captured, last_at, limit, now), last_at, usual, limit,
        records=flow.records if flow else 0, unread=flow.unread if flow else None, refused=flow.refused if flow else 0,
    )  # fmt: skip


def _state(captured: Sequence[TopicFlow], last_at: int | None, limit: int | None, now: int) -> State:
    if not captured:
        return State.ABSENT
    if last_at is None:
        # Records are there, and none says when it came: nothing shows that the source speaks.
        return State.EMPTY if all(flow.last_at is None for flow in captured) else State.SILENT
    return State.SILENT if limit is not None and now - last_at > limit else State.RUNNING


def _why(state: State, tables: Iterable[TableHealth], *, last_at: int | None, now: int) -> str:
    if state == State.SILENT and last_at is not None:
        return f"R-D01: nothing for {short_span(now - last_at)}"
    silent = [table.table for table in tables if table.state == State.SILENT]
    return f"R-D01: {', '.join(silent)} silent" if silent else ""


def _last_at(flow: TopicFlow, now: int) -> int | None:
    """Give when it spoke last: of a clock that is a little ahead, now at the latest."""
    return min(flow.last_at, now) if flow.last_at is not None and came(flow.last_at, now) else None


def _usual(flow: TopicFlow) -> int | None:
    return max(flow.gaps) if len(flow.gaps) >= LEAST_GAPS else None


def _guessed(usual: int | None) -> int | None:
    return None if usual is None else max(SPARE * usual, LEAST_LIMIT_MS)


def short_span(ms: int | None) -> str:
    """Give a span for people: `3d 4h`, `16h`, `12m`, `5s`; nothing for None."""
    if ms is None:
        return ""
    seconds = max(ms, 0) // 1000
    days, hours, minutes = seconds // 86_400, seconds % 86_400 // 3600, seconds % 3600 // 60
    if days:
        return f"{days}d {hours}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m" if minutes else f"{seconds}s"
