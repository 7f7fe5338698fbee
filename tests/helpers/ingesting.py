"""Captured rows and files of one table on a broker, and what the topic then says about each row."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from connectors.files import TopicLog
from connectors.files.topic_log import RowImage, fused
from schemas import Columns, RowForm
from tests.helpers.brokers import make_topics
from tests.helpers.decoding import mapping

TOPIC = "cdc.mkt.mkt_app"
TABLE = "mkt.mkt_app"


def captured(app_no: str, lsn: int, op: str = "u", **columns: Any) -> tuple[bytes, bytes]:
    """Key and value as Debezium writes them for PostgreSQL."""
    row = {"app_no": app_no, **columns}
    image = {"before": row} if op == "d" else {"after": row}
    source = {"connector": "postgresql", "lsn": lsn, "ts_ms": 1_772_413_200_000}
    return json.dumps({"app_no": app_no}, separators=(",", ":")).encode(), json.dumps(
        {"op": op, **image, "source": source}, ensure_ascii=False
    ).encode()


def capture_rows(bootstrap: str, rows: Iterable[tuple[bytes, bytes]], *, partitions: int = 3) -> None:
    """Write captured rows, into a topic that is made if it is not there."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    is_there = TOPIC in admin.list_topics()
    admin.close()
    if not is_there:
        make_topics(bootstrap, [TOPIC], partitions=partitions)
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for key, value in rows:
        producer.send(TOPIC, value, key=key)
    producer.flush()
    producer.close()


def rows_in(bootstrap: str, topic: str = TOPIC) -> dict[str, Columns | None]:
    """Give every row as the whole topic tells it; None: deleted."""
    of = mapping(topic)
    form, images = RowForm(of), dict[str, RowImage]()
    with TopicLog(bootstrap, of) as log:
        for told in log.read({}, lambda _done: None):
            images[told.change.row] = fused(images.get(told.change.row), told, form)[0]
    return {key: image.columns for key, image in images.items()}


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], encoding: str = "utf-8") -> Path:
    """Write rows with the first one's columns as the head."""
    listed = list(rows)
    lines = [",".join(listed[0])] + [",".join("" if v is None else str(v) for v in row.values()) for row in listed]
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path
