"""What pm4py finds in the same histories: `python -m tests.helpers.flow_oracle > tests/data/flow-oracle.json`.

pm4py is no dependency of ours (with what it needs it is larger than all of ours together, and under the AGPL): its
findings are kept, and this, run by hand where pm4py 2.7 is installed, makes them again. It reads the capture by
itself, and has the HV process as a Petri net of its own; nothing of `rules.flow` is used.
"""

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
import pm4py  # type: ignore[import-not-found,import-untyped,unused-ignore]
from pm4py.objects.petri_net.obj import Marking, PetriNet  # type: ignore[import-not-found,import-untyped,unused-ignore]
from pm4py.objects.petri_net.utils import petri_utils  # type: ignore[import-not-found,import-untyped,unused-ignore]

from tests.helpers.capture import CAPTURE
from tests.helpers.flow_lives import Life, lives

SEED, COUNT = 5, 200
Row = dict[str, Any]


def captured() -> Iterator[Row]:
    """Give the last image of each progress row of an HV application."""
    applications: dict[str, Row] = {}
    progress: dict[int, Row] = {}
    with gzip.open(CAPTURE, "rb") as lines:
        for line in lines:
            record = json.loads(line)
            after = record["value"]["after"]
            if record["topic"] == "cdc.mkt.mkt_app":
                applications[after["app_no"]] = after
            elif record["topic"] == "cdc.mkt.mkt_app_progress":
                progress[after["progress_id"]] = after
    for row in progress.values():
        if applications[row["app_no"]]["volt_class"] == "HV":
            yield {"case": row["app_no"], "stage": row["stage_code"], "entered": pd.Timestamp(row["entered_at"]),
                   "finished": pd.Timestamp(row["finished_at"]) if row["finished_at"] else pd.NaT}  # fmt: skip


def told(of: Iterable[Life]) -> Iterator[Row]:
    """Give the visits of made-up lives."""
    for life in of:
        for visit in life.visits:
            yield {"case": life.key, "stage": visit.stage, "result": visit.result,
                   "entered": pd.Timestamp(visit.entered_at, unit="ms", tz="UTC"),
                   "finished": pd.Timestamp(visit.finished_at, unit="ms", tz="UTC")}  # fmt: skip


def log_of(rows: Iterable[Row]) -> pd.DataFrame:
    """Give an interval log; what has not ended ends when it was entered."""
    frame = pd.DataFrame(rows)
    frame["finished"] = frame["finished"].fillna(frame["entered"])
    frame = frame.sort_values(["case", "entered"])
    columns = {"case": "case:concept:name", "stage": "concept:name", "entered": "start_timestamp",
               "finished": "time:timestamp"}  # fmt: skip
    return frame.rename(columns=columns)


def flow(frame: pd.DataFrame) -> Row:
    """Give variants and the directly-follows graph, both by entry."""
    entries = frame.drop(columns=["time:timestamp"]).rename(columns={"start_timestamp": "time:timestamp"})
    variants = pm4py.get_variants(entries)
    graph, begins, ends = pm4py.discover_dfg(entries)
    rework = pm4py.get_rework_cases_per_activity(entries)
    return {
        "variants": sorted([list(stages), count] for stages, count in variants.items()),
        "follows": sorted([*pair, count] for pair, count in graph.items()),
        "begins": dict(begins), "ends": dict(ends), "rework": rework,
    }  # fmt: skip


def waits(frame: pd.DataFrame) -> list[list[Any]]:
    """Give the median seconds by the clock from the end of a stage to the entry of the next."""
    graph, _, _ = pm4py.discover_performance_dfg(frame)
    return sorted([*pair, round(found["median"], 3)] for pair, found in graph.items())


def lasted(frame: pd.DataFrame) -> dict[str, float]:
    """Give the median seconds by the clock of each stage."""
    ended = frame[frame["time:timestamp"] > frame["start_timestamp"]]
    seconds = (ended["time:timestamp"] - ended["start_timestamp"]).dt.total_seconds()
    return {str(stage): round(float(of.median()), 3) for stage, of in seconds.groupby(ended["concept:name"])}


def fitting(rows: Iterable[Row]) -> list[str]:
    """Give the cases that the net can play as they are (an alignment without cost)."""
    events = []
    for row in rows:
        end = "rejected" if row["result"] == "rejected" else "ok"
        events.append((row["case"], f"{row['stage']}:begin", row["entered"]))
        events.append((row["case"], f"{row['stage']}:{end}", row["finished"]))
    frame = pd.DataFrame(events, columns=["case:concept:name", "concept:name", "time:timestamp"])
    frame = frame.sort_values(["case:concept:name", "time:timestamp"])
    aligned = pm4py.conformance_diagnostics_alignments(frame, *net(), multi_processing=False)
    cases = list(dict.fromkeys(frame["case:concept:name"]))
    return [case for case, found in zip(cases, aligned, strict=True) if found["fitness"] == 1.0]


def net() -> tuple[PetriNet, Marking, Marking]:
    """Give the HV process as domain.md has it: parallel and optional stages, and what rejections lead back to."""
    made = PetriNet("hv_connection")
    places: dict[str, Any] = {}

    def place(name: str) -> Any:
        if name not in places:
            places[name] = PetriNet.Place(name)
            made.places.add(places[name])
        return places[name]

    def step(label: str | None, takes: Iterable[str], gives: Iterable[str]) -> None:
        transition = PetriNet.Transition(f"t{len(made.transitions)}", label)
        made.transitions.add(transition)
        for name in takes:
            petri_utils.add_arc_from_to(place(name), transition, made)
        for name in gives:
            petri_utils.add_arc_from_to(transition, place(name), made)

    def stage(code: str, takes: list[str], gives: list[str], *, may_skip: bool = False) -> None:
        step(f"{code}:begin", takes, [f"in {code}"])
        step(f"{code}:ok", [f"in {code}"], gives)
        if may_skip:
            step(None, takes, gives)

    stage("RESERVE", ["start"], ["reserved"], may_skip=True)
    stage("ACCEPT", ["reserved"], ["to survey", "to scheme"])
    stage("SURVEY", ["to survey"], ["surveyed"])
    stage("SCHEME", ["to scheme"], ["to design", "schemed"])
    step("SCHEME:begin", ["schemed"], ["in SCHEME again"])  # a scheme may be changed
    step("SCHEME:ok", ["in SCHEME again"], ["schemed"])
    stage("DESIGN", ["to design"], ["to review"])
    stage("DESIGN_REVIEW", ["to review"], ["to build", "to supervise", "to inspect"])
    step("DESIGN_REVIEW:rejected", ["in DESIGN_REVIEW"], ["to design"])
    stage("SUPERVISE", ["to supervise"], ["supervised"], may_skip=True)
    stage("MID_INSPECT", ["to inspect"], ["inspected"], may_skip=True)
    step("MID_INSPECT:begin", ["inspected"], ["in MID_INSPECT again"])
    step("MID_INSPECT:ok", ["in MID_INSPECT again"], ["inspected"])
    stage("BUILD", ["to build"], ["to test"])
    stage("TEST", ["to test"], ["to complete"])
    step("TEST:rejected", ["in TEST"], ["to build"])
    stage("COMPLETE", ["to complete"], ["to connect"])
    step("COMPLETE:rejected", ["in COMPLETE"], ["to build"])
    step("COMPLETE:rejected", ["in COMPLETE"], ["to test"])
    stage("CONNECT", ["to connect"], ["to archive"])
    stage("ARCHIVE", ["to archive"], ["archived"])
    ends = ("surveyed", "schemed", "supervised", "inspected", "archived")
    return made, Marking({place("start"): 1}), Marking({place(name): 1 for name in ends})


def main() -> None:
    """Write the findings."""
    capture, made = log_of(captured()), list(told(lives(SEED, COUNT)))
    found = {
        "pm4py": pm4py.__version__,
        "capture": {**flow(capture), "waits_s": waits(capture), "lasted_s": lasted(capture)},
        "lives": {"seed": SEED, "count": COUNT, **flow(log_of(made)), "fitting": fitting(made)},
    }
    json.dump(found, sys.stdout, indent=None, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
