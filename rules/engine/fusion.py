"""Fusion: what a change of one row does to the state of its instance, column by column.

Every row keeps the source position of the newest change applied, and for columns that this change lacked
the older position that they come from. So the order in which changes arrive does not matter, a repeat
changes nothing, and a missing column is not a null one. Where positions do not tell two changes apart (two of one
transaction, and a source that does not number them), the later in the topic's partition is the newer. The fields of a
row are replaced, never changed in place: changes and reference data share them.
"""

from typing import Any, Protocol

from rules.state import VISIT_FIELDS, Place, Row, Visit
from schemas import BEFORE_ALL, BY_LOG, DATED, Change, Standing, latest_said, standing, supersedes, to_wire

_NEVER: dict[tuple[str, ...], tuple[tuple[str, int], ...]] = {}
"""Shape of a change → the visit columns it lacks, never seen; shared by all visits of that shape."""


def place_of(change: Change) -> Place:
    """Give where the change was read."""
    return Place(change.topic, change.partition, change.offset)


class Known(Standing, Protocol):
    """What is known of a row, and where its newest change was read."""

    @property
    def place(self) -> Place:
        """Of a row that nothing is known of (`BEFORE_ALL`) any."""


def is_newer(change: Change, known: Known) -> bool:
    """Tell whether a change comes after what its row has: by the source, else by the log."""
    position, place = known.position, known.place
    is_elsewhere = change.partition != place.partition or change.topic != place.topic
    if change.position >= 0 and change.position != position:  # hot path
        if position == BY_LOG and known.order < DATED and is_elsewhere:  # a snapshot's row: the moment that it shows
            return change.position > known.order
        return change.position > position
    is_behind = change.offset > place.offset
    # Of one position in the source: in another topic it tells of another table, in another partition it is a repeat.
    # From outside: in another partition (a key that the source writes otherwise) it counts as it comes.
    is_later = is_behind and not is_elsewhere if change.position >= 0 else is_behind or is_elsewhere
    return supersedes(change, known, is_later=is_later)


def new_row(change: Change) -> Row:
    """Give a row that knows only this change.

    A delete says nothing about columns: its image may hold a null for every one but the key.
    """
    is_deleted = change.op == "d"
    fields = {} if is_deleted else to_wire(change.fields)
    return Row(change.position, fields, place_of(change), is_deleted, order=change.order)


def fuse_row(row: Row, change: Change) -> bool:
    """Apply the change to a known row; false if it said nothing new."""
    if is_newer(change, row):
        if change.position <= row.position and not _says_later(change, row) and _is_told(row, change):
            return False
        _fuse_newer(row, change)
        return True
    if change.position == row.position or not row.older:  # at one position two tables may tell of the same row
        return _fill_unseen(row, change)
    return _fuse_older(row, change)


def _says_later(change: Change, known: Known) -> bool:
    """Tell whether a change says a later time than any before: that is new whatever else it says."""
    return latest_said(known) < change.position < BY_LOG


def _is_told(row: Row, change: Change) -> bool:
    """Tell whether the row is what the change says: only a place in the log would be new."""
    if change.op == "d" or row.is_deleted:
        return change.op == "d" and row.is_deleted
    known = row.fields
    return all(name in known and known[name] == value for name, value in to_wire(change.fields).items())


def _fuse_newer(row: Row, change: Change) -> None:
    fields = change.fields
    if row.older is None and change.op != "d" and row.fields.keys() <= fields.keys():  # the usual row, whole
        row.fields = to_wire(fields)
        row.is_deleted, row.place = False, place_of(change)
        row.position, row.order, row.said = standing(change, row)
        return
    row.is_deleted = change.op == "d"
    fields = {} if row.is_deleted else fields
    lacking = [name for name in row.fields if name not in fields]
    older = row.older or {}
    row.older = {name: older.get(name, row.position) for name in lacking} or None
    row.fields = {**row.fields, **to_wire(fields)}
    row.position, row.order, row.said = standing(change, row)
    row.place = place_of(change)


def _fill_unseen(row: Row, change: Change) -> bool:
    unseen = [name for name in change.fields if name not in row.fields]
    if not unseen or change.op == "d":
        return False
    fields = to_wire(change.fields)
    row.fields = {**row.fields, **{name: fields[name] for name in unseen}}
    row.older = {**(row.older or {}), **dict.fromkeys(unseen, change.position)}
    return True


def _fuse_older(row: Row, change: Change) -> bool:
    if change.op == "d" or row.older is None:
        return False
    news = {
        name: value
        for name, value in to_wire(change.fields).items()
        if name not in row.fields or row.older.get(name, row.position) < change.position
    }
    row.fields = {**row.fields, **news}
    row.older = {**row.older, **dict.fromkeys(news, change.position)}
    return bool(news)


def new_visit(change: Change) -> Visit:
    """Give a visit that knows only this change."""
    visit = Visit(change.row, BEFORE_ALL, place_of(change))
    fuse_visit(visit, change)
    return visit


def fuse_visit(visit: Visit, change: Change) -> bool:
    """Apply the change to a visit; false if it said nothing new."""
    fields = change.fields
    if not is_newer(change, visit):
        return bool(visit.older) and change.op != "d" and _fuse_older_visit(visit, change)
    if change.position <= visit.position and not _says_later(change, visit) and _is_told_visit(visit, change):
        return False
    if change.op == "d":
        visit.is_deleted = True
        visit.older = _older(visit, _lacking(()))
    else:
        visit.is_deleted = False
        lacking = _lacking(tuple(fields))
        if lacking is not visit.older:
            visit.older = _older(visit, lacking)
        _remember_span(visit, change)
        _set_fields(visit, fields)
    visit.position, visit.order, visit.said = standing(change, visit)
    visit.place = place_of(change)
    return True


def _is_told_visit(visit: Visit, change: Change) -> bool:
    if change.op == "d" or visit.is_deleted:
        return change.op == "d" and visit.is_deleted
    never = {name for name, position in visit.older if position == BEFORE_ALL}
    told = [name for name in VISIT_FIELDS if name in change.fields]
    return all(name not in never and getattr(visit, name) == change.fields[name] for name in told)


def _set_fields(visit: Visit, fields: dict[str, Any]) -> None:
    """Set what the change carries; spelled out for the usual row that carries everything (hot path)."""
    try:
        stage, number, entered, finished = fields["stage"], fields["visit"], fields["entered_at"], fields["finished_at"]
        begin, end, result = fields["suspend_from"], fields["suspend_to"], fields["result"]
        dept, handler = fields["dept"], fields["handler"]
    except KeyError:
        for name in VISIT_FIELDS:
            if name in fields:
                setattr(visit, name, fields[name])
        return
    visit.stage, visit.visit, visit.entered_at, visit.finished_at = stage, number, entered, finished
    visit.suspend_from, visit.suspend_to, visit.result = begin, end, result
    visit.dept, visit.handler = dept, handler


def _lacking(shape: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    lacking = _NEVER.get(shape)
    if lacking is None:
        names = frozenset(shape)
        lacking = _NEVER[shape] = tuple((name, BEFORE_ALL) for name in VISIT_FIELDS if name not in names)
    return lacking


def _older(visit: Visit, lacking: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    if not lacking or visit.position == BEFORE_ALL:
        return lacking
    known = dict(visit.older)
    return tuple((name, known.get(name, visit.position)) for name, _ in lacking)


def _fuse_older_visit(visit: Visit, change: Change) -> bool:
    is_new = False
    older = dict(visit.older)
    for name, position in visit.older:
        if position < change.position and name in change.fields:
            setattr(visit, name, change.fields[name])
            older[name] = change.position
            is_new = True
    visit.older = tuple(older.items())
    return is_new


def _remember_span(visit: Visit, change: Change) -> None:
    """Keep a suspension that ended when the row's columns begin to tell of the next one."""
    begin, end = visit.suspend_from, visit.suspend_to
    following = change.fields.get("suspend_from")
    if begin is not None and end is not None and isinstance(following, int) and following >= end and following != begin:
        visit.spans = (*visit.spans, (begin, end))
