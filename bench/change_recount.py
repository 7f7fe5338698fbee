"""A recount of a live change from the topics: what the sources say against what the worker wrote, each event once.

By code of its own: source rows are folded here, nothing is judged by the engine. Rows of the worker's changelog alone
are unpacked with its own format. What is counted of each flow is told in `bench.change`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from bench.connector import TABLES
from bench.rows import Progress
from rules import Answer, Engine, Manifest, Reference, decode_record, describe, load_definitions
from schemas import CLOCK_KEY, AlertEvent, BadInput, Severity, decode_alert, decode_delta
from stagewatch import TopicRecord, read_topic
from streams import POSITION_KEY, engine_position

RULE, STAGE = "R-T03", "SURVEY"
VERSION_BEFORE, VERSION_AFTER = 1, 2
RUNGS: tuple[Severity, ...] = ("WARN", "ALARM")
OPEN_STAGE, OPEN_INDICATOR = "SCHEME", "I121"
ENDED_STAGE, ENDED_INDICATOR = "CONNECT", "I151"
"""Indicators that count visits, open and ended: a change judged twice would count twice."""

Place = tuple[str, int, int]
"""Topic, partition, offset."""


class Seen(NamedTuple):
    """A visit as the captured topic tells it last."""

    app_no: str
    stage: str
    visit: int
    entered_at: int
    finished_at: int | None
    place: Place
    """Of the record that told of it first."""
    arrived_at: int
    """Epoch ms, of that record."""


class Raised(NamedTuple):
    """An alert event about a survey, where it stands."""

    partition: int
    offset: int
    alert: AlertEvent


class Switch(NamedTuple):
    """How the partitions went over, in seconds after the change came into effect."""

    partitions: int
    switched_s: float
    """Until the last partition's first transaction under the changed rules: every event since is judged by them."""
    taken_up_s: float
    """Until the last partition had judged all running instances anew, too, and that was committed and told."""


class Recount(NamedTuple):
    """What a recount found; a line for each event that was lost, judged twice or judged by the wrong rules."""

    lost: list[str]
    twice: list[str]
    misjudged: list[str]
    before: int
    """Alerts about surveys by the rules before the change."""
    after: int
    """Alerts about surveys by the changed rules."""


# -- what stands in the topics


def visits_of(bootstrap: str) -> dict[int, Seen]:
    """Give the visits by the number of their row, as their last records tell them."""
    topic = TABLES[Progress].topic
    found: dict[int, Seen] = {}
    for record in read_topic(bootstrap, topic):
        row = msgspec.json.decode(record.value or b"")["after"]
        known = found.get(row["progress_id"])
        place, at = (topic, record.partition, record.offset), record.timestamp
        found[row["progress_id"]] = Seen(
            row["app_no"], row["stage_code"], row["visit_no"], _ms(row["entered_at"]),
            _ms(row["finished_at"]) if row["finished_at"] else None,
            known.place if known else place, known.arrived_at if known else at,
        )  # fmt: skip
    return found


def alerts_of(bootstrap: str) -> list[Raised]:
    """Give all alert events, in order within a partition."""
    return [
        Raised(record.partition, record.offset, decode_alert(record.value or b""))
        for record in read_topic(bootstrap, "stagewatch.alerts")
    ]


def totals_of(bootstrap: str) -> Counter[str]:
    """Give the sum of each indicator's differences over everything."""
    sums: Counter[str] = Counter()
    for record in read_topic(bootstrap, "stagewatch.deltas"):
        if record.key != CLOCK_KEY:
            delta = decode_delta(record.value or b"")
            sums[delta.indicator] += int(delta.numerator)
    return sums


def kept_visits(bootstrap: str, changelog: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the visits that the worker's state ends with, by their application."""
    rows: dict[str, bytes | None] = {}
    for record in read_topic(bootstrap, changelog):
        if record.key != POSITION_KEY:
            rows[(record.key or b"").decode()] = record.value
    engine = Engine(load_definitions(), Reference(frozenset()))
    partition = engine.new_partition(0)
    for key, row in rows.items():
        if row is not None:
            engine.load(partition, key, row)
            for visit in describe(partition.instances[key])["visits"]:
                yield key, visit
            engine.drop(partition, key)


def effective_at(bootstrap: str, serial: int) -> int:
    """Give when a set came into effect, epoch ms."""
    return next(
        record.timestamp
        for record, found in _book(bootstrap)
        if isinstance(found, Manifest) and (found.serial, found.state) == (serial, "effective")
    )


def switch_of(bootstrap: str, changelog: str, serial: int) -> Switch:
    """Give how long the partitions took to go over to a set."""
    at = effective_at(bootstrap, serial)
    told = [
        record.timestamp
        for record, found in _book(bootstrap)
        if isinstance(found, Answer) and (found.serial, found.state) == (serial, "taken")
    ]
    first: dict[int, int] = {}
    engine = Engine(load_definitions(), Reference(frozenset()))
    partition = engine.new_partition(0)
    for record in read_topic(bootstrap, changelog):
        if record.key == POSITION_KEY and record.partition not in first:
            engine.load_position(partition, engine_position(record.value or b""))
            if partition.rules.serial == serial:
                first[record.partition] = record.timestamp
    return Switch(len(first), (max(first.values()) - at) / 1000, (max(told) - at) / 1000)


def _book(bootstrap: str) -> Iterator[tuple[TopicRecord, object]]:
    for record in read_topic(bootstrap, "stagewatch.definitions"):
        try:
            yield record, decode_record(record.value or b"")
        except BadInput:
            continue


# -- the comparison: pure


def recount(visits: Mapping[int, Seen], alerts: Sequence[Raised], at: int) -> Recount:
    """Compare the alerts about surveys with the visits that must have raised them, and with when the rules changed.

    Each survey has a WARN and an ALARM, once: told by the rules before if it was late by them when they counted, else
    by the changed ones. A partition never goes back to the rules before. Of other rules nothing is told twice.
    """
    events = Counter((each.alert.alert_id, each.alert.event) for each in alerts)
    surveys = [each for each in alerts if each.alert.rule == RULE]
    due = {(seen.app_no, seen.visit, rung): seen for seen in visits.values() if seen.stage == STAGE for rung in RUNGS}
    found: dict[tuple[str, int | None, Severity], list[Raised]] = defaultdict(list)
    for each in surveys:
        found[each.alert.instance, each.alert.visit, each.alert.severity].append(each)
    lost = [f"{RULE} of {key} was never raised" for key in due if key not in found]
    twice = [f"alert {key} stands there {count} times" for key, count in events.items() if count > 1]
    misjudged = [f"nothing raises {RULE} of {key}" for key in found if key not in due]
    for key, seen in due.items():
        misjudged += [fault for each in found.get(key, ()) if (fault := _fault(each.alert, seen, at))]
    versions = Counter(each.alert.rule_version for each in surveys)
    misjudged += _gone_back(surveys)
    return Recount(lost, twice, misjudged, versions[VERSION_BEFORE], versions[VERSION_AFTER])


def _fault(alert: AlertEvent, seen: Seen, at: int) -> str:
    """Say what is wrong with an alert; empty if nothing is."""
    said = f"{alert.rule} {alert.severity} {alert.instance} visit {alert.visit}"
    if (alert.event, alert.stage) != ("raised", STAGE):
        return f"{said}: {alert.event} at {alert.stage}"
    if seen.place not in {(e.topic, e.partition, e.offset) for e in alert.evidence}:
        return f"{said} rests on {alert.evidence}, not on {seen.place}"
    if alert.rule_version == VERSION_BEFORE and max(seen.arrived_at, alert.raised_at) > at:
        return f"{said} is told by the rules before, after they had changed"
    if alert.rule_version == VERSION_AFTER and alert.raised_at < at:
        return f"{said} is told by the changed rules before they counted"
    if alert.rule_version not in (VERSION_BEFORE, VERSION_AFTER):
        return f"{said} is told by version {alert.rule_version}"
    return ""


def _gone_back(alerts: Iterable[Raised]) -> list[str]:
    """Say which partitions judged by the rules before once they had judged by the changed ones."""
    high: Counter[int] = Counter()
    found = []
    for partition, offset, alert in alerts:
        if alert.rule_version < high[partition]:
            found.append(f"partition {partition} goes back to version {alert.rule_version} at offset {offset}")
        high[partition] = max(high[partition], alert.rule_version)
    return found


def unlike_state(visits: Iterable[Seen], kept: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Say which visits the worker's state does not have as the sources tell them last."""
    told = Counter((s.app_no, s.stage, s.visit, s.entered_at, s.finished_at) for s in visits)
    mine = Counter(
        (key, v["stage"], v["visit"], _ms(v["entered_at"]), _ms(v["finished_at"]) if v["finished_at"] else None)
        for key, v in kept
    )
    return [f"state lacks {each}" for each in told - mine] + [f"state has {each}" for each in mine - told]


def unlike_totals(visits: Iterable[Seen], totals: Mapping[str, int]) -> list[str]:
    """Say which indicators are not what the visits add up to."""
    stages = Counter((seen.stage, seen.finished_at is not None) for seen in visits)
    wanted = {OPEN_INDICATOR: stages[OPEN_STAGE, False], ENDED_INDICATOR: stages[ENDED_STAGE, True]}
    return [
        f"{code} is {totals.get(code, 0)} and the visits say {count}"
        for code, count in wanted.items()
        if totals.get(code, 0) != count
    ]


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
