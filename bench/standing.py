"""Applications that are under way and stand still, as a capture's snapshot reads them: state without events.

Each is in design, where nothing but the passing of days falls due: R-T05 warns 45 days after the stage was entered,
R-T14 weeks later. So an application has `DEADLINES_EACH` open deadlines, and who chooses when it was entered chooses
when the first of them fires.
"""

from collections.abc import Iterator

from bench.connector import Connector
from bench.lives import DAY_MS, HV_STAGES, Neighbourhood, mean_days, new_application
from bench.rows import Happening, Progress, iso
from schemas import Recorded

DEADLINES_EACH = 4
"""R-T05 and R-T14, WARN and ALARM."""
RULE, WARNS_AFTER_MS = "R-T05", 45 * DAY_MS
QUIET_AGE_MS = 20 * DAY_MS
"""In design for so long, an application's deadlines are weeks away."""
DISTRICTS = 400
_DESIGN = next(number for number, stage in enumerate(HV_STAGES) if stage.code == "DESIGN")


def standing(connector: Connector, number: int, *, at: int, entered: int, ended: int = 0) -> Iterator[Recorded]:
    """Give the rows of one application in design.

    Args:
        connector: makes the records.
        number: which application.
        at: when its rows arrive, epoch ms.
        entered: when it came to design, epoch ms.
        ended: stages before that one that are known as well, at most three; a record each.
    """
    begin = entered
    visits = [_visit(number, _DESIGN, entered, None)]
    for serial in range(_DESIGN - 1, _DESIGN - 1 - ended, -1):
        begin, end = begin - int(mean_days(HV_STAGES[serial]) * DAY_MS), begin
        visits.insert(0, _visit(number, serial, begin, end))
    accepted = min(begin, entered - DAY_MS // 2)
    row = new_application(number, Neighbourhood(number % DISTRICTS), accepted, is_hv=True)
    yield connector.record(Happening(at, "r", row))
    for visit in visits:
        yield connector.record(Happening(at, "r", visit))


def quiet(connector: Connector, numbers: range, *, at: int, ended: int = 0) -> Iterator[Recorded]:
    """Give the rows of applications of which nothing falls due for weeks."""
    for number in numbers:
        entered = at - QUIET_AGE_MS - number % DAY_MS
        yield from standing(connector, number, at=at, entered=entered, ended=ended)


def _visit(number: int, serial: int, entered: int, finished: int | None) -> Progress:
    stage, app_no = HV_STAGES[serial], new_application(number, Neighbourhood(0), 0, is_hv=True).app_no
    end = None if finished is None else iso(finished)
    return Progress(
        number * 16 + serial, app_no, stage.code, 1, stage.dept, f"H{number % 997:03d}", iso(entered), end,
        "pass" if end else None, None, None, None, None, end or iso(entered),
    )  # fmt: skip
