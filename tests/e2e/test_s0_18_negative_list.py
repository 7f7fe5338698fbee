"""S0-18: a constrained item from its publication over its planned date to its end, by a worker on real Kafka.

An old item's planned date passed after it arrived; a new one opens over running applications and is cleared.
"""

import time
from datetime import date
from pathlib import Path
from typing import Any

from bench.kafka_server import KafkaServer
from connectors import SHIPPED_SOURCES
from stagewatch.receivers import SmsReceiver
from tests.helpers.brokers import make_topics
from tests.helpers.past import Past, at, days_ago, values_of, wait_for
from tests.helpers.whole_system import PATIENCE_S, WholeSystem, ago, example
from tests.helpers.worker import running_worker

APPS, VISITS = "cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress"
MANAGERS, ITEMS = "cdc.mkt.customer_manager", "cdc.lean.lean_neg_trans"
UNIT, DISTRICT = "3349918", "TG-S018"
MOBILES = {"M1-S018": "13918000001", "M2-S018": "13918000002"}
OLD, NEW = "NL-S018-OLD", "NL-S018-NEW"


def item(nl_no: str, tg_no: str, determined: date, planned: date, **changes: Any) -> dict[str, Any]:
    row = example(
        "lean", "lean_neg_trans", nl_no=nl_no, org_no=UNIT, trans_no=f"T-{tg_no}", tg_no=tg_no, cleared_at=None,
        determined_at=f"{determined}T09:00:00+08:00", published_at=f"{determined}T10:00:00+08:00",
        plan_finish_at=planned.isoformat(),
    )  # fmt: skip
    return row | changes


def running_application(past: Past, app_no: str, mgr_no: str) -> None:
    came = at(days_ago(2), "10:00")
    past.row(
        APPS,
        example(
            "mkt", "mkt_app", app_no=app_no, cons_no=None, tg_no=DISTRICT, mgr_no=mgr_no, line_no=None, subs_no=None,
            org_no=UNIT, accepted_at=f"{days_ago(2)}T09:00:00+08:00", archived_at=None, parent_app_no=None,
        ),
        came,
    )  # fmt: skip
    past.row(
        VISITS,
        example(
            "mkt", "mkt_app_progress", progress_id=f"V-{app_no}", app_no=app_no, stage_code="SURVEY",
            entered_at=f"{days_ago(2)}T09:30:00+08:00", finished_at=None, suspend_from=None, suspend_to=None,
        ),
        came,
    )  # fmt: skip


def overdue_in_the_list(system: WholeSystem) -> list[tuple[str, str, str]]:
    """Give (item, severity, deadline) of the detail: what is open of R-N06."""
    found = system.ask("alerts", "list", "--rule", "R-N06", "--org", UNIT)
    return [(each["instance"], each["severity"], each["due_at"]) for each in found if each["event"] == "raised"]


def overdue_in_the_summary(system: WholeSystem) -> int:
    value = values_of(system.bootstrap).get(("I235", "", UNIT))
    return 0 if value is None else int(value.numerator)


def told(system: WholeSystem, mobile: str, part: str) -> bool:
    return any(part in sms.text for sms in system.sms.received if sms.mobile == mobile)


def test_s0_18_item_alerts_managers_becomes_overdue_and_frees_its_applications(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    make_topics(own_kafka.bootstrap, [APPS, VISITS, MANAGERS, ITEMS])
    past = Past(own_kafka.bootstrap)
    for mgr_no, mobile in MOBILES.items():
        row = example("mkt", "customer_manager", mgr_no=mgr_no, mgr_name=mgr_no, mobile=mobile, org_no=UNIT)
        past.row(MANAGERS, row, at(days_ago(9), "09:00"))
        running_application(past, f"A-{mgr_no}", mgr_no)
    planned = days_ago(3)
    past.row(ITEMS, item(OLD, "TG-OTHER", days_ago(8), planned), at(days_ago(7), "09:00"))
    past.flush()
    with SmsReceiver() as sms, running_worker(own_kafka.url, tmp_path, sms_url=sms.url, partitions="2") as worker:
        system = WholeSystem(own_kafka, tmp_path, SHIPPED_SOURCES, sms, worker)

        system.wait_for_alerts(OLD, ("R-N06", "ALARM"))
        wait_for(lambda: overdue_in_the_list(system))
        (alert,) = [each for each in system.ask("alerts", "list", "--instance", OLD) if each["rule"] == "R-N06"]
        assert alert["raised_at"] == alert["due_at"], "the passing of the day, not a record, made it overdue"
        assert alert["due_at"] == f"{planned.isoformat()}T16:00:00.000Z"
        assert overdue_in_the_list(system) == [(OLD, "ALARM", alert["due_at"])]
        wait_for(lambda: overdue_in_the_summary(system) == 1)

        past.row(ITEMS, item(NEW, DISTRICT, days_ago(1), days_ago(-60), published_at=ago(seconds=1)))
        past.flush()
        for mgr_no, mobile in MOBILES.items():
            system.wait_for_alerts(f"A-{mgr_no}", ("R-N04", "ALARM"))
            wait_for(lambda mobile=mobile, mgr_no=mgr_no: told(system, mobile, f"A-{mgr_no}"))  # type: ignore[misc]
        assert overdue_in_the_list(system) == [(OLD, "ALARM", alert["due_at"])], "its planned date is to come"

        past.row(ITEMS, item(NEW, DISTRICT, days_ago(1), days_ago(-60), published_at=ago(minutes=1), cleared_at=ago()))
        past.row(ITEMS, item(OLD, "TG-OTHER", days_ago(8), planned, cleared_at=ago()))
        past.flush()
        wait_until_free(system, [f"A-{mgr_no}" for mgr_no in MOBILES])
        wait_for(lambda: overdue_in_the_summary(system) == 0 and not overdue_in_the_list(system))
        system.wait_for_alerts(NEW, ("R-N08", "INFO"))
    past.close()


def wait_until_free(system: WholeSystem, applications: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while any({"R-N01", "R-N04"} & set(system.open_rules(key)) for key in applications):
        assert time.monotonic() < deadline, [system.open_rules(key) for key in applications]
        time.sleep(0.2)
