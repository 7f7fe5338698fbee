"""Live traffic at a fixed rate: the usual changes of many applications, and some that raise an alert on arrival.

An alert on arrival: a survey that is heard of weeks after it was entered is late at once (R-T03 WARN and ALARM).
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from bench.connector import Connector
from bench.lives import DAY_MS, LV_STAGES, Neighbourhood, new_application
from bench.rows import Happening, Progress, iso
from schemas import Recorded

ALERTING_SHARE = 0.02
LATE_DAYS = 30
"""More than any makeshift calendar could stretch five workdays to."""
POOL, RECORDS_EACH = 20_000, 8
"""Applications that are known before the flow begins: at least so many, and so many that each has a handful of stages
at the end of it."""
OPEN = 2_000
"""Stages that are open at a time."""
DISTRICTS = 400
_LATE = b'"stage_code":"SURVEY"'


class Flow(NamedTuple):
    """So many records a second, for so long."""

    rate: int
    seconds: int
    seed: int = 7
    least: int = POOL
    """Applications that the records are about, at least."""

    @property
    def records(self) -> int:
        """Records in all."""
        return self.rate * self.seconds

    @property
    def pool(self) -> int:
        """Applications that the records are about."""
        return max(self.least, self.records // RECORDS_EACH)

    def raises(self, record: Recorded) -> bool:
        """Whether a record of the flow raises alerts on arrival: only those speak of a survey."""
        return record.value is not None and _LATE in record.value


def warm_up(flow: Flow, connector: Connector, now: int) -> Iterator[Recorded]:
    """Give the applications that the flow is about, accepted a minute ago: HV, so nothing falls due meanwhile."""
    at = now - 60_000
    for number in range(flow.pool):
        yield connector.record(
            Happening(at + number, "c", new_application(number, Neighbourhood(number % DISTRICTS), at, is_hv=True))
        )


def live_records(
    flow: Flow, connector: Connector, start: int, ages_ms: Sequence[int] = (LATE_DAYS * DAY_MS,)
) -> Iterator[Recorded]:
    """Give the flow, `flow.rate` a second from `start` on (epoch ms); each carries the time it is to be sent at.

    `ages_ms`: how long ago surveys were entered when they are heard of, in turns.
    """
    rng = random.Random(flow.seed)
    opened: list[Progress] = []
    for number in range(flow.records):
        at = start + number * 1000 // flow.rate
        if rng.random() < ALERTING_SHARE:
            row = _entered(rng, flow, number, "SURVEY", at - ages_ms[number % len(ages_ms)])
        elif len(opened) < OPEN or rng.random() < 0.5:  # noqa: PLR2004 - as many ends as beginnings
            row = _entered(rng, flow, number, rng.choice(LV_STAGES[1:]).code, at - 1_000)
            opened.append(row)
        else:
            row = msgspec.structs.replace(
                opened.pop(rng.randrange(len(opened))), finished_at=iso(at - 500), result_code="pass", upd_at=iso(at)
            )
        yield connector.record(Happening(at, "u" if row.finished_at else "c", row))


def _entered(rng: random.Random, flow: Flow, number: int, stage: str, at: int) -> Progress:
    app_no = new_application(rng.randrange(flow.pool), Neighbourhood(0), at, is_hv=True).app_no
    return Progress(
        number, app_no, stage, 1 + number, "MKT", "H001", iso(at), None, None, None, None, None, None, iso(at)
    )
