"""`stagewatch bench sms`: SMS a second through one worker's channels, flat out, with windows of 16. No Kafka.

Three carriers (CMPP 2.0, SGIP, SMGP) in a process of their own; one connection each, every SMS to a number of its
own, a delivery report for each. Counted on both sides: what was handed over is what the carriers have, once each,
and every report found its message. The messages' own clock runs through a year of ten million, so that what is
kept for reports is forgotten as it would be.

With `--simulated N` a year of N notices goes through the outbox, too, in virtual time and over carriers in memory
(`bench.sms_year`).
"""

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.expectation import WorkLost
from bench.openloop import percentile
from bench.report import Goal, Report, machine
from bench.server_process import HOST
from bench.sms_gateways import FIRST_MOBILE, Counted, Ports
from bench.sms_year import live_a_year
from schemas import StagewatchError
from sinks.sms import DeliveryReport, Fate, Reports, Settled, Sms, SmsChannel, channel_of
from stagewatch import Advance, Output, progress_bar

EVENTS = 100_000
WINDOW = 16
BEGIN_MS, STEP_MS = 1_772_294_400_000, 3_154
"""A year from March 2026 in steps that make ten million."""
TEXT = "【业扩管控】申请2026030200017的供电方案答复环节将于明日到期，请尽快处理，回复1#4827签收。"
"""One part, as long as ours are."""
REPORTS_S = 30.0
"""The last reports come within milliseconds; after so long they are lost."""
ACCOUNTS = {
    "cmpp": "cmpp://901234:hunter2@{host}:{port}?window={window}&access=10690001",
    "sgip": "sgip://901234:hunter2@{host}:{port}?window={window}&access=10690001&node=3025000001&corp=00001",
    "smgp": "smgp://901234:hunter2@{host}:{port}?window={window}&access=10690001",
}
GOALS: dict[str, Goal] = {"sms_per_second": (">=", 2_000), "slowest_second": (">=", 1_000), "window": ("<=", WINDOW)}


def run(
    bootstrap: str | None, output: Output, *, data_dir: Path, events: int = EVENTS, simulated: int = 0
) -> Report:  # fmt: skip
    """Measure, or live through a year in virtual time; raises StagewatchError when anything was lost or came twice."""
    del data_dir  # nothing is kept
    if bootstrap is not None:
        raise StagewatchError("sms works on no Kafka: leave --broker out")
    if simulated:
        logging.getLogger("sinks").setLevel(logging.ERROR)  # it tells of every message that did not arrive
        with progress_bar(output.err, "notices", simulated) as progress:
            return live_a_year(simulated, progress)
    about = machine()
    with _carriers() as (ports, process):
        with progress_bar(output.err, "SMS", events) as progress:
            load = asyncio.run(_measured(ports, events, progress))
        counted = _counted(process)
    figures = figures_of(load, counted, events)
    return Report(name="sms", figures=figures, goals=GOALS, machine=about)


class Load:
    """The SMS of a run and what became of them."""

    def __init__(self, channels: list[SmsChannel], events: int, progress: Advance) -> None:
        self.channels, self.events, self._progress = channels, events, progress
        self.reports = [Reports() for _ in channels]
        self.fates: dict[Fate, int] = dict.fromkeys(Fate, 0)
        self.settled = 0
        self.seconds: dict[int, int] = {}
        self.answer_ms: list[float] = []
        self.elapsed_s = self.cpu_s = 0.0
        self._numbers = iter(range(events))
        self._all_settled = asyncio.Event()

    async def work(self) -> None:
        """Keep every window full until all numbers have been told."""
        ears = [asyncio.create_task(self._listen(n)) for n in range(len(self.channels))]
        begin, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(self._send(n) for n in range(len(self.channels)) for _ in range(WINDOW)))
        self.elapsed_s, self.cpu_s = time.perf_counter() - begin, time.process_time() - cpu
        async with asyncio.timeout(REPORTS_S):
            await self._all_settled.wait()
        for channel in self.channels:
            await channel.close()
        await asyncio.gather(*ears)

    async def _send(self, carrier: int) -> None:
        channel, reports = self.channels[carrier], self.reports[carrier]
        for number in self._numbers:
            sms = Sms(msg_id=str(number), mobile=str(FIRST_MOBILE + number), text=TEXT)
            reports.begin(sms.mobile)
            sent = time.perf_counter()
            submission = await channel.submit(sms)
            answered = time.perf_counter()
            now = BEGIN_MS + number * STEP_MS
            self._settle(reports.submitted(sms.msg_id, sms.mobile, submission, now))
            reports.expire(now)
            self.fates[submission.fate] += 1
            self.seconds[int(answered)] = self.seconds.get(int(answered), 0) + 1
            if number % 10 == 0:  # a tenth is enough for a percentile
                self.answer_ms.append((answered - sent) * 1000)
            if number % 1000 == 0:
                self._progress(number)

    async def _listen(self, carrier: int) -> None:
        async for arrival in self.channels[carrier].arrivals():
            if not isinstance(arrival.item, DeliveryReport):
                raise WorkLost("something came that is no report")
            self._settle(self.reports[carrier].reported(arrival.item, BEGIN_MS + self.settled * STEP_MS))
            arrival.accept()

    def _settle(self, settled: list[Settled]) -> None:
        self.settled += len(settled)
        if self.settled == self.events:
            self._all_settled.set()


async def _measured(ports: Ports, events: int, progress: Advance) -> Load:
    channels = [
        channel_of(ACCOUNTS[name].format(host=HOST, port=port, window=WINDOW)) for name, port in ports.ports.items()
    ]
    for channel in channels:
        await channel.connect()
        if not channel.state.is_up:
            raise StagewatchError(f"{channel.name} does not come up: {channel.state.fault}")
    load = Load(channels, events, progress)
    try:
        await load.work()
    except TimeoutError:
        raise WorkLost(f"{events - load.settled} SMS were never settled by a report") from None
    return load


def figures_of(load: Load, counted: Counted, events: int) -> dict[str, float]:
    """Check that nothing was lost and nothing came twice; give how fast."""
    taken = load.fates[Fate.TAKEN]
    if (taken, counted.taken, counted.confirmed, counted.twice) != (events, events, events, 0):
        raise WorkLost(
            f"of {events} SMS {taken} were taken, the carriers have {counted.taken}, {counted.twice} of them twice, "
            f"and {counted.confirmed} reports were accepted"
        )
    whole = [load.seconds[second] for second in sorted(load.seconds)][1:-1] or [events]
    answers = sorted(load.answer_ms)
    return {
        "sms": float(events), "sms_per_second": events / load.elapsed_s, "slowest_second": float(min(whole)),
        "answer_p50_ms": percentile(answers, 50), "answer_p99_ms": percentile(answers, 99),
        "reports": float(load.settled), "unknown": float(load.fates[Fate.UNKNOWN]), "lost": 0.0, "twice": 0.0,
        "window": float(counted.window), "cpu_us_per_sms": load.cpu_s / events * 1e6,
    }  # fmt: skip


@contextmanager
def _carriers() -> Iterator[tuple[Ports, "subprocess.Popen[bytes]"]]:
    command = [sys.executable, "-m", "bench.sms_gateways"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield msgspec.json.decode(_line(process), type=Ports), process
        finally:
            process.kill()


def _counted(process: "subprocess.Popen[bytes]") -> Counted:
    if process.stdin is not None:
        process.stdin.close()
    return msgspec.json.decode(_line(process), type=Counted)


def _line(process: "subprocess.Popen[bytes]") -> bytes:
    line = process.stdout.readline() if process.stdout is not None else b""
    if not line:
        raise StagewatchError("the carriers' process ended")
    return line
