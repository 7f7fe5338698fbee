"""Where every thread and task of a process stands, told when asked: for whoever looks for the cause
of a standstill.
"""

import asyncio
import faulthandler
import signal
import sys
from typing import Any

THREADS_BY, TASKS_BY = signal.SIGUSR2, signal.SIGUSR1
"""The threads answer at once, also after the loop has ended; the tasks while it runs, and it ends with them."""


def tell_when_asked() -> None:
    """Answer the signals from now on. Call it inside the running loop."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(TASKS_BY, _tell, loop)
    faulthandler.register(THREADS_BY)


def _tell(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        sys.stderr.write(f"TASK {task.get_name()}\n")
        step: Any = task.get_coro()
        while step is not None:
            frame = _first(step, "cr_frame", "gi_frame", "ag_frame")
            if frame is not None:
                code = frame.f_code
                sys.stderr.write(f"    {code.co_filename}:{frame.f_lineno} {code.co_qualname}\n")
            step = _first(step, "cr_await", "gi_yieldfrom", "ag_await")
    sys.stderr.flush()


def _first(step: object, *names: str) -> Any:
    """Give the first attribute that is there; coroutines and generators name theirs differently."""
    return next((found for name in names if (found := getattr(step, name, None)) is not None), None)
