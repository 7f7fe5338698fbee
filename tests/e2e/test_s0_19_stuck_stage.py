"""S0-19: a stage that is stuck, with no further event, is warned of and late on time."""

from datetime import UTC, datetime, timedelta

from tests.helpers.connection_lives import application, visit
from tests.helpers.figures import hold
from tests.helpers.whole_system import WholeSystem

LIMIT = timedelta(days=15)
"""Of R-T10: a test without report; its warning is due after ten days."""
AHEAD = timedelta(seconds=15)
"""From the telling to the limit: long enough for both rows to be written before it, on any machine."""
LAG_S = 1.0
"""A timer fires within a second of its time, on a quiet machine."""


def test_s0_19_stuck_stage_is_warned_of_and_late_on_time_without_another_event(system: WholeSystem) -> None:
    entered = datetime.now(UTC).replace(microsecond=0) + AHEAD - LIMIT
    app_no = application(system, "S019-stuck")
    visit(system, app_no, "TEST", 1, entered_at=entered.isoformat())
    system.wait_for_alerts(app_no, ("R-T10", "WARN"), ("R-T10", "ALARM"))
    raised = {
        each["severity"]: datetime.fromisoformat(each["raised_at"])
        for each in system.ask("alerts", "list", "--instance", app_no)
        if each["rule"] == "R-T10"
    }
    due = entered + LIMIT
    assert raised["WARN"] < due <= raised["ALARM"], "the warning at once, the alarm when its time had come"
    hold("S0-19: a timer after its time, s", (raised["ALARM"] - due).total_seconds(), LAG_S)
