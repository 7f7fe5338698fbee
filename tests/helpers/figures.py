"""Times and rates that rows of domain.md section 8 name: printed everywhere, held where a machine is there for them.

A test that hangs on the speed of the machine tells nothing on another one: it waits with patience, and says here how
long it took. `STAGEWATCH_TIMES=hold`, on a quiet machine, holds the figures to their aims.
"""

import os


def hold(figure: str, taken: float, aim: float) -> None:
    """Print a time (s) with its aim; fail beyond it only where times are to be held."""
    print(f"{figure}: {taken:.2f} (aim {aim:.2f})")  # noqa: T201 - for `pytest -rP` and failures
    assert taken <= aim or os.environ.get("STAGEWATCH_TIMES") != "hold", f"{figure}: {taken:.2f} is over {aim:.2f}"
