"""Takes an endpoint's rows into Kafka, page by page, and remembers how far it has read.

The cursor moves only when Kafka has the rows: after a crash a page is read again, and its rows, which carry the time
that the service gives them, change nothing the second time (idempotent on table, key and `_src_ts`). A row that cannot
be taken goes into the topic as it came, once, where a worker makes a dead letter of it; the pages behind it are read,
and the cursor moves past it unless it is the cursor's own value that cannot be.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from connectors.landing import Landing
from connectors.web.cursors import Cursors, Order, Place
from connectors.web.endpoint import LONGEST_WAIT_S, Endpoint
from connectors.web.pulls import PullFile
from connectors.web.rows import SRC_TS, FieldFault, Landed, Shape

FIRST_WAIT_S = 1.0
"""After a failed try; doubled each time."""

TellBad = Callable[[int, list[FieldFault]], None]


@dataclass(slots=True)
class Pulled:
    """What one run brought."""

    pages: int = 0
    rows: int = 0
    bad: int = 0
    """Also those that have been told at an earlier run."""


@dataclass(slots=True)
class _Refused:
    """Bad rows by their digest."""

    told: set[bytes]
    seen: set[bytes] = field(default_factory=set)
    """In this run."""


class Pull:
    """One endpoint."""

    def __init__(self, definition: PullFile, cursors: Cursors, *, clock: Callable[[], float]) -> None:
        """`clock`: epoch seconds, for rows that do not say when they were true."""
        self.model = definition.model
        self.topic = definition.mapping.topic
        self._shape = Shape(definition.mapping, "pull", self.model.columns)
        self._cursors, self._clock = cursors, clock
        self._endpoint = Endpoint(self.model)
        cursor = self.model.cursor
        self._order = None if cursor is None else Order(cursor, self._moment)

    def run(self, landing: Landing, tell_bad: TellBad) -> Pulled:
        """Read everything that is new. Raises TryLater with the delay that the service asks for, and BadAnswer."""
        pulled, refused = Pulled(), _Refused(set(self._cursors.refused(self.model.name)))
        highest = self._known()
        cursor = self.model.cursor
        start = highest.text if highest is not None else None if cursor is None else cursor.start
        for rows in self._endpoint.pages(start):
            self._land(landing, rows, pulled, tell_bad, refused)
            pulled.pages += 1
            highest = max([*self._places(rows), *([] if highest is None else [highest])], default=None)
            if cursor is not None and cursor.is_sorted and highest is not None:
                self._cursors.set(self.model.name, highest.text)
        if cursor is not None and highest is not None:
            self._cursors.set(self.model.name, highest.text)
        if over := refused.told - refused.seen:
            self._cursors.forget(self.model.name, over)
        return pulled

    def _known(self) -> Place | None:
        """Give how far it has been read, else where it begins; None where there is no order, or the value is not in it.

        So a value that an earlier definition left, or a date far ahead, is read over from the start.
        """
        cursor = self.model.cursor
        for text in () if cursor is None else (self._cursors.get(self.model.name), cursor.start):
            place = None if text is None else self._place(text)
            if place is not None:
                return place
        return None

    def _land(self, landing: Landing, rows: list[Any], pulled: Pulled, tell_bad: TellBad, refused: _Refused) -> None:
        records: list[Landed] = []
        now_ms = self._now_ms()
        for number, row in enumerate(rows):
            dated = self._dated(row)
            faults = self._shape.faults(dated, now_ms=now_ms) or self._cursor_faults(row)
            if not faults:
                records.append(self._shape.landed(dated, now_ms=now_ms, batch=self.model.name))
                continue
            pulled.bad += 1
            digest = self._digest(row, faults)
            if digest not in refused.told | refused.seen:
                tell_bad(pulled.rows + number, faults)
                records.append(self._shape.refused(row, faults, now_ms=now_ms, batch=self.model.name))
            refused.seen.add(digest)
        if records:
            landing.write(self.topic, records)
        if news := refused.seen - refused.told:
            self._cursors.refuse(self.model.name, news)
            refused.told |= news
        pulled.rows += len(rows)

    def _digest(self, row: object, faults: list[FieldFault]) -> bytes:
        """Tell a bad row from others: a time that changes with each answer makes it no other one."""
        told = json.dumps([self._shape.identity(row), faults], sort_keys=True, default=str)
        return hashlib.sha256(told.encode()).digest()

    def _dated(self, row: Any) -> Any:  # noqa: ANN401 - JSON
        """Give the row with the time that it was true, from the field that the definition names.

        A cursor that counts says no time: its rows are as new as they come.
        """
        said = self.model.src_ts
        if said is None and self.model.cursor is not None and self._order is not None and self._order.is_time:
            said = self.model.cursor.field
        if not isinstance(row, dict) or said is None or row.get(said) is None or SRC_TS in row:
            return row
        return {**row, SRC_TS: row[said]}

    def _cursor_faults(self, row: dict[str, Any]) -> list[FieldFault]:
        cursor = self.model.cursor
        if cursor is None or self._order is None or row.get(cursor.field) is None:
            return []
        try:
            self._order.place(row[cursor.field])
        except ValueError as error:
            return [FieldFault(cursor.field, str(error))]
        return []

    def _places(self, rows: list[Any]) -> Iterable[Place]:
        cursor = self.model.cursor
        for row in rows if cursor is not None else ():
            place = self._place(row.get(cursor.field)) if cursor is not None and isinstance(row, dict) else None
            if place is not None:
                yield place

    def _place(self, value: object) -> Place | None:
        """Give where a value stands in the cursor's order; None if it does not."""
        try:
            return None if self._order is None or value is None else self._order.place(value)
        except ValueError:
            return None

    def _moment(self, said: object) -> int:
        return self._shape.moment(said, now_ms=self._now_ms())

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def close(self) -> None:
        """Close its connections."""
        self._endpoint.close()


def wait_after(tries: int, asked_s: float) -> float:
    """Give how long to wait after so many failed tries: what the service asked for, at least the doubled wait."""
    return float(max(asked_s, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(tries, 16))))
