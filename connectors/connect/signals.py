"""Signals that make a running connector read tables again, a chunk at a time, beside the live changes.

Debezium documentation, "Sending signals to a Debezium connector". A signal goes into the connector's signal table
(a statement for the source's own people), or into its signal topic, where the record's key must be the connector's
`topic.prefix`. Whichever way it comes, the watermarks of the snapshot go through the signal table, unless
`read.only` is set and the database can do without.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from connectors.connect.capture import captured_tables
from connectors.connect.files import Desired
from connectors.debezium import Debezium
from schemas import StagewatchError, TryLater

Channel = Literal["kafka", "source"]
SEND_S = 30.0
"""Longest wait for the broker to take a signal."""


class CannotSignal(StagewatchError):
    """The connector's file does not allow what is asked; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One request. `data` is JSON, as the signal table's column has it."""

    id: str
    kind: str
    data: str


def snapshot_signal(model: Debezium, tables: Sequence[str], signal_id: str, *, stops: bool = False) -> Signal:
    """Ask for an incremental snapshot of tables (`schema.table`, or the table alone), or for its end.

    Raises CannotSignal for a table that the connector does not capture.
    """
    names = [_collection(model, table) for table in tables]
    data = json.dumps({"data-collections": names, "type": "incremental"}, ensure_ascii=False)
    return Signal(signal_id, "stop-snapshot" if stops else "execute-snapshot", data)


def _collection(model: Debezium, table: str) -> str:
    captured = captured_tables(model)
    wanted = table.lower()
    found = [each for each in captured if wanted in {each.name.lower(), f"{each.schema}.{each.name}".lower()}]
    if len(found) == 1:
        return model.collection(found[0].schema, found[0].name)
    if not captured and "." in table:  # the include list holds wider expressions: Connect will know
        schema, _, name = table.rpartition(".")
        return model.collection(schema, name)
    known = ", ".join(f"{each.schema}.{each.name}" for each in captured) or "write schema.table"
    raise CannotSignal(f"the connector captures no single table '{table}'; known: {known}")


def captures(model: Debezium, table: str) -> bool:
    """Tell whether a connector's include list names a table."""
    try:
        _collection(model, table)
    except CannotSignal:
        return False
    return True


def channel_of(desired: Desired, asked: Channel | None) -> Channel:
    """Give the channel to use: the one that is asked for, else Kafka's where the connector hears it.

    Raises CannotSignal if the connector does not hear it, or has nowhere to keep the watermarks.
    """
    model = desired.model
    if model is None:
        raise CannotSignal(f"{desired.name} is no connector of Debezium's, it knows no signals")
    channel: Channel = asked or ("kafka" if "kafka" in model.channels else "source")
    if channel not in model.channels:
        heard = ", ".join(sorted(model.channels))
        raise CannotSignal(f"{desired.name} hears {heard} only; add {channel} to signal.enabled.channels and apply")
    if model.signal_data_collection is None and (channel == "source" or model.read_only is False):
        raise CannotSignal(f"{desired.name} has no signal table; name one in signal.data.collection and apply")
    return channel


def insert_statement(model: Debezium, signal: Signal) -> str:
    """Give the SQL that puts a signal into the connector's signal table."""
    values = ", ".join("'" + text.replace("'", "''") + "'" for text in (signal.id, signal.kind, signal.data))
    return f"insert into {model.signal_table} (id, type, data) values ({values});"  # noqa: S608 - quoted above


def send(bootstrap: str, model: Debezium, signal: Signal) -> None:
    """Put a signal into the connector's signal topic. Raises TryLater if the broker does not take it."""
    from kafka import KafkaProducer  # noqa: PLC0415 - slow to import, and rarely needed
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415
    from kafka.errors import KafkaError, TopicAlreadyExistsError  # noqa: PLC0415

    servers = bootstrap.split(",")
    value = {"id": signal.id, "type": signal.kind, "data": json.loads(signal.data)}
    try:
        admin = KafkaAdminClient(bootstrap_servers=servers)
        with suppress(TopicAlreadyExistsError):
            # The broker's default would give it more partitions; the connector reads the first alone.
            admin.create_topics({model.signal_topic: {"num_partitions": 1}})
        admin.close()
        producer = KafkaProducer(bootstrap_servers=servers, acks="all")
        try:
            key, content = model.topic_prefix.encode(), json.dumps(value, ensure_ascii=False).encode()
            producer.send(model.signal_topic, key=key, value=content, partition=0).get(SEND_S)
        finally:
            producer.close()
    except KafkaError as error:
        raise TryLater(
            f"{model.signal_topic} on {bootstrap} did not take the signal: {type(error).__name__}"
        ) from error
