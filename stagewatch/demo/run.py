"""Runs the demo: broker, receivers, a real worker, the story, and at the end the count.

Two phases. First months of history are written with their old timestamps, and the worker, which starts only
then, catches up in data time. Then some seconds live: rows arrive and deadlines pass by the wall clock.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from schemas import BadInput, decode_alert
from stagewatch.demo.display import HISTORY_LINES, Display
from stagewatch.demo.feed import Feed, now_ms
from stagewatch.demo.generator import Story, tell_story
from stagewatch.demo.messages import Directory, Expected, FoundAlert, expected_messages, received_messages
from stagewatch.demo.process import WorkerProcess
from stagewatch.demo.recount import Firings, Key, recount
from stagewatch.demo.stages import stage_messages
from stagewatch.demo.tally import Verdict, compare, percentile
from stagewatch.embedded import EmbeddedBroker
from stagewatch.receivers import SmsReceiver, SmtpReceiver
from stagewatch.topic_reader import TopicRecord, TopicTail, read_topic

SEED = 20260701
LEAD_S, LEAD_S_PER_EVENT = 11.0, 1 / 2500
"""From the making of the story to its live phase: what the worker's start, and writing and catching up with
history take on two cores, with a margin."""
CATCH_UP_S = 45.0
SETTLE_S = 10.0
"""Longest waits, for catching up and for the last alerts and messages. What is not there then is lost."""
STALLED_S = 10.0
"""Catching up is over when nothing has come for so long; a busy machine may take seconds for the first."""
QUIET_S = 1.5
"""A repeat would come within this."""
GRACE_MS = 2_000
"""What falls due so shortly before the end may or may not be raised."""
POLL_MS = 20
EVENTS, SECONDS = 10_000, 22.0
"""By default: a history that two cores catch up with in seconds, and a live phase that people still watch."""


@dataclass(slots=True)
class Findings:
    """What the demo has seen so far."""

    alerts: list[FoundAlert] = field(default_factory=list)
    by_key: dict[Key, FoundAlert] = field(default_factory=dict)
    sms: int = 0
    mails: int = 0


class Demo:
    """One run. `run` may be called once."""

    def __init__(self, display: Display, *, events: int = EVENTS, seconds: float = SECONDS) -> None:
        self._display, self._events, self._seconds = display, events, seconds
        self._found = Findings()
        self._parts = ExitStack()
        self._one_of = 1

    def run(self) -> tuple[dict[str, object], Verdict]:
        """Play the demo; give the summary's figures (contract, section 2) and the verdict."""
        with self._parts:
            self._set_up()
            story, begins_at = self._write_history()
            started = self._start_worker(len(story.history))
            self._catch_up(story)
            self._play(story, begins_at)
            ended_at = now_ms()
            firings = recount(self._feed.sent, ended_at + int((SETTLE_S + QUIET_S) * 1000))
            directory = Directory(story.world, self._feed.sent)
            expected = self._settle(firings, directory, started, ended_at)
            instances = self._worker.metric("stagewatch_instances")
            self._worker.stop()
            return self._count(firings, expected, (started[1], begins_at, ended_at), instances)

    # -- the phases

    def _set_up(self) -> None:
        self._folder = Path(self._parts.enter_context(tempfile.TemporaryDirectory(prefix="stagewatch-demo-")))
        self._broker = self._parts.enter_context(EmbeddedBroker(self._folder / "broker.log"))
        self._mail = self._parts.enter_context(SmtpReceiver())
        self._sms = self._parts.enter_context(SmsReceiver())
        self._feed = Feed(self._broker.bootstrap)
        self._parts.callback(self._feed.close)
        self._feed.make_topics()
        self._tail = self._parts.enter_context(TopicTail(self._broker.bootstrap, "stagewatch.alerts"))

    def _write_history(self) -> tuple[Story, int]:
        told_at = now_ms()
        begins_at = told_at + int((LEAD_S + self._events * LEAD_S_PER_EVENT) * 1000)
        story = tell_story(
            seed=SEED, events=self._events, told_at=told_at, begins_at=begins_at, seconds=self._seconds
        )  # fmt: skip
        days = (story.history[-1].at - story.history[0].at) // 86_400_000
        self._display.phase(
            f"history: {len(story.history)} changes of {days} days, three source systems, {self._broker.url}",
            len(story.history),
        )
        self._feed.write(story.history, self._display.advance)
        return story, begins_at

    def _start_worker(self, records: int) -> tuple[int, int]:
        """Start the worker; give when it was begun and when it was ready."""
        self._display.phase(f"worker: starts on {records} records it has never seen", 1)
        settings = {
            "broker": self._broker.url, "data_dir": str(self._folder / "data"), "application_id": "stagewatch-demo",
            "smtp_url": self._mail.url, "sms_url": self._sms.url, "metrics_port": "0", "mail_digest_s": "3",
        }  # fmt: skip
        begun = now_ms()
        self._worker = WorkerProcess(settings, self._folder / "worker.log")
        self._parts.callback(self._worker.stop)
        deadline = time.monotonic() + CATCH_UP_S
        while not self._worker.is_ready and time.monotonic() < deadline:
            time.sleep(POLL_MS / 1000)
        return begun, now_ms()

    def _catch_up(self, story: Story) -> None:
        due = [key for key, firing in recount(story.history, now_ms()).items() if firing.at <= story.history[-1].at]
        self._display.phase(f"catching up: the clock follows the records, {len(due)} alerts are due in them", len(due))
        self._one_of = max(1, len(due) // HISTORY_LINES)
        deadline = last = time.monotonic()
        deadline += CATCH_UP_S
        missing = set(due)
        while missing and time.monotonic() < min(deadline, last + STALLED_S):
            before = len(missing)
            self._look()
            missing -= self._found.by_key.keys()
            last = time.monotonic() if len(missing) < before else last
            self._display.advance(len(due) - len(missing))

    def _play(self, story: Story, begins_at: int) -> None:
        """Let the live phase happen; it ends by the clock."""
        self._one_of = 1
        self._display.phase(f"live: rows arrive and deadlines pass for {self._seconds:g} s", int(self._seconds))
        begins_at += self._feed.schedule(story.live)
        ends_at = begins_at + int(self._seconds * 1000)
        while now_ms() < ends_at or self._feed.has_more:
            self._feed.send_due()
            self._look()
            self._display.advance(max(0, now_ms() - begins_at) // 1000)

    def _settle(self, firings: Firings, directory: Directory, started: tuple[int, int], ended_at: int) -> Expected:
        """Wait until all that must come has come, and a little for what must not."""
        settled_until = ended_at - GRACE_MS
        wanted = {key for key, firing in firings.items() if firing.at <= settled_until}
        self._display.phase("settling: waiting for the last messages", int(SETTLE_S))
        deadline = time.monotonic() + SETTLE_S
        stages = stage_messages(self._feed.sent, directory, started)
        is_quiet = False
        while not is_quiet and time.monotonic() < deadline:
            self._look()
            expected = expected_messages(firings, self._found.by_key, directory, started) + stages
            received = received_messages(self._mail.received, self._sms.received)
            is_quiet = wanted <= self._found.by_key.keys() and not expected.must - received
        deadline = time.monotonic() + QUIET_S
        while time.monotonic() < deadline:
            self._look()
        return expected_messages(firings, self._found.by_key, directory, started) + stages

    # -- looking

    def _look(self) -> None:
        """Take in and show what is new in the alert topic and at the receivers."""
        self._worker.check()
        for record in self._tail.poll(POLL_MS):
            alert = _raised(record)
            if alert is not None:
                self._found.alerts.append(alert)
                self._found.by_key.setdefault(alert.key, alert)
                self._display.alert(alert, one_of=self._one_of)
        texts, mails = self._sms.received, self._mail.received
        if self._one_of == 1:
            for sms in texts[self._found.sms :]:
                self._display.sms(sms)
            for mail in mails[self._found.mails :]:
                self._display.mail(mail)
        self._found.sms, self._found.mails = len(texts), len(mails)

    # -- counting

    def _count(
        self, firings: Firings, expected: Expected, moments: tuple[int, int, int], instances: float | None
    ) -> tuple[dict[str, object], Verdict]:
        ready, begins_at, ended_at = moments
        for record in self._tail.to_end():
            alert = _raised(record)
            if alert is not None:
                self._found.alerts.append(alert)
                self._found.by_key.setdefault(alert.key, alert)
        letters = sum(1 for _ in read_topic(self._broker.bootstrap, "stagewatch.deadletters"))
        garbled = sum(happening.garbage is not None for happening in self._feed.sent)
        received = received_messages(self._mail.received, self._sms.received)
        verdict = compare(
            firings, self._found.alerts, (expected, received), settled_until=ended_at - GRACE_MS,
            letters=(garbled, letters),
        )  # fmt: skip
        history = [h for h in self._feed.sent if h.at < begins_at]
        latencies = [
            alert.written_at - firing.at
            for key, alert in self._found.by_key.items()
            if (firing := firings.get(key)) is not None and firing.by_arrival and firing.at >= begins_at
        ]
        figures: dict[str, object] = {
            "events_in": len(self._feed.sent),
            "instances": int(instances) if instances is not None else None,
            "alerts_raised": len(self._found.by_key),
            "alerts_by_rule": dict(sorted(Counter(key.rule for key in self._found.by_key).items())),
            "sms_sent": len(self._sms.received),
            "emails_sent": len(self._mail.received),
            "indicator_updates": sum(1 for _ in read_topic(self._broker.bootstrap, "stagewatch.indicators")),
            "dead_letters": letters,
            "lost": verdict.lost,
            "duplicates": verdict.duplicates,
            "unexpected": verdict.unexpected,
            "p50_ms": percentile(latencies, 0.5),
            "p99_ms": percentile(latencies, 0.99),
            "events_per_second": _rate(len(history), self._busy_ms(firings, history[-1].at, ready)),
        }
        return figures, verdict

    def _busy_ms(self, firings: Firings, history_end: int, ready: int) -> int:
        """Give the time from ready until the last of history's alerts was written."""
        written = [
            alert.written_at
            for key, alert in self._found.by_key.items()
            if key in firings and firings[key].at <= history_end
        ]
        return max(written, default=ready) - ready


def _rate(events: int, busy_ms: int) -> int | None:
    return round(events * 1000 / busy_ms) if busy_ms > 0 else None


def _raised(record: TopicRecord) -> FoundAlert | None:
    """Give a `raised` event of the alert topic; None for the others."""
    try:
        event = decode_alert(record.value or b"")
    except BadInput:
        return None
    if event.event != "raised":
        return None
    thing = event.object
    key = Key(
        event.rule,
        event.severity,
        event.process,
        event.instance,
        event.stage,
        event.visit,
        thing.item if thing else None,
    )
    return FoundAlert(
        key, event.alert_id, event.text, thing.no if thing else None, event.raised_at, record.timestamp
    )  # fmt: skip
