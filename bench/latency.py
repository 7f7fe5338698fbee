"""`stagewatch bench latency`: from the arrival of an event to the alert it raises, at a fixed rate, open loop.

Records go out when their time has come, whether or not the worker keeps up, and carry that scheduled time: a
stall counts for every record that was due in it (no coordinated omission). Two ends are taken: when the broker
appended the alert, and when a read-committed reader had it in hand, which no user can beat.
"""

import asyncio
import time
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import Empty
from typing import Any, NamedTuple

from bench.broker import UNLIMITED, Broker, broker_for
from bench.expectation import compare, found_alerts, replayed
from bench.feed import Feed, feed
from bench.live import Flow, live_records, warm_up
from bench.progress import Job, follow
from bench.report import Goal, Report, machine
from bench.rows import Connector
from bench.worker_process import running_worker
from schemas import Recorded, StagewatchError, decode_alert
from stagewatch import Advance, Output, TopicTail, progress_bar

ALERTS = "stagewatch.alerts"
RATE, SECONDS = 5_000, 30
GOALS: dict[str, Goal] = {"p50_ms": ("<=", 120), "p99_ms": ("<=", 250)}
"""Re-keyed, at 5,000 events/s."""
SETTLE_S = 5
"""Not counted at the start: connections, caches, the group's first transactions."""
END_OF_TIME = 1 << 62
WAIT_S = 60.0
"""Longest wait for alerts after the last record went out."""
TURN_S = 0.005
"""How often the producer sends what has come due; a source's own batches are no finer."""


class Seen(NamedTuple):
    """An alert event as the reader had it."""

    source: tuple[str, int, int]
    """The record that raised it: the first of its evidence."""
    appended: int
    """LogAppendTime, epoch ms."""
    received: float
    """Epoch ms."""


def run(bootstrap: str | None, output: Output, *, data_dir: Path, rate: int = RATE, seconds: int = SECONDS) -> Report:
    """Measure; raises StagewatchError when it cannot, or when an alert is missing or doubled."""
    about, flow = machine(), Flow(rate, seconds + SETTLE_S)
    with broker_for(bootstrap, data_dir) as (broker, folder):
        broker.make_source_topics()
        broker.make_topics({ALERTS: 4}, {**UNLIMITED, "message.timestamp.type": "LogAppendTime"})
        connector = Connector()
        before = list(warm_up(connector, int(time.time() * 1000)))
        feed(broker.bootstrap, before, lambda _done: None)
        with running_worker(broker.url, folder, "bench-latency") as worker:
            follow(worker, Job(broker, "bench-latency", None, 0), lambda _done: None)
            begin = worker.at(0)
            records, seen = _observe(broker, flow, connector, output)
            used = (worker.cpu_s() - begin.cpu_s) / (worker.at(0).wall_s - begin.wall_s)
        # Nothing falls due by the clock in such a run: whatever the worker raised was raised on arrival.
        compare(replayed([*before, *records]), found_alerts(broker.bootstrap, until=END_OF_TIME))
    return _report(records, seen, flow, worker_cpu=used, about=about)


def _observe(broker: Broker, flow: Flow, connector: Connector, output: Output) -> tuple[list[Recorded], list[Seen]]:
    """Send the flow and read the alerts meanwhile, in a process of its own: neither may hold up the other."""
    context = get_context("spawn")
    is_over, answer = context.Event(), context.Queue()
    reader = context.Process(target=_read, args=(broker.bootstrap, is_over, answer), daemon=True)
    reader.start()
    try:
        _take(answer)
        with progress_bar(output.err, f"{flow.rate:,} events/s for {flow.seconds} s", flow.records) as progress:
            records = asyncio.run(_send(broker.bootstrap, flow, connector, progress))
        expected = sum(1 for record in records if flow.raises(record))
        is_over.set()
        output.say(f"waiting for the last of {expected:,} alerts")
        seen: list[Seen] = _take(answer)
    finally:
        reader.kill()
    return records, seen


async def _send(bootstrap: str, flow: Flow, connector: Connector, progress: Advance) -> list[Recorded]:
    """Send each record as soon as its scheduled time has come; never wait for the worker."""
    sent: list[Recorded] = []
    async with Feed(bootstrap) as producer:
        start = int(time.time() * 1000) + 100
        for record in live_records(flow, connector, start):
            while record.timestamp > time.time() * 1000:
                await producer.flush()
                await asyncio.sleep(TURN_S)
                progress(len(sent))
            await producer.add(record)
            sent.append(record)
        await producer.settle()
    return sent


def _take(answer: Any) -> Any:  # noqa: ANN401 - multiprocessing's queue
    try:
        return answer.get(timeout=WAIT_S)
    except Empty:
        raise StagewatchError(f"the reader of {ALERTS} has not answered for {WAIT_S:.0f} s") from None


def _read(bootstrap: str, is_over: Event, answer: Any) -> None:  # noqa: ANN401 - multiprocessing's queue
    """Follow the alert topic until nothing has come for a while after the end; answer with what was seen."""
    seen: list[Seen] = []
    with TopicTail(bootstrap, ALERTS) as tail:
        tail.poll(0)
        answer.put("reading")
        quiet = time.monotonic()
        while not is_over.is_set() or time.monotonic() - quiet < SETTLE_S:
            found = tail.poll(50)
            now = time.time() * 1000
            for record in found:
                alert = decode_alert(record.value or b"")
                if alert.event == "raised" and alert.evidence:
                    place = alert.evidence[0]
                    seen.append(Seen((place.topic, place.partition, place.offset), record.timestamp, now))
            if found:
                quiet = time.monotonic()
    answer.put(seen)


def _report(
    records: list[Recorded], seen: list[Seen], flow: Flow, *, worker_cpu: float, about: Mapping[str, Any]
) -> Report:
    first = records[0].timestamp + SETTLE_S * 1000
    sent = {(r.topic, r.partition, r.offset): r.timestamp for r in records if r.timestamp >= first and flow.raises(r)}
    measured = [each for each in seen if each.source in sent]
    if not measured:
        raise StagewatchError("no alert of the measured seconds was seen; ask for more --seconds")
    visible = sorted(each.received - sent[each.source] for each in measured)
    appended = sorted(each.appended - sent[each.source] for each in measured)
    figures = {
        "events_per_second": float(flow.rate), "alerts": float(len(measured)),
        "p50_ms": percentile(visible, 50), "p99_ms": percentile(visible, 99), "max_ms": visible[-1],
        "appended_p50_ms": percentile(appended, 50), "appended_p99_ms": percentile(appended, 99),
        "worker_cores": worker_cpu,
    }  # fmt: skip
    return Report(name="latency", figures=figures, goals=GOALS, machine=about)


def percentile(ordered: list[float] | list[int], share: int) -> float:
    """Give the value below or at which `share` percent of the ordered ones lie (nearest rank)."""
    return float(ordered[max(-(-len(ordered) * share // 100) - 1, 0)])
