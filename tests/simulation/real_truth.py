"""The truth about a world of connection applications: the recount's alerts, and folded rows."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from schemas import AlertEvent, Notice, Recorded
from tests.helpers.recount import COUNTED, Key, recount
from tests.helpers.simulate import KEYS
from tests.simulation.material import SOURCE_SYSTEMS, source_system
from tests.simulation.process import document
from tests.simulation.rule_changes import VERSIONS, WATCHED

if TYPE_CHECKING:
    from tests.simulation.world import World

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEGINS, ENDS = {"raised", "reopened"}, {"cleared", "closed"}
Row = dict[str, Any]


def faults_of(
    world: "World", alerts: Sequence[AlertEvent], rows: Mapping[str, bytes], told: Sequence[Notice]
) -> list[str]:
    """Give a line for whatever is not as it must be."""
    documents = {key: document(value) for key, value in rows.items()}
    lines = _wrong_alerts(world, alerts) + _wrong_order(alerts, documents) + _wrong_instances(world, documents)
    if world.faults.windows:
        return lines
    return lines + _wrong_notices(world, alerts, told) + _wrong_versions(world, alerts)


# -- alerts


@lru_cache(maxsize=SOURCE_SYSTEMS)
def _recounted(number: int) -> dict[Key, int]:
    material = source_system(number)
    offsets: dict[Any, int] = defaultdict(int)
    records = []
    for captured in material.records:
        records.append(
            Recorded(*captured.tp, offsets[captured.tp], captured.at, captured.key, captured.value, {})
        )  # fmt: skip
        offsets[captured.tp] += 1
    return recount(records, material.until)


def _wrong_alerts(world: "World", alerts: Sequence[AlertEvent]) -> list[str]:
    expected = _recounted(world.seed % SOURCE_SYSTEMS)
    found: dict[Key, int] = {}
    for a in alerts:
        if a.event == "raised" and a.rule in COUNTED and a.raised_at <= world.material.until:
            key = Key(a.rule, a.severity, a.process, a.instance, a.stage, a.visit, a.object.item if a.object else None)
            found[key] = a.raised_at
    lines = []
    for key in sorted(expected.keys() | found.keys(), key=str):
        was, wanted = found.get(key), expected.get(key)
        is_same = was is not None and wanted is not None and abs(was - wanted) <= 1
        if not is_same and not _is_early(world, was, wanted):
            lines.append(f"raised at {was} instead of {wanted}: {key}")
    return lines


def _is_early(world: "World", *moments: int | None) -> bool:
    """While a clock is ahead what is judged then may come early, and what comes then is judged late."""
    return all(
        at is None or any(begin <= at <= end for begin, end in world.faults.windows) for at in moments
    ) and bool(world.faults.windows)  # fmt: skip


def _wrong_order(alerts: Sequence[AlertEvent], documents: Mapping[str, Row]) -> list[str]:
    """Each alert is raised once, ends and begins in turn, and stands at last as the instance's state says."""
    is_open: dict[str, bool] = {}
    lines = []
    standing: dict[tuple[str, ...], bool] = {}
    for a in alerts:
        was_open = is_open.get(a.alert_id)
        is_right = was_open is None if a.event == "raised" else was_open is (a.event in ENDS)
        if not is_right:
            lines.append(f"{a.event} when it was {was_open}: {a.rule} {a.severity} {a.instance} {a.stage} {a.visit}")
        is_open[a.alert_id] = a.event in BEGINS
        item = a.object.item if a.object else a.instance
        name = (a.instance, a.rule, a.severity, str(a.stage), str(a.visit), str(item))
        standing[name] = a.event in BEGINS
    kept = {
        (key, d["rule"], d["severity"], str(d["stage"]), str(d["visit"]), str(d["item"] or key)): d["open"]
        for key, doc in documents.items()
        for d in doc["alerts"]
    }
    return lines + [f"stands otherwise: {name}" for name in sorted(dict(kept.items() ^ standing.items()))]


def _wrong_versions(world: "World", alerts: Sequence[AlertEvent]) -> list[str]:
    """Each alert was judged by the rules that were in effect at its time, whoever judged it and when.

    A partition without state begins with those in effect then.
    """
    if not world.rules_at:
        return []
    at, lines = world.rules_at[0], []
    is_later = world.settled_ms is not None and world.settled_ms < at
    for alert in alerts:
        if alert.event == "raised" and alert.rule.startswith(WATCHED):
            expected = {VERSIONS[alert.raised_at > at]} if is_later else {VERSIONS[1], VERSIONS[alert.raised_at > at]}
            if alert.rule_version not in expected:
                lines.append(f"{alert.alert_id} of {alert.raised_at} by version {alert.rule_version}, change at {at}")
    world.counted["rules changed"] += 1
    world.counted["alerts by both rules"] += is_later
    return lines


# -- instances


def _ms(text: str | None) -> int | None:
    return None if text is None else (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=SOURCE_SYSTEMS)
def _folded(number: int) -> tuple[dict[str, Row], dict[str, list[tuple[Any, ...]]]]:
    """Give the last image of each application and list item, and the visits that each application has."""
    rows: dict[tuple[str, str], Row | None] = {}
    for captured in source_system(number).records:
        if captured.value is None:
            continue
        table = captured.tp.topic.removeprefix("cdc.")
        value = json.loads(captured.value)
        image = value["after"] or value["before"]
        rows[table, str(image[KEYS[table]])] = value["after"]
    visits: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for (table, _), row in rows.items():
        if table == "mkt.mkt_app_progress" and row is not None:
            times = [_ms(row[name]) for name in ("entered_at", "finished_at", "suspend_from", "suspend_to")]
            visits[row["app_no"]].append((row["stage_code"], row["visit_no"], *times, row["result_code"]))
    mains = {"mkt.mkt_app", "lean.lean_neg_trans", "lean.lean_neg_line"}
    instances = {key: row for (table, key), row in rows.items() if table in mains and row is not None}
    return instances, visits


def _wrong_instances(world: "World", documents: Mapping[str, Row]) -> list[str]:
    instances, visits = _folded(world.seed % SOURCE_SYSTEMS)
    lines = []
    for key, row in instances.items():
        if key not in documents:
            lines.append(f"no instance {key}")
            continue
        fields = documents[key]["fields"]
        for name in sorted(row.keys() & fields.keys()):
            is_time = name.endswith("_at") and isinstance(row[name], str)
            was, wanted = (_ms(fields[name]), _ms(row[name])) if is_time else (str(fields[name]), str(row[name]))
            if was != wanted and not name.startswith("plan_"):
                lines.append(f"{key} {name}: {was} instead of {wanted}")
    for key in visits.keys() | {key for key, doc in documents.items() if doc["visits"]}:
        found, expected = sorted(map(str, _visits(documents.get(key)))), sorted(map(str, visits.get(key, [])))
        if found != expected:
            lines.append(f"visits of {key}: {found} instead of {expected}")
    return lines


def _visits(doc: Row | None) -> list[tuple[Any, ...]]:
    times = ("entered_at", "finished_at", "suspend_from", "suspend_to")
    return [
        (v["stage"], v["visit"], *(_ms(v[name]) for name in times), v["result"]) for v in (doc["visits"] if doc else [])
    ]


# -- notices

TOLD = frozenset(
    {
        "R-T02",
        "R-T03",
        "R-T04",
        "R-T05",
        "R-T06",
        "R-T10",
        "R-T11",
        "R-T12",
        "R-T13",
        "R-T14",
        "R-N01",
        "R-N02",
        "R-N04",
    }
)
"""Rules about applications whose manager is told."""


def _wrong_notices(world: "World", alerts: Sequence[AlertEvent], told: Sequence[Notice]) -> list[str]:
    """Each alert is told once to the manager of the district; what was due before the first run to nobody."""
    people: dict[str, list[str]] = defaultdict(list)
    for notice in told:
        people[notice.alert_id].append(notice.key)
    lines = [f"asked for twice: {keys}" for keys in people.values() if len(set(keys)) < len(keys)]
    for alert in alerts:
        if alert.event != "raised" or alert.rule not in TOLD:
            continue
        matters_until = max(alert.raised_at, alert.due_at or 0)
        count = len(people[alert.alert_id])
        if matters_until < world.first_ms and count:
            lines.append(f"told though it was due before the first run: {alert.alert_id}")
        elif world.settled_ms is not None and matters_until > world.settled_ms and count != 1:
            lines.append(f"told to {count} people: {alert.rule} {alert.instance} {alert.raised_at}")
    return lines
