"""Expected against found: what is lost, what came twice, what should not be there. Pure.

Each of the three can be other than zero; `tests/unit/stagewatch/test_demo_tally.py` shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stagewatch.demo.messages import Expected, FoundAlert, Message
from stagewatch.demo.recount import Firing, Key

SHOWN_FAULTS = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """How expectation and finding differ; `faults` says each difference in a line."""

    lost: int
    duplicates: int
    unexpected: int
    faults: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """All that must be there is there, once, and nothing else."""
        return not (self.lost or self.duplicates or self.unexpected)


def compare(
    firings: Mapping[Key, Firing],
    alerts: Sequence[FoundAlert],
    messages: tuple[Expected, Counter[Message]],
    *,
    settled_until: int,
    letters: tuple[int, int] = (0, 0),
) -> Verdict:
    """Compare the recount with the alert topic and with what the receivers got.

    Args:
        firings: what the recount expects; what fires after `settled_until` may be there or not.
        alerts: `raised` events in the topic, repeats included.
        messages: what must and may have been received, and what was.
        settled_until: epoch ms; the demo was still waiting for everything up to then.
        letters: dead letters expected and found.
    """
    expected, received = messages
    ids = Counter(alert.alert_id for alert in alerts)
    found = {alert.key for alert in alerts}
    missing = [key for key, firing in firings.items() if firing.at <= settled_until and key not in found]
    twice = [alert_id for alert_id, count in ids.items() for _ in range(count - 1)]
    strange = sorted(found - set(firings), key=str)
    untold = expected.must - received
    told_again = _told_again(expected, received)
    stray = Counter({m: n for m, n in received.items() if m not in expected.must and m not in expected.may})
    faults = [f"lost alert {_name(key)}" for key in missing]
    faults += [f"alert {alert_id} raised again" for alert_id in twice]
    faults += [f"unexpected alert {_name(key)}" for key in strange]
    for word, counted in (("lost", untold), ("repeated", told_again), ("unexpected", stray)):
        faults += [f"{word} {m.channel} to {m.address}: {m.what} ({n} times)" for m, n in counted.items()]
    wanted_letters, found_letters = letters
    if wanted_letters != found_letters:
        faults.append(f"{wanted_letters} dead letters expected, {found_letters} found")
    return Verdict(
        lost=len(missing) + untold.total() + max(0, wanted_letters - found_letters),
        duplicates=len(twice) + told_again.total() + max(0, found_letters - wanted_letters),
        unexpected=len(strange) + stray.total(),
        faults=tuple(faults),
    )


def _told_again(expected: Expected, received: Counter[Message]) -> Counter[Message]:
    allowed = expected.must + expected.may
    return Counter({m: n - allowed[m] for m, n in received.items() if m in allowed and n > allowed[m]})


def _name(key: Key) -> str:
    return " ".join(str(part) for part in key if part is not None)


def percentile(values: Sequence[int], share: float) -> int | None:
    """Give the smallest value that at least `share` of all do not exceed; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-len(ordered) * share // 1) - 1))]
