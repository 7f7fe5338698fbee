"""The flow that really was: what recorded history says of a process, beside what its definition says.

Called by `stagewatch flow`. Pure: `History` takes changes, `Flow` takes the cases that came of them one at a time, so
that memory holds the instances' rows (encoded, as in a worker) and the lengths of time, not a log. The other rooms
import from here.
"""

from rules.flow.case import Case
from rules.flow.conformance import Deviation, Fitness, Kind, Misfit
from rules.flow.durations import By, Taken
from rules.flow.follows import Follow, Variant
from rules.flow.history import History
from rules.flow.picture import draw_flow
from rules.flow.rework import Rework
from rules.flow.spread import Spread, WorkTime
from rules.flow.totals import Flow, Totals
from rules.flow.waiting import State, Waiting, WaitingInstance

__all__ = [
    "By",
    "Case",
    "Deviation",
    "Fitness",
    "Flow",
    "Follow",
    "History",
    "Kind",
    "Misfit",
    "Rework",
    "Spread",
    "State",
    "Taken",
    "Totals",
    "Variant",
    "Waiting",
    "WaitingInstance",
    "WorkTime",
    "draw_flow",
]
