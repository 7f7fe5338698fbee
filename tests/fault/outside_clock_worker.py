"""`stagewatch worker` on a clock that somebody else steps.

    python -m tests.fault.outside_clock_worker OFFSET_FILE worker

`time.time` of this process is the machine's plus what the file says, in seconds, as `settimeofday` would make it;
clocks that only measure (`time.monotonic`) go on as they do then. Set before the product is imported, which keeps
`time.time` as a default argument.
"""

import sys
import time
from collections.abc import Callable

LOOK_S = 0.05
"""How often the file is read: the clock is asked thousands of times a second."""


def stepped(path: str, machine: Callable[[], float] = time.time) -> Callable[[], float]:
    """Give the clock."""
    known = [0.0, float("-inf")]  # the offset, and when it was read

    def now() -> float:
        if time.monotonic() - known[1] > LOOK_S:
            with open(path, encoding="ascii") as file:  # noqa: PTH123 - Path imports more than a clock should need
                known[:] = [float(file.read()), time.monotonic()]
        return machine() + known[0]

    return now


def main() -> None:
    """Step the clock, and be `stagewatch`."""
    time.time = stepped(sys.argv[1])
    time.time_ns = lambda: int(time.time() * 1e9)
    from stagewatch.__main__ import run  # noqa: PLC0415 - after the clock is set

    sys.exit(run(sys.argv[2:]))


if __name__ == "__main__":
    main()
