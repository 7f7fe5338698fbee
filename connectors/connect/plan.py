"""What has to be done so that Kafka Connect runs what the files say. Pure: reads both sides, does nothing.

Ownership: a connector that we make carries two settings of ours in its configuration, who manages it and a hash
of what was applied last. Connect keeps settings that a connector does not know and hands them back; the connector
never reads them. They live and die with the connector, need no store of their own, and everybody can see them.
A connector without our mark is somebody else's: it is never changed, never deleted.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from connectors.connect.files import Desired, State
from connectors.connect.live import Live
from connectors.connect.redaction import is_masked, shown

OWNER, APPLIED = "stagewatch.owner", "stagewatch.applied"
NEW_START = {
    "topic.prefix": "names topics, offsets and schema history: the connector starts anew under other topics",
    "connector.class": "the offsets of another class mean nothing to it",
    "database.dbname": "what was read of the other database does not hold for this one",
    "slot.name": "the new slot begins now, what changed meanwhile is lost; the old one keeps the log until dropped",
    "schema.history.internal.kafka.topic": "the new history is empty: the connector cannot start without a snapshot",
}
"""Settings whose change is more than an update."""


class Action(StrEnum):
    """What has to be done with one connector."""

    CREATE = "create"
    UPDATE = "update"
    RESTART = "restart"
    RESUME = "resume"
    PAUSE = "pause"
    STOP = "stop"
    DELETE = "delete"
    DRIFT = "drift"
    """Somebody added settings by hand; they are left alone unless they shall be replaced."""
    FOREIGN = "foreign"
    """It is not ours; nothing is done."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Change:
    """One setting: what is, and what shall be. None: not set."""

    setting: str
    before: str | None
    after: str | None

    def shown(self) -> tuple[str | None, str | None]:
        """Give both values as a person may see them."""
        before, after = (None if value is None else shown(self.setting, value) for value in (self.before, self.after))
        return before, after


@dataclass(frozen=True, slots=True)
class Item:
    """The plan for one connector: the actions in their order, and why."""

    name: str
    actions: tuple[Action, ...]
    state: State = "running"
    """The state that it shall come to."""
    config: Mapping[str, str] = field(default_factory=dict)
    """What it shall be configured with, marks included; for create and update."""
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_work(self) -> bool:
        """Whether applying it does something."""
        return not {Action.NOTHING, Action.DRIFT, Action.FOREIGN} & set(self.actions)


@dataclass(frozen=True, slots=True)
class Policy:
    """Who we are, and what may be done beyond the files' own connectors."""

    owner: str
    replaces: bool = False
    """Also remove settings that somebody added by hand."""
    prunes: bool = False
    """Also delete connectors of ours that no file describes any more."""
    adopted: Collection[str] = ()
    """Connectors without our mark that we were told to take over."""


def plan(wanted: Sequence[Desired], live: Mapping[str, Live], policy: Policy) -> list[Item]:
    """Give what has to be done, connector by connector, sorted by name."""
    items = [_item(desired, live.get(desired.name), policy) for desired in wanted]
    if policy.prunes:
        names = {desired.name for desired in wanted}
        items += [
            Item(name, (Action.DELETE,), notes=("no file describes it any more",))
            for name, found in live.items()
            if name not in names and is_ours(found, policy.owner)
        ]
    return sorted(items, key=lambda item: item.name)


def is_ours(live: Live, owner: str) -> bool:
    """Tell whether a connector carries our mark."""
    return live.config.get(OWNER) == owner


def _item(desired: Desired, live: Live | None, policy: Policy) -> Item:
    if live is None:
        return _creation(desired, policy)
    if not is_ours(live, policy.owner) and desired.name not in policy.adopted:
        owner = live.config.get(OWNER)
        whose = f"it belongs to {owner}" if owner else "it carries no mark of ours"
        note = f"{whose}; it is left alone (--adopt {desired.name} takes it over)"
        return Item(desired.name, (Action.FOREIGN,), notes=(note,))
    return _convergence(desired, live, policy)


def _creation(desired: Desired, policy: Policy) -> Item:
    changes = [Change(key, None, value) for key, value in sorted(desired.config.items())]
    config = _marked(desired.config, desired.config, policy)
    return Item(desired.name, (Action.CREATE,), desired.state, config, tuple(changes))


def _convergence(desired: Desired, live: Live, policy: Policy) -> Item:
    is_own = is_ours(live, policy.owner)
    present = {
        key: desired.config.get(key, value) if is_masked(value) else value
        for key, value in live.config.items()
        if key not in {OWNER, APPLIED}
    }
    is_drifted = is_own and live.config.get(APPLIED) != fingerprint(present)
    added = present.keys() - desired.config.keys()
    kept = added if is_drifted and not policy.replaces else set[str]()
    config = {**{key: present[key] for key in kept}, **desired.config}
    changes = [
        Change(key, present.get(key), config.get(key))
        for key in sorted(present.keys() | config.keys())
        if present.get(key) != config.get(key)
    ]
    notes = [f"{change.setting}: {NEW_START[change.setting]}" for change in changes if change.setting in NEW_START]
    if is_drifted:
        notes.insert(0, "changed by hand since it was last applied" + _kept(kept))
    actions = _actions(desired, live, has_changes=bool(changes) or not is_own)
    if not actions:
        actions = (Action.DRIFT,) if is_drifted and kept else (Action.NOTHING,)
    marked = _marked(config, desired.config, policy)
    return Item(desired.name, actions, desired.state, marked, tuple(changes), tuple(notes))


def _kept(kept: Collection[str]) -> str:
    if not kept:
        return ""
    return f"; {', '.join(sorted(kept))} is not in the file and stays (--replace removes it)"


def _actions(desired: Desired, live: Live, *, has_changes: bool) -> tuple[Action, ...]:
    found = [Action.UPDATE] if has_changes else []
    present = {"PAUSED": "paused", "STOPPED": "stopped"}.get(live.state, "running")
    if present != desired.state:
        found.append({"running": Action.RESUME, "paused": Action.PAUSE, "stopped": Action.STOP}[desired.state])
    elif live.failures and desired.state == "running":
        found.append(Action.RESTART)
    return tuple(found)


def _marked(config: Mapping[str, str], applied: Mapping[str, str], policy: Policy) -> dict[str, str]:
    return {**config, OWNER: policy.owner, APPLIED: fingerprint(applied)}


def fingerprint(config: Mapping[str, str]) -> str:
    """Give a short hash of a configuration, without our marks; 64 bits are enough to see that a hand was in it."""
    text = json.dumps(dict(sorted(config.items())), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
