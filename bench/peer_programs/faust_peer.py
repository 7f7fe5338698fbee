"""The simple work on plain faust-streaming: an agent and a Table, as its documentation shows them.

Runs in an environment of its own until it is killed. Arguments: bootstrap servers, input topic, alert topic,
application id, folder for its files, limit in ms.
"""

# ruff: noqa: INP001 - a program, not a module of the project's

import sys
from typing import Any

import faust

bootstrap, source, alerts, group, folder, limit_ms = sys.argv[1:]
LIMIT_MS = int(limit_ms)

app = faust.App(
    group,
    broker=f"kafka://{bootstrap}",
    store="memory://",
    datadir=folder,
    value_serializer="json",
    topic_partitions=4,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    stream_wait_empty=False,
    web_enabled=False,
    broker_commit_interval=1.0,
    processing_guarantee="exactly_once",
)
changes = app.topic(source, value_serializer="json", key_serializer="raw")
raised = app.topic(alerts)
instances = app.Table("inst", partitions=4, key_type=str, value_type=dict)


@app.agent(changes)
async def judge(stream: Any) -> None:  # noqa: ANN401 - Faust's
    """Raise an alert if the stage before took too long."""
    async for change in stream:
        after = change["after"]
        app_no, started_at = after["app_no"], after["started_at"]
        known = instances.get(app_no)
        if known is not None and started_at - known["started_at"] > LIMIT_MS:
            alert = {"app_no": app_no, "stage": known["stage"], "ms": started_at - known["started_at"]}
            await raised.send(key=app_no, value=alert)
        instances[app_no] = {"stage": after["stage_code"], "started_at": started_at, "handler": after["handler_id"]}


faust.Worker(app, loglevel="error").execute_from_commandline()
