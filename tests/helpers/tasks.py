"""Supervision tasks on a whole system: managers, applications that are late, and what came of it."""

import time
from collections.abc import Callable

from tests.helpers.whole_system import PATIENCE_S, POLL_S, Document, WholeSystem, ago, example


def manager(system: WholeSystem, tg_no: str, mgr_no: str, mobile: str, method: str = "sms") -> None:
    """Make somebody answer for a district."""
    row = example(
        "mkt", "tg_manager", tg_no=tg_no, mgr_no=mgr_no, mgr_name=mgr_no, mobile=mobile, sup_method=method,
        valid_from=ago(days=90), valid_to=None,
    )  # fmt: skip
    system.capture("mkt", "tg_manager", row)


def late_application(system: WholeSystem, app_no: str, tg_no: str | None) -> None:
    """Tell an application whose scheme is long overdue; it is news."""
    app = example(
        "mkt", "mkt_app", app_no=app_no, cons_no=None, tg_no=tg_no, mgr_no=None, line_no=None, subs_no=None,
        org_no="3349909", accepted_at=ago(days=70), archived_at=None, parent_app_no=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_app", app)
    visit = example(
        "mkt", "mkt_app_progress", progress_id=f"V-{app_no}", app_no=app_no, entered_at=ago(days=60),
        finished_at=None, suspend_from=None, suspend_to=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_app_progress", visit)


def wait_for_task(system: WholeSystem, app_no: str, is_so: Callable[[Document], bool] = bool) -> Document:
    """Wait until the task about an application's late scheme is so; give it."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = [each for each in system.ask("tasks", "list", "--instance", app_no) if each["rule"] == "R-T04"]
        if found and is_so(found[0]):
            return found[0]
        assert time.monotonic() < deadline, f"{app_no}: {found}\n{system.worker.log_tail()}"
        time.sleep(POLL_S)


def wait_for_sms(system: WholeSystem, mobile: str, part: str) -> str:
    """Wait for a message to a mobile that has `part` in it; give its text."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        texts = [sms.text for sms in system.sms.received if sms.mobile == mobile]
        found = [text for text in texts if part in text]
        if found:
            return found[0]
        assert time.monotonic() < deadline, f"{part}: {texts}\n{system.worker.log_tail()}"
        time.sleep(POLL_S)
