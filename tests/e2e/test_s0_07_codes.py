"""S0-07: two sources' codes of one voltage become one; an unknown code is kept, marked and counted."""

from typing import Any

from connectors import SHIPPED_SOURCES
from tests.helpers.whole_system import WholeSystem, example

KNOWN, UNKNOWN = "S07-known", "S07-unknown"
MKT, LEAN = "cdc.mkt.mkt_app", "cdc.lean.lean_app_detail"


def tell(system: WholeSystem, app_no: str, mkt_code: str, lean_code: str) -> None:
    running = {"app_no": app_no, "archived_at": None}
    system.capture("mkt", "mkt_app", example("mkt", "mkt_app", **running, volt_level_code=mkt_code))
    detail = example("lean", "lean_app_detail", app_no=app_no, volt_level_code=lean_code)
    system.capture("lean", "lean_app_detail", detail)


def both(system: WholeSystem, app_no: str) -> dict[str, Any]:
    return system.wait_for(app_no, lambda found: found["fields"] and f"application@lean:{app_no}" in found["rows"])


def unknown_codes(system: WholeSystem) -> dict[str, int]:
    rows = system.ask("sources", "findings", sources=str(SHIPPED_SOURCES))
    return {row["where"]: row["count"] for row in rows if row["rule"] == "R-D02"}


def counted(system: WholeSystem) -> dict[str, float]:
    name = "stagewatch_unknown_codes_total"
    return {topic: system.metric(name, topic=topic, column="volt_level_code") for topic in (MKT, LEAN)}


def test_s0_07_two_sources_with_other_codes_for_one_voltage_give_one_canonical_code(system: WholeSystem) -> None:
    tell(system, KNOWN, "AC00101", "02")
    found = both(system, KNOWN)
    codes = {found["fields"]["volt_level_code"], found["rows"][f"application@lean:{KNOWN}"]["volt_level_code"]}
    assert codes == {"AC00101"}
    assert found["golden"]["disagreements"] == []
    assert {rule for rule, _ in system.alerts(KNOWN)} & {"R-D02", "R-D04"} == set()


def test_s0_07_unknown_code_is_kept_marked_and_counted(system: WholeSystem) -> None:
    before, metric = unknown_codes(system), counted(system)
    tell(system, UNKNOWN, "K7", "77")
    found = both(system, UNKNOWN)
    assert found["fields"]["volt_level_code"] == "K7"
    assert found["rows"][f"application@lean:{UNKNOWN}"]["volt_level_code"] == "77"

    system.catch_up()
    (mark,) = [each for each in system.ask("alerts", "list", "--instance", UNKNOWN) if each["rule"] == "R-D02"]
    assert (mark["severity"], "K7" in mark["text"]) == ("INFO", True)
    assert unknown_codes(system) == {
        **before, **{f"{topic}.volt_level_code": before.get(f"{topic}.volt_level_code", 0) + 1 for topic in (MKT, LEAN)}
    }  # fmt: skip
    system.until(lambda: counted(system) == {t: count + 1 for t, count in metric.items()}, lambda: counted(system))
