"""Looks at the topics that a connector stands on: the schema history and the signal topic.

Debezium makes the history right if nobody made it before; a topic that was made by a default of the broker's has
several partitions or forgets, and the connector stops at its next start.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from connectors.connect.files import Desired
from connectors.debezium import WithHistory
from schemas import TryLater


def topic_warnings(bootstrap: str, connectors: Sequence[Desired]) -> list[str]:
    """Give what is wrong with the topics, a line each; a topic that is not there yet is fine. Raises TryLater."""
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415 - slow to import, and rarely needed
    from kafka.errors import KafkaError  # noqa: PLC0415

    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","))
        try:
            return [line for desired in connectors for line in _wrong(admin, desired)]
        finally:
            admin.close()
    except KafkaError as error:
        raise TryLater(f"no Kafka answers at {bootstrap}: {type(error).__name__}") from error


def _wrong(admin: Any, desired: Desired) -> Iterator[str]:  # noqa: ANN401 - kafka-python carries no types
    model = desired.model
    if isinstance(model, WithHistory):
        topic = model.schema_history_internal_kafka_topic
        yield from (f"{desired.name}: {text}" for text in _faults(admin, topic, is_history=True))
    if model is not None and "kafka" in model.channels:
        yield from (f"{desired.name}: {text}" for text in _faults(admin, model.signal_topic, is_history=False))


def _faults(admin: Any, topic: str, *, is_history: bool) -> Iterator[str]:  # noqa: ANN401 - as above
    from kafka.admin import ConfigResource, ConfigResourceType  # noqa: PLC0415

    found = next((each for each in admin.describe_topics([topic]) if not each.get("error_code")), None)
    if found is None:
        return
    count = len(found["partitions"])
    if count != 1:
        yield f"topic {topic} has {count} partitions, but its order is its meaning: it must have one"
    if is_history:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        config = admin.describe_configs([resource], config_filter="all")["topic"][topic]
        if config["cleanup.policy"]["value"] != "delete":
            yield f"topic {topic} is compacted, which loses the history; set cleanup.policy=delete"
        kept = [key for key in ("retention.ms", "retention.bytes") if int(config[key]["value"]) not in _ENDLESS]
        if kept:
            yield f"topic {topic} forgets the history ({', '.join(kept)}); set {' and '.join(kept)} to -1"


_ENDLESS = {-1, 2**63 - 1}
"""No limit, as people write it and as Debezium does."""
