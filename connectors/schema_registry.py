"""Avro schemas by their id, from a registry with Confluent's REST interface (Confluent, Karapace, Apicurio's ccompat).

Source: Confluent documentation, "Schema Registry API Reference", `GET /schemas/ids/{id}`. An id never changes its
meaning, so what was found is kept for ever. What was not found is asked for again, but not at once: a topic of
nothing but nonsense must not ask the registry for every record.
"""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from schemas import BadInput, TryLater

CONNECT_S = 2.0
READ_S = 3.0
"""Together below the session time-out of a worker (10 s), which waits for the answer."""
UNKNOWN_FOR_S = 30.0
"""How long an id counts as unknown: a producer registers its schema before it writes the first record with it."""
RETRY_S = 2.0

_NO_SUCH_SCHEMA = 40403


class SchemaRegistry:
    """Asks one registry. `schema_of` is what a `schemas.Decoder` takes."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Take `http[s]://[user:password@]host:port[/path]`; nothing is asked yet."""
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self._base = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/vnd.schemaregistry.v1+json, application/json"
        if parts.username is not None:
            self._session.auth = (unquote(parts.username), unquote(parts.password or ""))
        self._clock = clock
        self._known: dict[int, str] = {}
        self._unknown: dict[int, float] = {}

    def schema_of(self, number: int) -> str:
        """Give a schema's JSON. Raises `BadInput` for an id that is not registered, `TryLater` for no answer."""
        known = self._known.get(number)
        if known is not None:
            return known
        if self._clock() < self._unknown.get(number, 0):
            raise _unknown(number)
        schema = self._ask(number)
        self._known[number] = schema
        return schema

    def _ask(self, number: int) -> str:
        url = f"{self._base}/schemas/ids/{number}"
        try:
            answer = self._session.get(url, timeout=(CONNECT_S, READ_S), allow_redirects=False)
        except requests.RequestException as error:
            raise TryLater(
                f"the schema registry at {self._base} does not answer ({type(error).__name__})", RETRY_S
            ) from None
        if answer.status_code == requests.codes.not_found and _is_about_the_id(answer):
            self._unknown[number] = self._clock() + UNKNOWN_FOR_S
            raise _unknown(number)
        if answer.status_code != requests.codes.ok:
            raise TryLater(f"{url} answers {answer.status_code}; is `schema_registry_url` right?", RETRY_S)
        found = _object(answer)
        if not isinstance(found.get("schema"), str):
            raise TryLater(f"{url} answers no schema; is `schema_registry_url` right?", RETRY_S)
        if found.get("schemaType", "AVRO") != "AVRO" or found.get("references"):
            raise BadInput("unknown-schema", f"schema {number} is {found.get('schemaType', 'AVRO')} or has references")
        return str(found["schema"])


def _object(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except requests.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_about_the_id(answer: requests.Response) -> bool:
    """Tell the registry's own 404 from that of a web server which knows no such path: that one is a wrong setting."""
    return bool(_object(answer).get("error_code") == _NO_SUCH_SCHEMA)


def _unknown(number: int) -> BadInput:
    return BadInput("unknown-schema", f"schema {number} is not registered")
