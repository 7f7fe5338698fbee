"""The simple work on Quix Streams: each change is joined to its instance's last stage, in RocksDB with a changelog.

Runs in an environment of its own until it is killed. Arguments: bootstrap servers, input topic, alert topic,
consumer group, folder for its state, limit in ms.
"""

# ruff: noqa: INP001 - a program, not a module of the project's

import sys
from typing import Any

from quixstreams import Application  # type: ignore[import-not-found] # only in its own environment

bootstrap, source, alerts, group, folder, limit_ms = sys.argv[1:]
LIMIT_MS = int(limit_ms)


def judge(change: dict[str, Any], state: Any) -> dict[str, Any] | None:  # noqa: ANN401 - Quix's
    """Give the alert if the stage before took too long."""
    after = change["after"]
    known = state.get("instance")
    alert = None
    if known is not None and after["started_at"] - known["started_at"] > LIMIT_MS:
        alert = {"app_no": after["app_no"], "stage": known["stage"], "ms": after["started_at"] - known["started_at"]}
    state.set(
        "instance",
        {"stage": after["stage_code"], "started_at": after["started_at"], "handler": after["handler_id"]},
    )
    return alert


app = Application(
    broker_address=bootstrap,
    consumer_group=group,
    auto_offset_reset="earliest",
    state_dir=folder,
    commit_interval=1.0,
    processing_guarantee="exactly-once",
    loglevel="ERROR",
)
changes = app.dataframe(app.topic(source, value_deserializer="json", key_deserializer="str"))
raised = changes.apply(judge, stateful=True).filter(lambda alert: alert is not None)
raised.to_topic(app.topic(alerts, value_serializer="json"))
app.run()
