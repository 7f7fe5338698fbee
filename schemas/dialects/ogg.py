"""What all forms of Oracle GoldenGate's Kafka handler share: meta columns, operations, positions, clocks.

Sources: Oracle GoldenGate for Big Data 19.1 and 21, "Using the Pluggable Formatters"; messages in public
repositories where the documentation is silent. The names of meta columns are free text in the handler's template
(`gg.handler.<name>.format.metaColumnsTemplate`), hence `Format.meta`.
"""

import re
from collections.abc import Mapping
from typing import Any, assert_never

import msgspec

from schemas.change import Op
from schemas.columns import Convert, LocalZone, converter, from_loose_text
from schemas.errors import BadInput
from schemas.mapping import Format, OperationKind, TableMapping

META = ("table", "op_type", "op_ts", "current_ts", "pos", "csn", "xid", "primary_keys", "tokens")
"""Meta columns by the names that Oracle's own examples give them."""

_OPERATIONS: dict[str, OperationKind] = {
    "I": "insert", "U": "update", "D": "delete", "T": "truncate", "UPSERT": "update",
}  # fmt: skip
_DDL = frozenset({"DDL", "CREATE", "ALTER", "DROP", "RENAME"})

_POS = re.compile(r"([0-9]{1,20}?|0{0,20}-1)([0-9]{10})", re.ASCII)
"""Trail sequence and place in the file; of an initial load the sequence is -1, padded as `00000000-1`."""
_CSN = re.compile(r"[0-9]{1,14}", re.ASCII)
_SEQ_BITS, _RBA_BITS = 26, 32  # 67 million trail files; a file has 2 GB at most
_MOST_EPOCH = (1 << 63 - _SEQ_BITS - _RBA_BITS) - 1
_CSN_BITS = 47  # Oracle lets the SCN grow by 16,384 a second since 1988: 2**44 by now
_INDEX_BITS = 10  # documents of one record
_HOUR_MS = 3_600_000
_NEAR_MS = 5 * 60_000  # a replicat that keeps up; a true lag of whole hours, to five minutes, does not last
_ENOUGH = 20  # records: a chance reading of a lag as whole hours is 1 in 6 for each of them
_ALL_OF_FIRST, _THEN_ONE_OF = 200, 64  # records compared: a zone is wrong for all of them, and reading two times costs
_MOST_HOURS = 14  # time zones are no farther from one another and from UTC


class Skew(msgspec.Struct):
    """How far the records' commit times are from their arrival, in whole hours: what a wrong zone looks like."""

    records: int = 0
    by_hours: dict[int, int] = {}
    """Records whose time is that many hours off, to a few minutes; 0 is as it should be."""

    def note(self, lag_ms: int) -> None:
        """Take in one record's arrival less its commit time."""
        self.records += 1
        hours = (lag_ms + _HOUR_MS // 2) // _HOUR_MS
        if abs(lag_ms - hours * _HOUR_MS) < _NEAR_MS and abs(hours) <= _MOST_HOURS:
            self.by_hours[hours] = self.by_hours.get(hours, 0) + 1

    @property
    def hours(self) -> int:
        """The hours by which (nearly) all times are off: positive, they are too early. 0: none, or too few seen."""
        if self.records < _ENOUGH:
            return 0
        hours, count = max(self.by_hours.items(), key=lambda item: item[1], default=(0, 0))
        return hours if count * 10 >= self.records * 9 else 0


class Meta:
    """Reads the meta columns of one source's records."""

    def __init__(self, mapping: TableMapping) -> None:
        form: Format = mapping.format
        self.names = {name: form.meta.get(name, name) for name in META}
        self._operations = _OPERATIONS | form.operations
        self._epoch = min(max(form.trail_epoch, 0), _MOST_EPOCH)
        zones = (mapping.op_ts_timezone, "UTC", mapping.column_timezone)
        self._by_op_ts, *self._by_current_ts = (
            from_loose_text(converter("timestamp", LocalZone(zone), "us")) for zone in zones
        )
        self.skew = Skew()

    def of(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Give the meta columns of a record by our names; those that it lacks are None."""
        return {name: record.get(theirs) for name, theirs in self.names.items()}

    def op_of(self, meta: Mapping[str, Any]) -> Op | str:
        """Give the operation of a row, or what to count a record as that is none.

        Raises `BadInput`. An insert of an initial load is a row read by a snapshot.
        """
        label = meta["op_type"]
        kind = self._operations.get(label) if isinstance(label, str) else None
        match kind:
            case "insert":
                return "r" if _is_initial(meta["pos"]) else "c"
            case "update":
                return "u"
            case "delete":
                return "d"
            case "truncate":
                return "truncate"
            case None:
                if isinstance(label, str) and label in _DDL:
                    return "ddl"
                raise BadInput("unknown-operation", f"'{label[:20]}'" if isinstance(label, str) else "none")
            case _:
                assert_never(kind)

    def position_of(self, meta: Mapping[str, Any], offset: int, index: int) -> tuple[int | None, int]:
        """Give where a change stands in its source, growing with time for the same row, and its order there.

        With a commit number (CSN, Oracle's SCN): it, and the trail's sequence and place order what shares it (one
        transaction). Without: trail sequence and place, under the operator's `trail_epoch`. Without both: none.
        """
        place, in_log = _POS.fullmatch(pos) if isinstance(pos := meta["pos"], str) else None, None
        if place is None:
            in_trail = offset << _INDEX_BITS | min(index, (1 << _INDEX_BITS) - 1)
        else:
            rba = min(int(place[2]), (1 << _RBA_BITS) - 1)
            sequence = 0 if "-" in place[1] else min(int(place[1]) + 1, (1 << _SEQ_BITS) - 1)
            in_trail = sequence << _RBA_BITS | rba
            in_log = self._epoch << _SEQ_BITS + _RBA_BITS | in_trail
        csn = _number(meta["csn"])
        return (csn, in_trail) if csn is not None and 0 < csn < 1 << _CSN_BITS else (in_log, 0)

    def time_of(self, meta: Mapping[str, Any]) -> int | None:
        """Give when the source wrote the change, epoch ms; None if the record does not say it."""
        return _instant(self._by_op_ts, meta["op_ts"])

    def note_clock(self, meta: Mapping[str, Any], at: int) -> None:
        """Compare the record's own time with its arrival (`at`, epoch ms). Never refuses: nothing rests on it.

        Records that come much later than they were written (a replay) are compared with `current_ts`, whose zone
        nobody declares: of UTC and the columns' zone, the one that fits better.
        """
        if self.skew.records > _ALL_OF_FIRST and at % _THEN_ONE_OF:
            return
        op_ts = self.time_of(meta)
        if op_ts is None:
            return
        lag = at - op_ts
        if abs(lag) > (_MOST_HOURS + 1) * _HOUR_MS:
            written = [_instant(read, meta["current_ts"]) for read in self._by_current_ts]
            lag = min((each - op_ts for each in written if each is not None), key=abs, default=lag)
        self.skew.note(lag)


def _instant(read: Convert, text: object) -> int | None:
    try:
        moment = read(text) if isinstance(text, str) else None
    except (ValueError, ArithmeticError):
        return None
    return moment if isinstance(moment, int) else None


def _is_initial(pos: object) -> bool:
    return isinstance(pos, str) and "-" in pos


def _number(value: object) -> int | None:
    if type(value) is int:
        return value
    return int(value) if isinstance(value, str) and _CSN.fullmatch(value) else None
