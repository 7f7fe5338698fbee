"""The Faust shell: batching transport, partition transactions, state, recovery, clock, agents and metrics.

The room's door: other rooms import from here.
"""

from streams.config import PARTS, WorkerConfig
from streams.worker import run_worker

__all__ = ["PARTS", "WorkerConfig", "run_worker"]
