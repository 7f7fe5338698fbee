"""The long loop on a whole system: anomalies, departments, and what people command, as an analyst does it."""

import time
from collections.abc import Iterable

from tests.helpers.whole_system import PATIENCE_S, POLL_S, Document, WholeSystem, ago, example

ANALYST, HAND, LEADER, ON_DUTY = "C-1", "H-1", "L-1", "D-1"


def person(system: WholeSystem, org_no: str, role: str, person_no: str, mobile: str) -> None:
    """Name somebody for a role in a unit; a department's role is its name."""
    row = example(
        "mkt", "stakeholder", stakeholder_id=f"SH-{person_no}", org_no=org_no, role=role, person_no=person_no,
        person_name=person_no, mobile=mobile, mail=None, valid_from=ago(days=90), valid_to=None,
    )  # fmt: skip
    system.capture("mkt", "stakeholder", row)


def silent_terminal(system: WholeSystem, term_no: str, org_no: str) -> str:
    """Tell a terminal that has been silent for more than fifty hours (A25); give its instance."""
    system.capture("acq", "term", example("acq", "term", term_no=term_no, term_kind="substation", org_no=org_no))
    freeze = example("acq", "meter_freeze", meter_no=f"ME-{term_no}", term_no=term_no, arrived_at=ago(hours=51))
    system.capture("acq", "meter_freeze", freeze)
    return term_no


def anomalies(system: WholeSystem, instances: Iterable[str], *states: str) -> list[Document]:
    """Wait until there is one anomaly of each instance, in one of these states (none given: any); give them."""
    deadline, wanted = time.monotonic() + PATIENCE_S, list(instances)
    while True:
        found = [
            each for name in wanted for each in system.ask("tasks", "list", "--kind", "anomaly", "--instance", name)
        ]
        if len(found) == len(wanted) and all(not states or each["state"] in states for each in found):
            return found
        seen = [(each["instance"], each["state"], each["anomaly"]["refused"]) for each in found]
        assert time.monotonic() < deadline, f"{states}: {seen}\n{system.worker.log_tail()}"
        time.sleep(POLL_S)


def packages(system: WholeSystem, org_no: str, state: str, of: int) -> list[Document]:
    """Wait until a unit's packages stand so and hold so many anomalies together; give them by number."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = system.ask("tasks", "list", "--kind", "package", "--org", org_no)
        packed = {act["note"] for each in found for act in each["acts"] if act["what"] == "PACKAGED"}
        if len(packed) == of and all(each["state"] == state for each in found):
            return sorted(found, key=lambda each: str(each["number"]))
        assert time.monotonic() < deadline, f"{found}\n{system.worker.log_tail()}"
        time.sleep(POLL_S)


def do(system: WholeSystem, kind: str, *keys: str, by: str, **said: str) -> None:
    """Send commands as a person does."""
    options = [part for name, value in said.items() for part in (f"--{name}", value)]
    system.done("commands", "send", kind, *keys, "--by", by, *options)


def dispatched(system: WholeSystem, instances: list[str], org_no: str) -> list[Document]:
    """Confirm, package and dispatch the anomalies of some instances; give them."""
    numbers = [str(each["number"]) for each in anomalies(system, instances)]
    do(system, "confirm", *numbers, by=ANALYST)
    anomalies(system, instances, "SCREENED")
    do(system, "package", *numbers, by=ANALYST)
    anomalies(system, instances, "PACKAGED")
    do(
        system,
        "dispatch",
        *(str(each["number"]) for each in packages(system, org_no, "OPEN", len(numbers))),
        by=ANALYST,
    )
    return anomalies(system, instances, "DISPATCHED")


def rectified(system: WholeSystem, anomaly: Document, **effect: str) -> None:
    """Check one on site and put it right."""
    order, name = str(anomaly["anomaly"]["order"]), [str(anomaly["instance"])]
    do(system, "lock", order, by=HAND)
    anomalies(system, name, "CHECKING")
    do(system, "feed_back", order, by=HAND, text="现场已核：模块损坏")
    anomalies(system, name, "FED_BACK")
    do(system, "rectify", order, by=HAND, text="已换模块", **effect)
    anomalies(system, name, "RECTIFIED")


def archived(system: WholeSystem, anomaly: Document, *, duty: str = ON_DUTY, points: str = "0") -> None:
    """Forward a rectified one, approve and archive it."""
    number, name = str(anomaly["number"]), [str(anomaly["instance"])]
    do(system, "forward", number, by=ANALYST, to=LEADER)
    anomalies(system, name, "FORWARDED")
    do(system, "approve", number, by=LEADER)
    anomalies(system, name, "APPROVED")
    do(system, "archive", number, by=ANALYST, to=duty, points=points, text="巡视不到位")
    anomalies(system, name, "ARCHIVED")
