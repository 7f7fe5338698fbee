"""Kafka Connect's REST interface, with what its answers leave open settled.

A 409 means "not now" (the group is rebalancing) and is asked again with a growing pause; for a create it may also
mean "is there already". A timed-out 500 or a lost connection says nothing of whether it was done: then we look.
Kafka documentation, "Kafka Connect: REST API". Never prints; errors carry no secret.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url

from connectors.connect.live import Live, parse_live
from connectors.connect.redaction import cleaned
from schemas import StagewatchError, TryLater


class Refused(StagewatchError):
    """Connect will not do it, now or later; the message says why."""


class UnknownConnector(StagewatchError):
    """Connect has no connector of this name."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often to ask again. Seconds."""

    first_s: float = 0.25
    longest_s: float = 5.0
    total_s: float = 60.0
    """A rebalance of a busy group takes up to a minute (`scheduled.rebalance.max.delay.ms` is longer: then say so)."""
    answer_s: float = 95.0
    """Connect gives its own requests 90 s; one that it answers with 500 at their end shall be heard."""
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


class _Outcome(Enum):
    NOT_DONE = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class SettingError:
    """What the connector's own validation says against one setting."""

    setting: str
    message: str


class ConnectClient:
    """One Kafka Connect cluster. Raises Refused, UnknownConnector, or TryLater when it is not to be had."""

    def __init__(self, url: str, patience: Patience | None = None) -> None:
        self._url = url.rstrip("/")
        self._patience = patience or Patience()
        self._session = requests.Session()
        if any(declared := get_auth_from_url(url)):  # else requests puts what `~/.netrc` has for the host in its place
            user, password = declared
            self._session.auth = HTTPBasicAuth(user.encode(), password.encode())  # text would be written in Latin-1

    # -- reading

    def connectors(self) -> dict[str, Live]:
        """Give all connectors by name."""
        found = self._call("GET", "/connectors?expand=info&expand=status")
        return {name: parse_live(name, each) for name, each in sorted(found.items())}

    def connector(self, name: str) -> Live | None:
        """Give one connector; None if there is none, or if the worker has not heard of it yet."""
        try:
            info = self._call("GET", _path(name))
            status = self._call("GET", _path(name, "status"))
        except UnknownConnector:
            return None
        return parse_live(name, {"info": info, "status": status})

    def _config(self, name: str) -> dict[str, str] | None:
        """Give the configuration that Connect has stored; None if there is none.

        Not by `connector`: the state of one that was just made may take a moment to be known.
        """
        try:
            config = self._call("GET", _path(name, "config"))
        except UnknownConnector:
            return None
        return {key: str(value) for key, value in config.items() if key != "name"}

    def plugins(self) -> list[str]:
        """Give the classes of the connectors that the worker has."""
        return sorted(plugin["class"] for plugin in self._call("GET", "/connector-plugins"))

    def validate(self, name: str, config: Mapping[str, str]) -> tuple[list[SettingError], frozenset[str]]:
        """Let the connector check its settings; gives what is wrong, and the names of all settings it knows.

        A Debezium connector opens its database for this, so it takes seconds.
        """
        kind = config["connector.class"]
        path = f"/connector-plugins/{quote(kind, safe='')}/config/validate"
        if kind not in (plugins := self.plugins()):
            raise Refused(f"the worker has no plugin {kind}; it has: {', '.join(plugins) or 'none'}")
        found = self._call("PUT", path, {**config, "name": name})["configs"]
        errors = [
            SettingError(each["value"]["name"], cleaned(message))
            for each in found
            for message in each["value"].get("errors") or []
        ]
        return errors, frozenset(each["definition"]["name"] for each in found)

    def offsets(self, name: str) -> list[dict[str, Any]]:
        """Give how far a source connector has come: a list of `{partition: {...}, offset: {...}}`."""
        found: list[dict[str, Any]] = self._call("GET", _path(name, "offsets"))["offsets"]
        return found

    # -- writing

    def create(self, name: str, config: Mapping[str, str], state: str) -> None:
        """Make a connector. POST, not PUT: it cannot overwrite one that somebody else makes meanwhile."""
        body: dict[str, Any] = {"name": name, "config": dict(config)}
        if state != "running":  # a field that Connect before 3.7 does not know
            body["initial_state"] = state.upper()

        def is_made() -> bool:
            found = self._config(name)
            if found is not None and found != config:
                raise Refused(f"{name}: somebody else made a connector of this name meanwhile")
            return found is not None

        self._call("POST", "/connectors", body, is_done=is_made, look_at_conflict=True)

    def put_config(self, name: str, config: Mapping[str, str]) -> None:
        """Give a connector another configuration; its state stays what it is."""
        self._call("PUT", _path(name, "config"), dict(config), is_done=lambda: self._config(name) == config)

    def change_state(self, name: str, state: str) -> None:
        """Ask for `running`, `paused` or `stopped`. Connect only takes note; the tasks follow."""
        verb = {"running": "resume", "paused": "pause", "stopped": "stop"}[state]
        self._call("PUT", _path(name, verb))

    def restart(self, name: str, *, only_failed: bool) -> None:
        """Restart connector and tasks, or those of them that failed. Once: a repeat would stop them again."""
        query = f"restart?includeTasks=true&onlyFailed={str(only_failed).lower()}"
        self._call("POST", _path(name, query), is_done=lambda: True)

    def delete(self, name: str) -> None:
        """Delete a connector. What it has read so far Connect keeps, for one of the same name."""
        self._call("DELETE", _path(name), is_done=lambda: self._config(name) is None)

    def alter_offsets(self, name: str, offsets: Sequence[Mapping[str, Any]]) -> str:
        """Set how far a stopped connector has come; gives what Connect says of it."""
        done = self._call("PATCH", _path(name, "offsets"), {"offsets": list(offsets)})
        return str((done or {}).get("message", ""))

    def reset_offsets(self, name: str) -> str:
        """Forget how far a stopped connector has come; gives what Connect says of it."""
        return str((self._call("DELETE", _path(name, "offsets")) or {}).get("message", ""))

    # -- how

    def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        is_done: Callable[[], bool] | None = None,
        look_at_conflict: bool = False,
    ) -> Any:  # noqa: ANN401 - JSON of Connect's
        """Ask until Connect has decided. `is_done` looks whether a request without an answer was carried out."""
        patience = self._patience
        pause, deadline = patience.first_s, patience.now() + patience.total_s
        while True:
            answer, why = self._ask(method, path, body)
            if not isinstance(answer, _Outcome):
                return answer
            may_be_done = answer is _Outcome.UNKNOWN or look_at_conflict
            if may_be_done and is_done is not None and is_done():
                return None
            if patience.now() >= deadline:
                raise TryLater(f"{method} {path}: {why}; still so after {patience.total_s:g} s")
            patience.sleep(pause)
            pause = min(pause * 2, patience.longest_s)

    def _ask(self, method: str, path: str, body: object) -> tuple[Any, str]:
        """Ask once; gives the answer, or how it stands with the request and why."""
        try:
            response = self._session.request(method, self._url + path, json=body, timeout=(5, self._patience.answer_s))
        except requests.exceptions.ConnectionError as error:
            if _never_arrived(error):
                raise TryLater(f"no Kafka Connect answers at {cleaned(self._url)}") from None
            return _Outcome.UNKNOWN, "the connection was cut"
        except requests.exceptions.Timeout:
            return _Outcome.UNKNOWN, f"no answer within {self._patience.answer_s:g} s"
        except requests.exceptions.RequestException as error:
            raise Refused(f"{cleaned(self._url)} cannot be asked: {type(error).__name__}") from None
        if response.ok:
            return _json(response), ""
        return _judged(response, method, path)


def _never_arrived(error: Exception) -> bool:
    """Tell whether nobody listened, so that nothing can have been done."""
    return "NewConnectionError" in repr(error) or isinstance(error, requests.exceptions.ConnectTimeout)


def _json(response: requests.Response) -> Any:  # noqa: ANN401 - JSON of Connect's
    if not response.content and response.request.method != "GET":
        return None
    try:
        found = response.json()
    except ValueError:
        found = None
    wanted = list if str(response.request.path_url).endswith("/connector-plugins") else dict
    if isinstance(found, wanted):
        return found
    raise Refused(f"{cleaned(response.url)} is no Kafka Connect: it answers with something else")


def _judged(response: requests.Response, method: str, path: str) -> tuple[_Outcome, str]:
    """Sort an error answer: try again, look, or give up (raises)."""
    try:
        message = str(response.json().get("message", ""))
    except (ValueError, AttributeError):
        message = cleaned(response.text)[:200]  # cut first, it could show half a secret that is no more known for one
    else:
        message = cleaned(message)
    match response.status_code:
        case 409:
            return _Outcome.NOT_DONE, message or "conflict"
        case 503:
            return _Outcome.NOT_DONE, message or "not ready"
        case 500 if "rebalance" in message.lower():  # a worker that has just seen another configuration
            return _Outcome.NOT_DONE, message
        case 500 if "timed out" in message.lower() or "timeout" in message.lower():
            return _Outcome.UNKNOWN, message
        case 404 if path.startswith("/connectors/"):
            raise UnknownConnector(message or f"{method} {path}: not found")
        case status:
            raise Refused(f"{message or response.reason} ({method} {path.partition('?')[0]}: {status})")


def _path(name: str, rest: str = "") -> str:
    path = f"/connectors/{quote(name, safe='')}"
    return f"{path}/{rest}" if rest else path
