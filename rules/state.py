"""What a partition of the engine holds: instances, their rows and visits, and what was raised.

MessagePack arrays on the changelog: the order of the attributes is the format. `gc=False` because none
of these can be part of a cycle, and a million of them would make every collection slow.
"""

from __future__ import annotations

import msgspec

from schemas import Number, WireValue

VISIT_FIELDS = (
    "stage", "visit", "entered_at", "finished_at", "suspend_from", "suspend_to", "result", "dept", "handler",
)  # fmt: skip
"""Fields of a visit row that state keeps; other columns are the store's business."""


class Place(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where a record was read: topic, partition, offset."""

    topic: str
    partition: int
    offset: int


class Row(msgspec.Struct, array_like=True, gc=False):
    """One source row of an instance (its own row, a project, a report), fused column by column."""

    position: int
    """Source position of the newest change applied."""
    fields: dict[str, WireValue]
    """Every column seen; None is null. Decimals are kept as on the wire (`schemas.to_wire`)."""
    place: Place
    is_deleted: bool = False
    older: dict[str, int] | None = None
    """Columns that the newest change lacked, with the position of the change they come from."""
    order: int = 0
    """Of the changes at `position` (of one commit) the newest applied: `Change.order`."""
    said: int = 0
    """Position of the latest time that a row from outside said (`schemas.ingested`); 0: none did."""
    told: dict[str, WireValue] | None = None
    """What the row itself says, where another source is believed in some field and `fields` has what counts."""


class Visit(msgspec.Struct, array_like=True, gc=False):
    """One visit of a stage: one progress row."""

    row: str
    position: int
    place: Place
    stage: str | None = None
    visit: int | None = None
    entered_at: int | None = None
    finished_at: int | None = None
    suspend_from: int | None = None
    suspend_to: int | None = None
    result: str | None = None
    dept: str | None = None
    handler: str | None = None
    older: tuple[tuple[str, int], ...] = ()
    """Columns whose own position is older than `position` (`BEFORE_ALL`: never seen)."""
    spans: tuple[tuple[int, int], ...] = ()
    """Suspensions that ended before the row's present one began."""
    is_deleted: bool = False
    restarted_at: int | None = None
    """Arrival of the last works report that does not say when it was submitted (idle rules)."""
    due: int | None = None
    """When the next rung falls due; derived."""
    is_on_time: bool | None = None
    """Whether it ended within its limit; None while open or without a limit."""
    took: int | None = None
    """Net workdays from start to end; None while open."""
    order: int = 0
    """As `Row.order`."""
    said: int = 0
    """As `Row.said`."""


class Raised(msgspec.Struct, array_like=True, gc=False):
    """A rung that was raised."""

    at: int
    """When it fired."""
    due: int | None
    """The time that the rung stands for."""
    deadline: int | None
    is_open: bool = True
    unit: str | None = None
    """Whose it was when it fired ("": nobody's), so that what becomes of it reaches who was told; None: not kept."""


TIME_ENDS = ("_at", "_from", "_to", "_start", "_finish")
"""How the names of fields end that hold times."""


def is_time(name: str, value: WireValue) -> bool:
    """Tell whether a field holds a time, epoch ms."""
    return isinstance(value, int) and not isinstance(value, bool) and name.endswith(TIME_ENDS)


def rung_key(stage: str | None, visit: int | None, item: str | None, severity: str) -> str:
    """Give the key of one rung among those of its rule: `stage|visit|item|severity`."""
    return f"{_quoted(stage)}|{'' if visit is None else visit}|{_quoted(item)}|{severity}"


def rung_parts(key: str) -> tuple[str | None, int | None, str | None, str]:
    """Undo `rung_key`."""
    stage, visit, item, severity = key.split("|")
    return _unquoted(stage), int(visit) if visit else None, _unquoted(item), severity


def _quoted(text: str | None) -> str:
    if not text:
        return ""
    return text.replace("%", "%25").replace("|", "%7C") if "|" in text or "%" in text else text


def _unquoted(text: str) -> str | None:
    return text.replace("%7C", "|").replace("%25", "%") if "%" in text else text or None


class InstanceHead(msgspec.Struct, array_like=True, gc=False):
    """The beginning of an encoded instance: what can be told without decoding the rest."""

    key: str
    scheduled: int | None = None
    """The time in the partition's timer heap; derived."""
    index: tuple[str, ...] = ()
    """Keys under which reference data find it; derived."""


class InstanceSummary(InstanceHead, array_like=True, gc=False):
    """The head of an encoded instance and what it counts for."""

    process: str | None = None
    raised: dict[str, dict[str, Raised]] | None = None
    """What was raised: by rule code (`code@process` for a process that it left), then by `rung_key`."""


class Instance(InstanceSummary, array_like=True, gc=False):
    """One process instance: everything known about one application, or one negative-list item."""

    main: Row | None = None
    """The row that is the instance itself; None: only rows that refer to it are known (orphans)."""
    visits: list[Visit] = []
    others: dict[str, Row] | None = None
    """Further rows, by `entity:row`."""
    over_at: int | None = None
    """When it was over, epoch ms; None while it runs."""
    due: int | None = None
    """When the next rung of the rules about the whole instance falls due; derived."""
    since: int = 0
    """Arrival of the first row, epoch ms (orphans wait from here)."""
    released_at: int | None = None
    """Negative-list items only: when it was cleared while an application below it still waited."""
    rules: int = 0
    """How often its partition had taken up other rules when it began, or was last touched in the middle of that."""
    edition: int = 0
    """Serial of the rules whose definitions it keeps, as far as newer ones apply to new instances only; 0: none."""
    counted: dict[str, list[tuple[str, str, str, str, Number, Number]]] | None = None
    """What its rows were counted for in indicators, by `entity:row` ("": its own row): parts, as of `Step.count`."""
    told: dict[str, int] | None = None
    """Messages (no alerts) that were told, or were history when they came: `message:row` -> number of the newest."""


STATE_FORMAT = 4
"""Of what is in the changelog. Higher than what is found: a worker of this version cannot read it."""


class RulesMark(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Which rules a partition judges by, and how far it has come in taking them up."""

    serial: int = 0
    """Of the published set; 0: the set of the worker's own folders."""
    digest: str = ""
    before: int = -1
    """Serial of the set that is being left; -1: none is."""
    cursor: str = ""
    """Instances up to this key have been taken up."""
    times: int = 0
    """How often other rules were taken up, this time included."""
    at: int = 0
    """The clock's time at which the set came to count."""


class PartitionPosition(msgspec.Struct, array_like=True):
    """The engine's part of a partition's position record."""

    clock: int
    notify_from: int
    reference: dict[str, int]
    """Next offset per reference source partition (`topic:partition`) whose events were judged."""
    state_format: int = 1
    rules: RulesMark = RulesMark()
