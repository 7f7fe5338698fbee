"""Carries a plan out, one connector at a time, and waits until what was asked for is so.

Connect takes most requests with "accepted" and works on. So we look at the state until connector and tasks have
come to rest where they shall be, or have failed and stay so; then the trace's first lines say why.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from connectors.connect.client import ConnectClient, SettingError
from connectors.connect.live import Live
from connectors.connect.plan import APPLIED, OWNER, Action, Item
from schemas import StagewatchError

Watch = Callable[[str], None]
"""Told the state in a few words whenever it was looked at."""

_DONE = {
    Action.CREATE: "created", Action.UPDATE: "updated", Action.RESTART: "restarted", Action.RESUME: "resumed",
    Action.PAUSE: "paused", Action.STOP: "stopped", Action.DELETE: "deleted",
}  # fmt: skip
_PASSED_THROUGH = (
    "transforms.", "predicates.", "producer.override.", "consumer.override.", "admin.override.", "topic.creation.",
    "key.converter.", "value.converter.", "header.converter.", "schema.history.internal.", "driver.",
)  # fmt: skip
"""What begins so goes to others, whose settings the connector cannot list."""


class NotRunning(StagewatchError):
    """A connector did not come to the state that it shall have; the message says what it was doing instead."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait. Seconds."""

    wait_s: float = 120.0
    """A first snapshot does not count: the task runs while it reads."""
    settle_s: float = 2.0
    """A state counts once it has held for so long: a task runs for a moment before its first failure, and for a
    moment after a change the old failure is still what is reported."""
    poll_s: float = 0.25
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


def carry_out(client: ConnectClient, item: Item, timing: Timing, watch: Watch) -> str:
    """Do what the item says and wait for its end; gives what was done (`created connector mkt`).

    Raises NotRunning, and what the client raises. May be called again: what is done already is not done twice.
    """
    for action in item.actions:
        _act(client, action, item)
    if Action.DELETE not in item.actions:
        await_state(client, item.name, item.state, timing, watch)
    return f"{' and '.join(_DONE[action] for action in item.actions)} connector {item.name}"


def _act(client: ConnectClient, action: Action, item: Item) -> None:
    match action:
        case Action.CREATE:
            client.create(item.name, item.config, item.state)
        case Action.UPDATE:
            client.put_config(item.name, item.config)
        case Action.RESUME | Action.PAUSE | Action.STOP:
            client.change_state(item.name, item.state)
        case Action.RESTART:
            client.restart(item.name, only_failed=True)
        case Action.DELETE:
            client.delete(item.name)
        case Action.DRIFT | Action.FOREIGN | Action.NOTHING:
            return


def await_state(client: ConnectClient, name: str, state: str, timing: Timing, watch: Watch) -> None:
    """Return once the connector has come to `running`, `paused` or `stopped` and stays there. Raises NotRunning."""
    started = since = timing.now()
    last: _Rest | None = None
    while True:
        live = client.connector(name)
        rest, now = _at_rest(live, state), timing.now()
        if rest != last:
            last, since = rest, now
        if rest is not None and now - since >= timing.settle_s:
            if rest.is_reached:
                return
            raise NotRunning(rest.failures)
        doing = live.summary if live else "not known to the worker yet"
        watch(f"{name}: {doing}")
        if now - started >= timing.wait_s:
            raise NotRunning(f"connector {name} is not {state} after {timing.wait_s:g} s: {doing}")
        timing.sleep(timing.poll_s)


class _Rest(NamedTuple):
    """Where a connector has come to rest: where it shall be, or failed."""

    is_reached: bool
    failures: str


def _at_rest(live: Live | None, state: str) -> _Rest | None:
    """Give where it rests; None while it is on the way."""
    if live is None:
        return None
    if live.is_at(state):
        return _Rest(is_reached=True, failures="")
    return _Rest(is_reached=False, failures="\n".join(live.failures)) if live.failures else None


def objections(
    client: ConnectClient, name: str, config: Mapping[str, str]
) -> tuple[Sequence[SettingError], Sequence[str]]:
    """Give what the connector's own validation says against a configuration, and likely misspelt settings."""
    own = {key: value for key, value in config.items() if key not in {OWNER, APPLIED}}
    errors, known = client.validate(name, own)
    odd = []
    for key in sorted(own.keys() - known):
        near = get_close_matches(key, known - own.keys(), n=1, cutoff=0.9)
        if near and not key.startswith(_PASSED_THROUGH):
            odd.append(f"{key}: the connector knows no such setting; did you mean {near[0]}?")
    return errors, odd
