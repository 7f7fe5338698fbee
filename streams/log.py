"""One structured log: JSON lines on stderr, or short text where a person looks on."""

import logging
import sys
from datetime import UTC, datetime

import msgspec

REPEAT_S = 10.0
_MOST_REMEMBERED = 1_000
_encode = msgspec.json.Encoder().encode
_NOISY = ("aiokafka", "kafka", "faust", "mode", "streams.transport")
"""Libraries whose INFO tells how they work, not how we do."""


class JsonLines(logging.Formatter):
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


def set_up(*, level: str = "info", form: str = "auto") -> None:
    """Send everything to stderr, as `text`, as `json`, or (`auto`) as text where a terminal looks on.

    May be called twice.
    """
    handler = logging.StreamHandler(sys.stderr)
    if form == "text" or (form == "auto" and sys.stderr.isatty()):
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    else:
        handler.setFormatter(JsonLines())
    handler.addFilter(OnceInAWhile())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Says "Has not committed TP" of topics whose offsets we commit ourselves (faust-streaming#175).
    logging.getLogger("faust.transport.drivers.aiokafka").setLevel(logging.ERROR)
