"""Source files for a capture whose messages are keyed by the process instance (Debezium's `message.key.columns`)."""

import re
from pathlib import Path

from bench.connector import instance_tables
from connectors import SHIPPED_SOURCES
from schemas import StagewatchError

DECLARATION = "    message_key: json\n"


def keyed_sources(folder: Path) -> Path:
    """Write the shipped sources, with the key declared for the benchmark's tables; give their folder.

    May be called again for the same folder.
    """
    target = folder / "sources"
    target.mkdir(exist_ok=True)
    declared = instance_tables()
    for path in sorted(SHIPPED_SOURCES.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        for table in declared.get(path.stem, ()):
            text = with_key(text, table)
        (target / path.name).write_text(text, encoding="utf-8")
    return target


def with_key(text: str, table: str) -> str:
    """Give a source file in which the message key of a table is declared. Raises StagewatchError without the table."""
    changed, count = re.subn(rf"^  {table}:\n", rf"\g<0>{DECLARATION}", text, flags=re.MULTILINE)
    if count != 1:
        raise StagewatchError(f"the shipped sources do not declare {table} as the benchmark expects")
    return changed
