"""At night nobody is told of what can wait; what became moot meanwhile is cancelled, the rest leaves once, as one."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.helpers.requirements import needs
from tests.helpers.tasks import late_application, manager
from tests.helpers.whole_system import PATIENCE_S, POLL_S, WholeSystem, ago, example, whole_system
from tests.helpers.worker import running_worker

TOPICS = ("cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress", "cdc.mkt.tg_manager")
QUIET = {"morning": "{starts: '23:59', ends: '23:58'}", "evening": "{starts: '00:01', ends: '00:00'}"}
"""Quiet but for one minute of a working day, which is half a day away."""
NOON = 12
MOBILE = "13923000009"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[WholeSystem]:
    half = "morning" if datetime.now(ZoneInfo("Asia/Shanghai")).hour < NOON else "evening"
    with needs("kafka"), whole_system(tmp_path, TOPICS, quiet_hours=QUIET[half]) as system:
        yield system


def wait_for_states(system: WholeSystem, expected: dict[str, str]) -> dict[str, str]:
    """Wait until each instance's message about its late scheme is in its state; give their texts."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        rows = {
            each["instance"]: each
            for each in system.ask("notifications", "list", "--channel", "sms")
            if each["rule"] == "R-T04" and each["severity"] == "ALARM"
        }
        found = {instance: row["state"] for instance, row in rows.items()}
        if found == expected:
            return {instance: row["text"] for instance, row in rows.items()}
        assert time.monotonic() < deadline, f"{found}\n{system.worker.log_tail()}"
        time.sleep(POLL_S)


def test_what_became_moot_is_cancelled_and_the_rest_is_told_once_or_silenced(system: WholeSystem) -> None:
    manager(system, "TG-Q", "M-Q", MOBILE)
    for number in ("Q1", "Q2", "Q3", "Q4"):
        late_application(system, number, "TG-Q")
    wait_for_states(system, dict.fromkeys(("Q1", "Q2", "Q3", "Q4"), "held"))

    done = example(
        "mkt", "mkt_app_progress", progress_id="V-Q1", app_no="Q1", entered_at=ago(days=60), finished_at=ago(days=50),
        suspend_from=None, suspend_to=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_app_progress", done, op="u")
    system.done("notifications", "cancel", "--instance", "Q4", "--by", "H001", "--reason", "误报")
    wait_for_states(system, {"Q1": "cancelled", "Q2": "held", "Q3": "held", "Q4": "cancelled"})

    system.done("silences", "add", "--by", "H001", "--for", "4h", "--reason", "检修", "--instance", "Q2")
    system.worker.stop()
    settings = {"sources": str(system.sources), "sms_url": system.sms.url, "data_dir": str(system.worker.data_dir)}
    with running_worker(system.kafka.url, system.folder, **settings):
        texts = wait_for_states(system, {"Q1": "cancelled", "Q2": "muted", "Q3": "delivered", "Q4": "cancelled"})
    sentences = {instance: text.partition("】")[2] for instance, text in texts.items()}
    code, audited, _ = system.command("notifications", "audit", "-o", "json")
    assert (code, audited) == (0, "")
    told = [sms.text for sms in system.sms.received if sms.mobile == MOBILE]
    assert [sum(sentences[instance] in text for text in told) for instance in ("Q1", "Q2", "Q3", "Q4")] == [0, 0, 1, 0]
