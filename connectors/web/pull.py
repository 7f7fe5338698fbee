"""Asks one endpoint for rows, page by page, and remembers how far it has read.

The cursor moves only when Kafka has the rows: after a crash a page is read again, and its rows, which carry the time
that the service gives them, change nothing the second time (idempotent on table, key and `_src_ts`). A row that cannot
be taken goes into the topic as it came, where a worker makes a dead letter of it; the pages behind it are read.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import requests

from connectors.landing import Landing
from connectors.references import secret_of
from connectors.web.pull_models import PullModel, seconds
from connectors.web.pulls import PullFile
from connectors.web.rows import SRC_TS, FieldFault, Shape
from schemas import StagewatchError, TryLater

MOST_PAGES = 10_000
"""Of one run: an endpoint whose paging never ends is at fault, and must not hold up the others."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
"""Between tries: doubled each time; five minutes after an outage everything runs again."""
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_parse = msgspec.json.Decoder(Any, float_hook=Decimal).decode

TellBad = Callable[[int, list[FieldFault]], None]


class BadAnswer(StagewatchError):
    """An endpoint that answers otherwise than its definition says; nobody should ask again before it is mended."""


@dataclass(slots=True)
class Pulled:
    """What one run brought."""

    pages: int = 0
    rows: int = 0
    bad: int = 0


class Cursors:
    """How far each endpoint has been read; on disk."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path)
        self._db.execute("CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")

    def get(self, name: str) -> str | None:
        """Give what was read last; None at the first time."""
        found = self._db.execute("SELECT value FROM cursors WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def set(self, name: str, value: str) -> None:
        """Keep what was read; after Kafka has it."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class Pull:
    """One endpoint."""

    def __init__(self, definition: PullFile, cursors: Cursors, *, clock: Callable[[], float]) -> None:
        """`clock`: epoch seconds, for rows that do not say when they were true."""
        self.model = definition.model
        self.topic = definition.mapping.topic
        self._shape = Shape(definition.mapping, "pull", self.model.columns)
        self._cursors, self._clock = cursors, clock
        self._session = requests.Session()

    def run(self, landing: Landing, tell_bad: TellBad) -> Pulled:
        """Read everything that is new. Raises TryLater with the delay that the service asks for, and BadAnswer."""
        model, pulled = self.model, Pulled()
        start = None if model.cursor is None else self._cursors.get(model.name) or model.cursor.start
        highest = start
        for rows in self._pages(start):
            self._land(landing, rows, pulled, tell_bad)
            pulled.pages += 1
            highest = self._highest(rows, highest)
            if model.cursor is not None and model.cursor.is_sorted and highest is not None:
                self._cursors.set(model.name, highest)
        if model.cursor is not None and highest is not None:
            self._cursors.set(model.name, highest)
        return pulled

    def _land(self, landing: Landing, rows: list[Any], pulled: Pulled, tell_bad: TellBad) -> None:
        records = []
        now_ms = int(self._clock() * 1000)
        for number, row in enumerate(rows):
            dated = self._dated(row)
            faults = self._shape.faults(dated, now_ms=now_ms)
            if faults:
                pulled.bad += 1
                tell_bad(pulled.rows + number, faults)
                records.append(self._shape.refused(row, src_ts=now_ms, batch=self.model.name))
            else:
                records.append(self._shape.landed(dated, src_ts=now_ms, now_ms=now_ms, batch=self.model.name))
        landing.write(self.topic, records)
        pulled.rows += len(rows)

    def _dated(self, row: Any) -> Any:  # noqa: ANN401 - JSON
        """Give the row with the time that it was true, from the field that the definition names."""
        field = self.model.src_ts or (self.model.cursor.field if self.model.cursor else None)
        if not isinstance(row, dict) or field is None or row.get(field) is None or SRC_TS in row:
            return row
        return {**row, SRC_TS: row[field]}

    def _highest(self, rows: list[Any], known: str | None) -> str | None:
        cursor = self.model.cursor
        if cursor is None:
            return None
        values = [str(row[cursor.field]) for row in rows if isinstance(row, dict) and row.get(cursor.field) is not None]
        return max([*values, *([known] if known is not None else [])], key=_rank, default=None)

    # -- HTTP

    def _pages(self, cursor: str | None) -> Iterator[list[Any]]:
        paging, url = self.model.paging, self.model.url
        params = dict(self.model.params)
        if self.model.cursor is not None and cursor is not None:
            params[self.model.cursor.param] = cursor
        number, read = paging.start if paging else 0, 0
        for _ in range(MOST_PAGES):
            if paging is not None and paging.kind in ("page", "offset"):
                params[str(paging.param)] = str(number if paging.kind == "page" else read)
            answer = self._ask(url, params)
            rows = _at(answer, self.model.rows)
            if not isinstance(rows, list):
                raise BadAnswer(f"{self.model.name}: no array at '{self.model.rows}' of the answer")
            if rows:
                yield rows
            number, read = number + 1, read + len(rows)
            following = _at(answer, paging.next) if paging is not None and paging.next else None
            if paging is None or not rows or (paging.next is not None and not following):
                return
            if paging.kind == "token":
                params[str(paging.param)] = str(following)
            elif paging.kind == "link":
                url, params = requests.compat.urljoin(url, str(following)), {}
        raise BadAnswer(f"{self.model.name}: more than {MOST_PAGES} pages")

    def _ask(self, url: str, params: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        """Give an answer's JSON. Raises TryLater and BadAnswer; neither names parameters, which may hold secrets."""
        name = self.model.name
        try:
            answer = self._session.get(
                url, params=dict(params), timeout=seconds(self.model.timeout), headers=_headers(self.model),
                auth=_basic(self.model), allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as error:
            raise TryLater(f"{name}: {type(error).__name__}") from None
        if answer.status_code in _RETRIED:
            raise TryLater(f"{name}: HTTP {answer.status_code}", _asked_delay(answer))
        if answer.status_code != requests.codes.ok:
            raise BadAnswer(f"{name}: HTTP {answer.status_code}")
        try:
            return _parse(answer.content)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise BadAnswer(f"{name}: not JSON: {error}") from None

    def close(self) -> None:
        """Close its connections."""
        self._session.close()


def wait_after(tries: int, asked_s: float) -> float:
    """Give how long to wait after so many failed tries: what the service asked for, at least the doubled wait."""
    return float(max(asked_s, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(tries, 16))))


def _rank(value: str) -> tuple[int, Decimal, str]:
    """Order cursor values: numbers as numbers, all else (ISO 8601 of one form) as text."""
    return (0, Decimal(value), "") if value.isascii() and value.isdigit() else (1, Decimal(0), value)


def _at(answer: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    for part in filter(None, path.split(".")):
        answer = answer.get(part) if isinstance(answer, dict) else None
    return answer


def _asked_delay(answer: requests.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), LONGEST_WAIT_S) if text.isascii() and text.isdigit() else 0.0


def _headers(model: PullModel) -> dict[str, str]:
    auth = model.auth
    headers = {"Accept": "application/json"}
    if auth is not None and auth.bearer is not None:
        headers["Authorization"] = f"Bearer {secret_of(auth.bearer)}"
    if auth is not None and auth.header is not None and auth.value is not None:
        headers[auth.header] = secret_of(auth.value)
    return headers


def _basic(model: PullModel) -> tuple[str, str] | None:
    auth = model.auth
    if auth is None or auth.user is None or auth.password is None:
        return None
    return auth.user, secret_of(auth.password)
