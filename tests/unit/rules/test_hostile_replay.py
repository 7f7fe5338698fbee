"""Every hostile record goes through replay: a dead letter or a finding by the contract, and the next one counts."""

import pytest

from schemas import Recorded
from stagewatch.replay import Replay
from tests.helpers.builders import ms
from tests.helpers.hostile_wire import (
    APP,
    FINDING,
    HOSTILE,
    OK,
    PROGRESS,
    SILENT,
    Hostile,
    app,
    dump,
    envelope,
    progress,
)
from tests.helpers.replaying import replayed

AT, HOUR = ms("2026-03-02T09:00"), 3_600_000
FINDINGS = {"R-D02", "R-D03", "R-T19"}


def recorded(topic: str, key: bytes | None, value: bytes | None, offset: int) -> Recorded:
    return Recorded(topic, 0, offset, AT + offset * 1000, key, value, {})


def good(name: str, offset: int) -> list[Recorded]:
    """An ordinary application in its survey."""
    row, visit = app(app_no=name), progress(app_no=name, progress_id=5000 + offset)
    return [
        recorded(APP, None, dump(envelope(row, lsn=offset)), offset),
        recorded(PROGRESS, None, dump(envelope(visit, lsn=offset)), offset + 1),
    ]


def played(*hostile: Hostile) -> Replay:
    """Replay an application, the hostile records, and another application."""
    between = [recorded(h.topic, h.key, h.value, 10 + n) for n, h in enumerate(hostile)]
    return replayed([*good("BEFORE", 1), *between, *good("AFTER", 1000)], AT + 20 * HOUR)


def surveyed(replay: Replay) -> set[str]:
    return {doc["instance"] for doc in replay.instances() if doc["stages"] == ["SURVEY"]}


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda h: h.name)
def test_a_hostile_record_is_refused_found_or_taken_and_the_next_one_counts(hostile: Hostile) -> None:
    replay = played(hostile)
    letters = [(d.reason, d.topic, d.partition, d.offset) for d in replay.outcome.dead_letters]
    found = {a.rule for a in replay.outcome.alerts if a.event == "raised"} & FINDINGS
    assert {"BEFORE", "AFTER"} <= surveyed(replay)
    if hostile.expect in {OK, SILENT}:
        assert (letters, found & {"R-D02", "R-T19"}) == ([], set())
    elif hostile.expect == FINDING:
        assert letters == []
        assert found
    else:
        assert letters == [(hostile.expect, hostile.topic, 0, 10)]


def test_all_of_them_together_leave_the_others_alone() -> None:
    replay = played(*HOSTILE)
    refused = [h for h in HOSTILE if h.expect not in {OK, SILENT, FINDING}]
    assert [d.reason for d in replay.outcome.dead_letters] == [h.expect for h in refused]
    assert {"BEFORE", "AFTER"} <= surveyed(replay)
    assert list(replay.indicators())
    assert list(replay.notifications()) is not None
    assert replay.summary()["dead_letters"] == len(refused)


def test_the_same_hostile_input_gives_the_same_outcome() -> None:
    one, other = played(*HOSTILE), played(*HOSTILE)
    assert (one.outcome.alerts, list(one.instances())) == (other.outcome.alerts, list(other.instances()))
