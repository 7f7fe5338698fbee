"""A world: real Kafka, real workers, a feed that goes on while faults happen, and the promise checked by its oracle.

    with World(folder, seed) as world:          # own Kafka, gateways, topics; one worker; the feed runs
        worker = world.start_worker()           # one more; `program=` for one with faults of its own
        world.wanted = 2                        # `tend` keeps so many alive, as a supervisor would
        world.run_for(3.0)                      # tends, while whatever you began goes on
        worker.kill()                           # or world.kafka.kill(), world.broker... : your fault
        world.hit["kill: random"] += 1          # count what was hit; shown at the end
        world.verify()                          # pauses the feed, waits, compares, resumes; raises PromiseBroken

Options are those of `Options`: `dataclasses.replace(Options(), partitions=2, settings={...})`. `broker_url`
is a function of the running Kafka (`lambda kafka: ...`), so that workers can be sent through a proxy; gateways may be
replaced by any context manager with `url` and `received`. The feed talks to Kafka itself, never through the proxy.

A fault is a `Fault` in a module's `FAULTS`; `python -m tests.fault` finds those of every module of this package.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from kafka.errors import KafkaError

from bench.captured_keys import with_key
from bench.kafka_server import KafkaServer
from connectors import SHIPPED_SOURCES
from stagewatch.receivers import SmsReceiver, SmtpReceiver
from tests.fault import promise
from tests.fault.feed import Feed
from tests.fault.lives import APP, DISTRICT, ITEM, MANAGER, PROGRESS
from tests.fault.observed import CHANGES, Observed, Unreadable, notifications
from tests.fault.oracle import Truth, last_due, truth
from tests.fault.workers import PATIENCE_S, PLAIN, Worker
from tests.helpers.brokers import make_topics

APPLICATION_ID = "faulty"
TEND_S = 0.05
LOOK_S = 0.7
QUIET_S = 1.5
"""All was well, and after so long still is: nothing comes twice."""
CERTAIN_S = 0.5
"""After the last timer was due: nothing is about to fall due while it is counted."""
BEGIN_S = 120.0
MOST_WORKERS = 4


class PromiseBroken(Exception):
    """The product did what it promised never to do; the message says what, and with which seed."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a world is made of; see the module's text."""

    partitions: int = 3
    lives_per_s: float = 12.0
    session_timeout_s: float = 4.0
    """Below the product's 10 s, so that a run holds more faults; Kafka is told to allow it."""
    settings: Mapping[str, str] = field(default_factory=dict)
    kafka: Mapping[str, str] = field(default_factory=dict)
    """Further properties of the broker."""
    server: Callable[[Path, Mapping[str, str]], KafkaServer] = lambda folder, properties: KafkaServer(
        folder, properties=properties
    )
    """Makes the broker; one that workers reach over a bad line, for instance."""
    broker_url: Callable[[Any], str] = lambda kafka: kafka.url
    is_keyed: bool = False
    """Captured messages are keyed by the instance, so that nothing is re-keyed."""
    is_watched: bool = True
    """Workers note what they are in the middle of (`aiming`) and answer SIGUSR1 (`stacks`); False: as a user's do."""
    off: tuple[str, ...] = ()
    """Parts of the product that are switched off in every worker; see `sabotaged_worker`."""
    store: str | None = None
    """One store for all workers; None: a SQLite file for each."""
    sms: Callable[[], Any] = SmsReceiver
    smtp: Callable[[], Any] = SmtpReceiver
    states: frozenset[str] = promise.ENDED_WELL
    """How a notification may end; faults of gateways allow more."""
    is_exact: bool = True
    """Timers are raised at their very millisecond; not where the workers' clocks are moved or records held up."""
    patience_s: float = PATIENCE_S
    """How long nothing may move while the workers catch up, once the feed has paused."""


class World:
    """One seeded run. A context manager."""

    def __init__(
        self, folder: Path, seed: int, options: Options | None = None, say: Callable[[str], None] = lambda _text: None
    ) -> None:
        """`say` takes lines for whoever looks on."""
        self.folder, self.seed, self.options, self.say = folder, seed, options or Options(), say
        self.workers: list[Worker] = []
        """Those alive, or not yet reaped, in the order of their start."""
        self.wanted = 0
        """How many `tend` keeps running; 0: it starts none."""
        self.program: Callable[[int], Sequence[str]] | None = None
        """What further workers run, by their number, in place of what the options say; arguments of this Python."""
        self.hit: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()
        self.stores: set[str] = set()
        self.checks = 0
        self.truth = Truth()
        """As of the last check that all was well."""
        self._number = 0
        self._stack = ExitStack()

    # -- begin and end

    def __enter__(self) -> Self:
        """Start Kafka, gateways, feed and the first worker; return when every partition has begun its work."""
        with ExitStack() as stack:
            self.folder.mkdir(parents=True, exist_ok=True)
            properties = {"group.min.session.timeout.ms": "500", **self.options.kafka}
            self.kafka: Any = stack.enter_context(self.options.server(self.folder / "kafka", properties))
            self.sms: Any = stack.enter_context(self.options.sms())
            self.smtp: Any = stack.enter_context(self.options.smtp())
            sources = {
                APP: self.options.partitions,
                PROGRESS: self.options.partitions,
                MANAGER: 1,
                DISTRICT: 1,
                ITEM: 1,
            }
            for count in set(sources.values()):
                make_topics(self.kafka.bootstrap, [t for t, n in sources.items() if n == count], partitions=count)
            self.feed = Feed(
                self.kafka.bootstrap, self.seed, lives_per_s=self.options.lives_per_s, partitions=sources,
                is_keyed=self.options.is_keyed,
            )  # fmt: skip
            stack.callback(self.feed.close)
            self.observed = Observed(self.kafka.bootstrap, APPLICATION_ID, sources)
            stack.callback(self.observed.close)
            stack.callback(self._kill_all)
            self.feed.tell_references()
            self.start_worker().wait_ready(BEGIN_S)
            self.feed.resume()
            self._wait_begun()
            self._stack = stack.pop_all()
        return self

    def _wait_begun(self) -> None:
        """Wait until every tracking partition has a position: from then on everybody is told of everything."""
        self.wait(
            "not every partition began",
            lambda: sum(t == CHANGES for t, _ in self.observed.committed()) == self.options.partitions, BEGIN_S,
        )  # fmt: skip

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Kill what runs."""
        self._stack.close()

    def _kill_all(self) -> None:
        for worker in self.workers:
            worker.kill()

    # -- workers

    def start_worker(self, *more: str, program: Sequence[str] | None = None, **settings: str) -> Worker:
        """Start one more, and return at once. `settings` by their keys.

        `more`: arguments of `sabotaged_worker`; `program`: something else to run, as arguments of this Python.
        """
        self._number += 1
        options = self.options
        chosen = {
            "broker": options.broker_url(self.kafka), "application_id": APPLICATION_ID, "sms_url": self.sms.url,
            "smtp_url": self.smtp.url, "mail_digest_s": "0", "group_wait_s": "0",
            **({"sources": str(self._keyed_sources())} if options.is_keyed else {}),
            "session_timeout_s": str(options.session_timeout_s), "log_format": "text",
            **({"store": options.store} if options.store else {}), **options.settings, **settings,
        }  # fmt: skip
        worker = Worker(self._number, self.folder, chosen, program or self._program(more))
        self.stores.add(worker.store)
        self.workers.append(worker)
        return worker

    def _program(self, more: Sequence[str]) -> Sequence[str]:
        if self.program is not None:
            return self.program(self._number)
        if not self.options.is_watched:
            return PLAIN
        off = [part for name in self.options.off for part in ("--off", name)]
        phases = ("--watch", str(self.phases_file(self._number)))
        return ("-m", "tests.fault.sabotaged_worker", *phases, *off, *more, "worker")

    def _keyed_sources(self) -> Path:
        """Give a folder with the shipped sources in which the keys of the fed messages are declared."""
        folder = self.folder / "sources"
        folder.mkdir(exist_ok=True)
        for path in SHIPPED_SOURCES.glob("*.yaml"):
            text = path.read_text(encoding="utf-8")
            for topic in (APP, PROGRESS) if path.stem == "mkt" else ():
                text = with_key(text, topic.rsplit(".", 1)[1])
            (folder / path.name).write_text(text, encoding="utf-8")
        return folder

    def phases_file(self, number: int) -> Path:
        """Where a watched worker notes what it is in the middle of; see `phases`."""
        return self.folder / f"phases-{number}"

    @property
    def awake(self) -> list[Worker]:
        """Workers that run and are not frozen."""
        return [w for w in self.workers if w.is_running and not w.is_stopped]

    def tend(self) -> None:
        """Do what a supervisor does: note who ended and start others until `wanted` run."""
        for worker in [w for w in self.workers if not w.is_running]:
            self.workers.remove(worker)
            who = "a thawed one" if worker.was_frozen else "a worker"
            self.exits[f"{who} ended with {worker.process.returncode}"] += 1
        while sum(not w.is_frozen for w in self.workers) < self.wanted:
            self.start_worker()

    def stop_all(self) -> None:
        """End all workers in an orderly way; none is wanted afterwards. Raises NotInTime."""
        self.wanted = 0
        for worker in self.workers:
            worker.thaw()
            worker.ask_to_end()
        for worker in self.workers:
            worker.stop()
        self.tend()

    def run_for(self, seconds: float) -> None:
        """Tend for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.tend()
            time.sleep(TEND_S)

    def wait(self, what: str, is_so: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Tend until something holds. Raises PromiseBroken: what is waited for must happen."""
        deadline = time.monotonic() + timeout_s
        while not is_so():
            if time.monotonic() > deadline:
                raise self.broken([what])
            self.tend()
            time.sleep(TEND_S)

    # -- the promise

    def verify(self, *, resume: bool = True) -> None:
        """Pause the feed, let the workers catch up and compare everything with the oracle; resume the feed.

        At least one worker must run. Raises PromiseBroken.
        """
        self.feed.pause()
        last = last_due(self.feed.sent, int(time.time() * 1000))
        self.run_for(max(0.0, last / 1000 + CERTAIN_S - time.time()))
        expected = truth(self.feed.sent, int(time.time() * 1000))
        moved, before = time.monotonic(), [""]
        while faults := self._looked(expected):
            if faults != before:
                moved, before = time.monotonic(), faults
            if _is_final(faults) or time.monotonic() - moved > self.options.patience_s:
                raise self.broken(faults)
            self.run_for(LOOK_S)
        self.run_for(QUIET_S)
        if faults := self._looked(expected, is_last=True):
            raise self.broken(faults)
        self.checks, self.truth = self.checks + 1, expected
        self.stores = {worker.store for worker in self.workers}  # they hold all that those of dead workers held
        self.say(f"seed {self.seed}: all is well after {dict(self.hit)}, {len(expected.events)} alert events")
        if resume:
            self.feed.resume()

    def _looked(self, expected: Truth, *, is_last: bool = False) -> list[str]:
        """Say what is not as it must be; a broker that does not answer yet is one more thing to wait for.

        Marks are written now and then without news: at the last look a partition may be behind for a moment.
        """
        try:
            return self._faults(expected) or ([] if is_last else promise.shown("partitions", self.observed.stuck()))
        except (KafkaError, Unreadable) as exc:
            return [f"the broker cannot be read: {exc!r}"]

    def _faults(self, expected: Truth) -> list[str]:
        """Say what is not as it must be; the cheap questions first, the others once those are answered well."""
        observed = self.observed
        observed.look()
        alerts = promise.event_faults(expected, observed.alerts, is_exact=self.options.is_exact)
        letters = promise.letter_faults(self.feed.raw, observed.letters)
        faults = promise.shown("alert events", alerts) + promise.shown("dead letters", letters)
        if not faults:
            faults += promise.shown("instances", promise.instance_faults(expected, observed.instances()))
        if not faults:
            sends = promise.Sends(
                notifications(self.stores), [*self.sms.received, *self.smtp.received], self.options.states
            )
            faults += promise.shown("sends", promise.send_faults(expected, observed.alerts, sends))
        return faults

    def broken(self, faults: Sequence[str]) -> PromiseBroken:
        """Give the exception that says what was found, where the logs are, and how to run it again.

        Watched workers say in their logs where they stand.
        """
        for worker in self.awake:
            worker.tell_where()
        lines = [f"seed {self.seed}, after {dict(self.hit)}, exits {dict(self.exits)}; logs in {self.folder}", *faults]
        return PromiseBroken("\n".join(lines))

    def summary(self) -> Mapping[str, int]:
        """Give how much was at stake at the last check that all was well."""
        expected = self.truth
        unknown = sum(row.state == "unknown" for row in notifications(self.stores))
        return {
            "records": len(self.feed.sent), "poison": len(self.feed.raw), "instances": len(expected.instances),
            "alert_events": len(expected.events), "sends": len(expected.told), "unknown_sends": unknown,
            "workers": self._number, "checks": self.checks,
        }  # fmt: skip


def _is_final(faults: Sequence[str]) -> bool:
    """Whether time will not mend it: something is there twice, or should not be there."""
    return any(" times: " in fault or "not in the truth" in fault or "took it" in fault for fault in faults)


class Fault(NamedTuple):
    """A kind of fault that can be asked for. `run(world, times)` does it so often and counts into `world.hit`."""

    name: str
    run: Callable[[World, int], None]
    short: int
    """How often in the short form."""
    long: int
    """How often at least in the long form (the table of the issue)."""
    options: Options = Options()
