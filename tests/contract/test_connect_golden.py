"""Records that Debezium's connector for MariaDB really wrote: with schema and without, snapshot to changed key."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors import SHIPPED_SOURCES, load_sources
from schemas import Decoder, parse_recorded

LINES = (Path(__file__).parent / "golden" / "debezium_mariadb.jsonl").read_text(encoding="utf-8").splitlines()
CATALOG = load_sources([SHIPPED_SOURCES])


@pytest.mark.parametrize("line", LINES, ids=[str(number) for number in range(len(LINES))])
def test_golden_record_of_the_mariadb_connector(line: str) -> None:
    sample: dict[str, Any] = json.loads(line)
    record = parse_recorded(json.dumps(sample["record"]).encode())
    mapping = CATALOG.mapping_for(record.topic)
    assert mapping is not None
    (change,) = Decoder(mapping).decode_all(
        key=record.key, value=record.value, headers=record.headers, timestamp=record.timestamp,
        topic=record.topic, partition=record.partition, offset=record.offset,
    )  # fmt: skip
    expected = sample["change"]
    expected["fields"] = {
        name: Decimal(value["decimal"]) if isinstance(value, dict) else value
        for name, value in expected["fields"].items()
    }
    assert {name: getattr(change, name) for name in expected} == expected


def test_the_samples_hold_every_operation() -> None:
    operations = {json.loads(line)["change"]["op"] for line in LINES}
    assert operations == {"r", "c", "u", "d"}
