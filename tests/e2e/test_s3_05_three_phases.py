"""S3-05: one fixture alarm in each of the nine domains is warned of, guided through its loop and evaluated."""

import json
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.helpers.billing_lives import FIRST_READING, MONTHS, ODD, Customer
from tests.helpers.control import ANALYST, HAND, LEADER, ON_DUTY, anomalies, do, silent_terminal
from tests.helpers.whole_system import PATIENCE_S, POLL_S, Document, WholeSystem, ago, example

CLOSED_AT = FIRST_READING + 400 * len(MONTHS)
DOMAINS = {
    "抄表": "A03", "电量电费": "A04", "收费账务": "A26", "线损": "A16", "业扩报装": "A12", "95598": "A21",
    "计量": "A02", "用电检查": "A24", "电能采控": "A25",
}  # fmt: skip
"""The nine domains under control and the anomaly that stands for each."""
PHASES = ("warned", "guided", "evaluated")
DEPT = "S305处"
"""Nobody else's, so that the packages are this test's."""


def billing_faults(system: WholeSystem) -> None:
    """Tell a wrong base, an energy jump, a register that ran backwards, and a bill issued unaudited."""
    for name, begins, ends in (("base", CLOSED_AT + 1, CLOSED_AT + 401), ("reverse", CLOSED_AT, CLOSED_AT - 1)):
        customer = Customer(system, f"S305-{name}").begin()
        customer.read(ODD, begins, ends)
        customer.bill(ODD)
    for name, issued_at in (("jump", None), ("unaudited", "2026-03-29T01:00:00.000000Z")):
        Customer(system, f"S305-{name}").begin().bill(ODD, energy_kwh="900.00", issued_at=issued_at)


def cash_fault(system: WholeSystem) -> None:
    """Tell a closing that is not the sum of its charges."""
    now = datetime.now(UTC)
    charge = example(
        "city", "city_pay", pay_no="PY-S305", office_no="S305", cashier_no="S305", amount="8.50", cancelled_at=None,
        paid_at=now.isoformat(),
    )  # fmt: skip
    system.capture("city", "city_pay", charge)
    closing = example(
        "city", "city_close", close_no="CL-S305", office_no="S305", cashier_no="S305", pay_cnt=1, total_amt="9.00",
        business_date=now.astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat(), closed_at=now.isoformat(),
    )  # fmt: skip
    system.capture("city", "city_close", closing)


def bus(system: WholeSystem) -> None:
    """Tell a bus section of a substation, as it has been known for a week."""
    week_ago = int((time.time() - 7 * 86_400) * 1000)
    for table, row in (
        ("ymd_subs", {"subs_no": "S305S", "org_no": "3349935"}), ("ymd_bus", {"bus_no": "S305B", "subs_no": "S305S"})
    ):  # fmt: skip
        value = {"op": "c", "before": None, "after": row, "source": {"connector": "postgresql", "lsn": 1}}
        system.send(f"cdc.ymd.{table}", json.dumps(value).encode(), at=week_ago)
    system.settle()


def bus_fault(system: WholeSystem) -> None:
    """Tell that it took in twice what it gave out, two days ago."""
    day = (datetime.now(ZoneInfo("Asia/Shanghai")) - timedelta(days=2)).date().isoformat()
    row = example("gate", "gate_energy", point_no="S305B", date=day, in_kwh="100.0000", out_kwh="50.0000")
    system.capture("gate", "gate_energy", row)


def works_fault(system: WholeSystem) -> None:
    """Tell a design that was rejected."""
    app = example(
        "mkt", "mkt_app", app_no="S305-works", cons_no=None, tg_no=None, line_no=None, subs_no=None, mgr_no=None,
        volt_class="HV", org_no="3349935", accepted_at=ago(days=3), archived_at=None, parent_app_no=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_app", app)
    report = example(
        "ech", "ech_works_report", report_no="RP-S305", app_no="S305-works", review_result="rejected",
        submitted_at=ago(days=1), reviewed_at=ago(minutes=5),
    )  # fmt: skip
    system.capture("ech", "ech_works_report", report)


def complaints(system: WholeSystem) -> None:
    """Tell ten complaints of yesterday."""
    for number in range(10):
        row = example(
            "mkt", "mkt_service_req", req_no=f"RQ-S305-{number}", req_type="complain", cons_no=None,
            received_at=ago(days=1), finished_at=None, satisfied_code=None,
        )  # fmt: skip
        system.capture("mkt", "mkt_service_req", row)


def ours(system: WholeSystem, numbers: set[str]) -> dict[str, Document]:
    """Give one anomaly of each domain by domain: of those with these numbers, or the newest."""
    listed = system.ask("tasks", "list", "--kind", "anomaly", "--limit", "10000")
    found = [each for each in listed if not numbers or each["number"] in numbers]
    return {
        domain: each
        for domain, rule in DOMAINS.items()
        for each in found
        if (each["anomaly"]["domain"], each["rule"]) == (domain, rule) and (numbers or is_ours(each))
    }


def is_ours(anomaly: Document) -> bool:
    return "S305" in anomaly["instance"] or anomaly["rule"] == "A21"


def wait_for(system: WholeSystem, state: str, numbers: set[str]) -> dict[str, Document]:
    """Wait until an anomaly of each domain stands so; give them."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = ours(system, numbers)
        if len(found) == len(DOMAINS) and {each["state"] for each in found.values()} == {state}:
            return found
        seen = {domain: each["state"] for domain, each in found.items()}
        assert time.monotonic() < deadline, f"{state}: {seen}\n{system.worker.log_tail()}"
        time.sleep(POLL_S)


def totals(system: WholeSystem) -> dict[str, Document]:
    month = datetime.now(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m")
    return {each["of"]: each for each in system.ask("tasks", "totals", "--period", month, "--by", "domain")}


def test_s3_05_an_alarm_of_each_of_nine_domains_appears_in_all_three_phases(system: WholeSystem) -> None:
    before = totals(system)
    bus(system)
    billing_faults(system)
    cash_fault(system)
    works_fault(system)
    complaints(system)
    anomalies(system, [silent_terminal(system, "S305-silent", "3349935")])
    bus_fault(system)
    raised = wait_for(system, "RAISED", set())
    numbers = {each["number"] for each in raised.values()}

    do(system, "confirm", *numbers, by=ANALYST, dept=DEPT)
    wait_for(system, "SCREENED", numbers)
    do(system, "package", *numbers, by=ANALYST)
    packed = wait_for(system, "PACKAGED", numbers)
    do(system, "dispatch", *{each["anomaly"]["package"] for each in packed.values()}, by=ANALYST)
    sent = wait_for(system, "DISPATCHED", numbers)
    orders = [each["anomaly"]["order"] for each in sent.values()]
    for kind, keys, by, said, leads_to in (
        ("lock", orders, HAND, {}, "CHECKING"),
        ("feed_back", orders, HAND, {"text": "现场已核"}, "FED_BACK"),
        ("rectify", orders, HAND, {"text": "已整改", "errors": "1"}, "RECTIFIED"),
        ("forward", numbers, ANALYST, {"to": LEADER}, "FORWARDED"),
        ("approve", numbers, LEADER, {}, "APPROVED"),
        ("archive", numbers, ANALYST, {"to": ON_DUTY}, "ARCHIVED"),
    ):
        do(system, kind, *keys, by=by, **said)
        wait_for(system, leads_to, numbers)

    after = totals(system)
    assert set(after) == set(DOMAINS)
    for domain in DOMAINS:
        for phase in PHASES:
            assert after[domain][phase] > before.get(domain, {}).get(phase, 0), (domain, phase)
