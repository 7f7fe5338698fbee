"""S0-19: a stage that is stuck, with no further event, is warned of and late on time."""

from datetime import UTC, datetime, timedelta

from tests.helpers.connection_lives import application, visit
from tests.helpers.whole_system import WholeSystem

LIMIT = timedelta(days=15)
"""Of R-T10: a test without report; its warning is due after ten days."""
AHEAD = timedelta(seconds=15)
LAG = timedelta(seconds=2)
"""A timer fires within a second of its time; another for a machine that others work on."""


def test_s0_19_stuck_stage_is_warned_of_and_late_on_time_without_another_event(system: WholeSystem) -> None:
    entered = datetime.now(UTC).replace(microsecond=0) + AHEAD - LIMIT
    app_no = application(system, "S019-stuck")
    visit(system, app_no, "TEST", 1, entered_at=entered.isoformat())
    assert ("R-T10", "ALARM") not in system.wait_for_alerts(app_no, ("R-T10", "WARN"))
    system.wait_for_alerts(app_no, ("R-T10", "ALARM"))
    (late,) = [
        each
        for each in system.ask("alerts", "list", "--instance", app_no)
        if (each["rule"], each["severity"]) == ("R-T10", "ALARM")
    ]
    raised = datetime.fromisoformat(late["raised_at"])
    assert timedelta(0) <= raised - (entered + LIMIT) < LAG
