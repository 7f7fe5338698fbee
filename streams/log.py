"""One structured log: JSON lines on stderr, or short text where a person looks on."""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec

REPEAT_S = 10.0
_MOST_PLACES = 8  # of an error without its traceback: enough to see who called, and one line
_MOST_REMEMBERED = 1_000
_encode = msgspec.json.Encoder().encode
_NOISY = ("aiokafka", "kafka", "faust", "mode", "streams.transport")
"""Libraries whose INFO tells how they work, not how we do."""


class _InALine(logging.Formatter):
    """Says of an error what it is and where it came from, innermost place first, in place of its traceback."""

    is_verbose = False

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802 - logging's name and types
        """Give the error's text."""
        if self.is_verbose:
            return super().formatException(ei)
        kind, error, frames = ei
        places = [f"{frame.filename}:{frame.lineno}" for frame in reversed(traceback.extract_tb(frames))]
        where = " < ".join(places[:_MOST_PLACES])
        return " ".join(f"{kind.__name__}: {error}".split()) + f" (at {where}; -v shows the traceback)"


class JsonLines(_InALine):
    """One object a line: time, level, logger, message, and the error if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return _encode(entry).decode()


class OnceInAWhile(logging.Filter):
    """Lets a line pass that was not written in the last `REPEAT_S`: a broker that is away is told twice a second."""

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line is news."""
        key = (record.name, record.getMessage())
        if record.created - self._written.get(key, 0.0) < REPEAT_S:
            return False
        if len(self._written) > _MOST_REMEMBERED:
            self._written.clear()
        self._written[key] = record.created
        return True


def set_up(*, level: str = "info", form: str = "auto", is_verbose: bool = False) -> None:
    """Send everything to stderr, as `text`, as `json`, or (`auto`) as text where a terminal looks on.

    `is_verbose`: errors with their tracebacks. May be called twice.
    """
    handler = logging.StreamHandler(sys.stderr)
    formatter: _InALine = JsonLines()
    if form == "text" or (form == "auto" and sys.stderr.isatty()):
        formatter = _InALine("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    formatter.is_verbose = is_verbose
    handler.setFormatter(formatter)
    handler.addFilter(OnceInAWhile())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Says "Has not committed TP" of topics whose offsets we commit ourselves (faust-streaming#175).
    logging.getLogger("faust.transport.drivers.aiokafka").setLevel(logging.ERROR)
