"""The HTTP side of a pull source: one endpoint's rows, page by page."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

import msgspec
import requests
from requests.auth import HTTPBasicAuth

from connectors.outside_rows import is_text
from connectors.references import secret_of
from connectors.web.pull_models import PullModel, seconds
from schemas import StagewatchError, TryLater

MOST_PAGES = 10_000
"""Of one run: an endpoint whose paging never ends is at fault, and must not hold up the others."""
LONGEST_WAIT_S = 300.0
"""Between tries: five minutes after an outage everything runs again."""
MOST_ANSWER = 1 << 27
"""Bytes of one answer, unpacked: of a quarter of a million rows; one that is packed in 128 KB can hold as much."""
_CHUNK = 1 << 20
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_PORTS = {"http": 80, "https": 443}
_parse = msgspec.json.Decoder(Any, float_hook=Decimal).decode


class BadAnswer(StagewatchError):
    """An endpoint that answers otherwise than its definition says; nobody should ask again before it is mended."""


class Endpoint:
    """Where rows are asked for; its connections stay open between runs."""

    def __init__(self, model: PullModel) -> None:
        self._model = model
        self._session = requests.Session()
        self._session.auth = _as_declared

    def pages(self, cursor: str | None) -> Iterator[list[Any]]:
        """Give the rows behind the cursor, no page empty. Raises TryLater and BadAnswer."""
        paging, url, params = self._model.paging, self._model.url, self._first(cursor)
        count, read, followed = 0, 0, set[str]()
        while count < MOST_PAGES:
            answer = self._ask(url, params)
            rows = _at(answer, self._model.rows)
            if not isinstance(rows, list):
                raise BadAnswer(f"{self._model.name}: no array at '{self._model.rows}' of the answer")
            if rows:
                yield rows
            count, read = count + 1, read + len(rows)
            if paging is None or (paging.next is None and not rows):
                return
            following = self._following(answer, count, read)
            if following is None:
                return
            if not is_text(following):
                raise BadAnswer(f"{self._model.name}: what the answer names as its next page is no text")
            if following in followed:
                raise BadAnswer(f"{self._model.name}: '{paging.next}' leads back to a page that was read")
            followed.add(following)
            if paging.kind == "link":
                url, params = self._linked(url, following), {}
            else:
                params[str(paging.param)] = following
        raise BadAnswer(f"{self._model.name}: more than {MOST_PAGES} pages")

    def _first(self, cursor: str | None) -> dict[str, str]:
        """Give the parameters of the first page."""
        params, paging = dict(self._model.params), self._model.paging
        if self._model.cursor is not None and cursor is not None:
            params[self._model.cursor.param] = cursor
        if paging is not None and paging.kind in ("page", "offset"):
            params[str(paging.param)] = str(paging.start if paging.kind == "page" else 0)
        return params

    def _following(self, answer: Any, count: int, read: int) -> str | None:  # noqa: ANN401 - JSON
        """Give the number, token or link of the page behind those; None: there is none.

        Where the answer names it, an empty page is not the last: services cut pages before they filter.
        """
        paging = self._model.paging
        if paging is None:
            return None
        if paging.next is not None:
            return str(_at(answer, paging.next) or "") or None
        return str(paging.start + count if paging.kind == "page" else read)

    def _linked(self, url: str, link: str) -> str:
        """Give the address that a link names, of the same scheme, host and port: another must not get our secrets."""
        try:
            base, to = urlsplit(url), urlsplit(urljoin(url, link))
            is_ours = _origin(to) == _origin(base) and to.username is None
        except ValueError:
            raise BadAnswer(f"{self._model.name}: what the answer names as its next page is no URL") from None
        if not is_ours:
            raise BadAnswer(
                f"{self._model.name}: the answer names its next page at {to.scheme}://{to.netloc.rpartition('@')[2]}, "
                f"another host than the definition's; it was not followed"
            )
        # Built from our own address, so that no other reading of the link leads elsewhere.
        return urlunsplit((base.scheme, base.netloc, to.path, to.query, ""))

    def _ask(self, url: str, params: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        """Give an answer's JSON. Raises TryLater and BadAnswer; neither names parameters, which may hold secrets."""
        name = self._model.name
        try:
            with self._session.get(
                url, params=dict(params), timeout=seconds(self._model.timeout), headers=_headers(self._model),
                auth=_basic(self._model), allow_redirects=False, stream=True,
            ) as answer:  # fmt: skip
                content = self._content(answer)
        except requests.RequestException as error:
            raise TryLater(f"{name}: {type(error).__name__}") from None
        if answer.status_code in _RETRIED:
            raise TryLater(f"{name}: HTTP {answer.status_code}", _asked_delay(answer))
        if answer.status_code != requests.codes.ok:
            raise BadAnswer(f"{name}: HTTP {answer.status_code}")
        try:
            return _read(content)
        except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
            raise BadAnswer(f"{name}: not JSON: {error}") from None

    def _content(self, answer: requests.Response) -> bytes:
        """Read an answer whole. Raises BadAnswer for one that is larger than any page is."""
        content = bytearray()
        for chunk in answer.iter_content(_CHUNK):
            content += chunk
            if len(content) > MOST_ANSWER:
                raise BadAnswer(
                    f"{self._model.name}: the answer has more than {MOST_ANSWER} bytes; ask for it in pages"
                )
        return bytes(content)

    def close(self) -> None:
        """Close its connections."""
        self._session.close()


def _as_declared(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is: without this, requests puts what `~/.netrc` has for the host over a declared token."""
    return request


def _read(content: bytes) -> Any:  # noqa: ANN401 - JSON
    """Give an answer's JSON, also where half of a surrogate pair stands in a text: that is one row's fault, not all's.

    Raises what the stricter parser raises.
    """
    try:
        return _parse(content)
    except msgspec.DecodeError as error:
        try:
            return json.loads(content.decode(), parse_float=Decimal, parse_constant=_no_number)
        except (ValueError, ArithmeticError, RecursionError):
            raise error from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    """Give scheme, host and port. Raises ValueError for a port that is none."""
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)


def _at(answer: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    for part in filter(None, path.split(".")):
        answer = answer.get(part) if isinstance(answer, dict) else None
    return answer


def _asked_delay(answer: requests.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), LONGEST_WAIT_S) if text.isascii() and text.isdigit() else 0.0


def _headers(model: PullModel) -> dict[str, str | bytes]:
    auth = model.auth
    headers: dict[str, str | bytes] = {"Accept": "application/json"}
    if auth is not None and auth.bearer is not None:
        headers["Authorization"] = f"Bearer {secret_of(auth.bearer)}".encode()
    if auth is not None and auth.header is not None and auth.value is not None:
        headers[auth.header] = secret_of(auth.value).encode()
    return headers


def _basic(model: PullModel) -> HTTPBasicAuth | None:
    """Give user and password in UTF-8 (RFC 7617): requests would write text in Latin-1, and break at any other."""
    auth = model.auth
    if auth is None or auth.user is None or auth.password is None:
        return None
    return HTTPBasicAuth(auth.user.encode(), secret_of(auth.password).encode())
