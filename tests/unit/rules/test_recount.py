"""The independent recount counts the sample capture as others counted it, and replay agrees with both."""

import gzip
import json
from pathlib import Path

import pytest

from schemas import Recorded, epoch_ms, parse_recorded
from tests.helpers.recount import Key, recount
from tests.helpers.replaying import differences, raised, replayed

DATA = Path(__file__).parents[2] / "data"
UNTIL = epoch_ms("2026-06-20T00:00:00+08:00")


@pytest.fixture(scope="module")
def records() -> list[Recorded]:
    with gzip.open(DATA / "connection-2026-postgres.jsonl.gz", "rb") as lines:
        return [parse_recorded(line) for line in lines]


def expected() -> dict[Key, int]:
    """Give the expectation; it does not name the process of alerts about applications and items."""
    found = {}
    for line in (DATA / "expected.jsonl").read_text(encoding="utf-8").splitlines():
        alert = json.loads(line)
        at = epoch_ms(alert.pop("raised_at"))
        found[nameless(Key(**{"process": "", "stage": None, "visit": None, "item": None, **alert}))] = at
    return found


def nameless(key: Key) -> Key:
    return key._replace(process="") if key.rule.startswith("R-N") else key


def left_out(records: list[Recorded]) -> set[str]:
    """Applications whose ACCEPT or SURVEY was suspended: the expectation leaves out their R-T04."""
    rows = [json.loads(r.value)["after"] for r in records if r.topic.endswith("progress") and r.value]
    return {row["app_no"] for row in rows if row["suspend_from"] and row["stage_code"] in {"ACCEPT", "SURVEY"}}


def test_the_recount_gives_what_others_expected(records: list[Recorded]) -> None:
    wanted = expected()
    rules, suspended = {key.rule for key in wanted}, left_out(records)
    found = {
        nameless(key): at
        for key, at in recount(records, UNTIL).items()
        if key.rule in rules
        and key.severity != "CRITICAL"
        and (key.process != "lv_connection" or key.rule.startswith("R-N"))
        and not (key.rule == "R-T04" and key.instance in suspended)
    }
    assert differences(found, wanted) == []
    assert len(wanted) == 450
    assert len(suspended) == 8


def test_with_the_suspended_ones_the_scheme_counts_43_and_29(records: list[Recorded]) -> None:
    keys = [k for k in recount(records, UNTIL) if k.rule == "R-T04" and k.process == "hv_connection"]
    assert [sum(k.severity == s for k in keys) for s in ("WARN", "ALARM")] == [43, 29]


def test_the_replay_of_the_sample_raises_exactly_what_was_counted(records: list[Recorded]) -> None:
    assert differences(raised(replayed(records, UNTIL)), recount(records, UNTIL)) == []
