"""The Faust shell: batching transport, partition transactions, state, recovery, clock, agents and metrics.

The room's door: other rooms import from here.
"""

from streams.config import PARTS, WorkerConfig
from streams.recovery import POSITION_KEY
from streams.run import run_worker
from streams.totals import totals_clock
from streams.tracking import engine_position

__all__ = ["PARTS", "POSITION_KEY", "WorkerConfig", "engine_position", "run_worker", "totals_clock"]
