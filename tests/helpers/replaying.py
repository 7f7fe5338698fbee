"""A replay in process, and what it raised in the words of the recount."""

from collections.abc import Iterable
from functools import lru_cache

from connectors import SHIPPED_SOURCES, SourceCatalog, load_sources
from schemas import Recorded
from stagewatch.replay import Replay
from tests.helpers.builders import shipped
from tests.helpers.recount import COUNTED, Key

TOLERANCE_MS = 1
"""Source and expectation cut microseconds differently."""


@lru_cache
def sources() -> SourceCatalog:
    return load_sources([SHIPPED_SOURCES])


def replayed(records: Iterable[Recorded], until: int) -> Replay:
    replay = Replay(shipped(), sources(), mail_domain="stagewatch.local")
    replay.feed(records)
    replay.advance(until)
    return replay


def raised(replay: Replay) -> dict[Key, int]:
    """Give what was raised of the rules that the recount counts; an alert raised twice is an error."""
    found: dict[Key, int] = {}
    for a in replay.outcome.alerts:
        if a.event == "raised" and a.rule in COUNTED:
            key = Key(a.rule, a.severity, a.process, a.instance, a.stage, a.visit, a.object.item if a.object else None)
            assert key not in found
            found[key] = a.raised_at
    return found


def differences(found: dict[Key, int], expected: dict[Key, int]) -> list[str]:
    """Give a line for every alert that one side lacks or has at another time."""
    lines = [f"not raised: {key} at {expected[key]}" for key in sorted(expected.keys() - found.keys(), key=str)]
    lines += [f"not expected: {key} at {found[key]}" for key in sorted(found.keys() - expected.keys(), key=str)]
    for key in sorted(found.keys() & expected.keys(), key=str):
        if abs(found[key] - expected[key]) > TOLERANCE_MS:
            lines.append(f"at {found[key]} instead of {expected[key]}: {key}")
    return lines
