"""The front door: command line, settings, demo and replay. The only room that sees every other.

What the benchmarks may use of it is imported when it is asked for: `stagewatch --help` must not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stagewatch.output import Output
    from stagewatch.settings import load_settings
    from stagewatch.topic_reader import TopicTail, read_topic

__all__ = ["Output", "TopicTail", "load_settings", "read_topic"]

_PLACES = {
    "Output": "stagewatch.output",
    "TopicTail": "stagewatch.topic_reader",
    "load_settings": "stagewatch.settings",
    "read_topic": "stagewatch.topic_reader",
}


def __getattr__(name: str) -> object:
    """Import what the door offers on the first question."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
