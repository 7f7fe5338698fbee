"""A progress bar on stderr where a terminal shows it, silence elsewhere."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

Advance = Callable[[int], None]
"""Called with how much is done by now."""


@contextmanager
def progress_bar(console: Console, what: str, total: int) -> Iterator[Advance]:
    """Show how much of `total` is done; the bar goes away at the end."""
    if not console.is_terminal:
        yield lambda _done: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
