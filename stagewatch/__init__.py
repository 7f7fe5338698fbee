"""The front door: command line, settings, demo and replay. The only room that sees every other.

What the benchmarks may use of it is imported when it is asked for: `stagewatch --help` must not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stagewatch.cli_replay import load_everything
    from stagewatch.output import Output, Value
    from stagewatch.progress import Advance, progress_bar
    from stagewatch.replay import Replay, read_recorded
    from stagewatch.settings import Settings, load_settings
    from stagewatch.topic_reader import TopicRecord, TopicTail, read_topic

__all__ = [
    "Advance",
    "Output",
    "Replay",
    "Settings",
    "TopicRecord",
    "TopicTail",
    "Value",
    "load_everything",
    "load_settings",
    "progress_bar",
    "read_recorded",
    "read_topic",
]

_PLACES = {
    "cli_replay": ("load_everything",),
    "output": ("Output", "Value"),
    "progress": ("Advance", "progress_bar"),
    "replay": ("Replay", "read_recorded"),
    "settings": ("Settings", "load_settings"),
    "topic_reader": ("TopicRecord", "TopicTail", "read_topic"),
}


def __getattr__(name: str) -> object:
    """Import what the door offers on the first question."""
    for module, names in _PLACES.items():
        if name in names:
            return getattr(import_module(f"stagewatch.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
