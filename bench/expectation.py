"""What a run must have raised: `stagewatch replay`'s engine over the same records, and the comparison with the topic.

A benchmark that loses work is no benchmark: every one ends here.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from bench.plan import Plan, records
from schemas import AlertEvent, Recorded, StagewatchError, decode_alert
from stagewatch import Replay, load_everything, load_settings, read_topic

AlertKey = tuple[str, str]
"""alert_id and event: what a read-committed reader must find exactly once."""
_REPORT_EVERY = 5_000


class WorkLost(StagewatchError):
    """The worker's alerts are not those of the replay; the figures of such a run mean nothing."""


def expected_alerts(plan: Plan, progress: Callable[[int], None] = lambda _done: None) -> Counter[AlertKey]:
    """Give every alert event that the plan's records raise up to the arrival of the last one."""
    return replayed(_counted(records(plan), progress))


def replayed(recorded: Iterable[Recorded]) -> Counter[AlertKey]:
    """Give every alert event of records that are in order of arrival, as of the last one's arrival."""
    settings = load_settings(None, {})  # as shipped, whatever this shell sets: the worker gets no more either
    replay = Replay(*load_everything(settings), mail_domain=settings.mail_domain)
    replay.feed(recorded)
    replay.advance(replay.clock)
    return _counts(replay.outcome.alerts, replay.clock)


def found_alerts(bootstrap: str, until: int) -> Counter[AlertKey]:
    """Give what stands in the alert topic, less what was due only after `until` (the wall clock runs on)."""
    alerts = (decode_alert(record.value or b"") for record in read_topic(bootstrap, "stagewatch.alerts"))
    return _counts(alerts, until)


def compare(expected: Counter[AlertKey], found: Counter[AlertKey]) -> None:
    """Raise WorkLost unless both are the same, each event once."""
    lost, more = expected - found, found - expected
    if lost or more:
        raise WorkLost(
            f"the worker and the replay of the same records disagree: {lost.total()} alert events are missing "
            f"(such as {_some(lost)}), {more.total()} are too many (such as {_some(more)})"
        )


def _counts(alerts: Iterable[AlertEvent], until: int) -> Counter[AlertKey]:
    return Counter((alert.alert_id, alert.event) for alert in alerts if alert.raised_at <= until)


def _some(events: Counter[AlertKey]) -> str:
    return ", ".join("/".join(key) for key in sorted(events)[:3]) or "none"


def _counted(recorded: Iterable[Recorded], progress: Callable[[int], None]) -> Iterable[Recorded]:
    for number, record in enumerate(recorded):
        if number % _REPORT_EVERY == 0:
            progress(number)
        yield record
