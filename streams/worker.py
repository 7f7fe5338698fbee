"""One worker: a Faust app with six agents on the partition core, and what they share.

Called by the front door (`stagewatch worker`). `run.py` runs it and gives the exit code; a failed
transaction ends the process at once with 70 (see `partitions.py`).
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from aiokafka.errors import KafkaConnectionError
from faust.transport.drivers import TRANSPORTS

from rules import Definitions, Engine, Reference
from schemas import Broken, TableMapping, TryLater
from schemas.codec import change_encoder
from sinks import OutboxPolicy, ReportMails, Senders, Standing, sinks_for
from sinks.store import NotificationRow
from streams.broker import KafkaBroker
from streams.census import Census
from streams.config import WorkerConfig
from streams.decoders import Decoders
from streams.definitions import DefinitionsReader, RuleBook
from streams.direct import DirectTopic, direct_topics, partitioners_of
from streams.discovery import Restart, watch_for_more
from streams.ends import Answer, Ends
from streams.faust_app import make_app
from streams.inbound import InboundAgent, InboundTopics
from streams.inbox import LoopInbox
from streams.inbox_gate import InboxGate
from streams.instances import InstanceReader
from streams.logic import Agent, SourcePartition
from streams.loop import LoopAgent, LoopTopics
from streams.metrics import Metrics
from streams.notify import NotifyAgent
from streams.partitioner import Partitioner
from streams.partitions import EXIT_BROKEN, Partitions
from streams.readmodel import StoreWriter
from streams.reference import ReferenceReader
from streams.rekey import RekeyAgent
from streams.sources import Sources
from streams.standing_reader import StandingReader, holding_of
from streams.topics import TopicNames, check_states, ensure, partition_counts
from streams.totals import TotalsAgent, TotalsTopics
from streams.track import TrackAgent, TrackTopics
from streams.transport import RawBatchSchema
from streams.watchdog import LastResort, Watchdog, stop_signal

log = logging.getLogger("stagewatch.worker")
TRANSPORTS.aliases["stagewatch"] = "streams.transport:Transport"  # also where the package is not installed

STOP_TIMEOUT_S = 9.0
"""SIGTERM must end the process within 10 s."""
LAST_RESORT_S = 9.5
"""What hangs on a broker out of reach is left as it is: nothing of it is committed."""


class Worker:
    """Everything that one process runs."""

    def __init__(self, config: WorkerConfig, definitions: Definitions, sources: Sources) -> None:
        self.config, self.definitions, self.sources = config, definitions, sources
        self.names = TopicNames(config.application_id)
        self.broker = KafkaBroker(config)
        self.metrics = Metrics(version=config.version)
        self.ends = Ends()
        self.counts: dict[str, int] = {}
        self.decoders = Decoders(sources.schema_of)
        self.client_id = f"{config.application_id}-{uuid4().hex[:12]}"
        self._told: dict[str, TableMapping] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] | None = None
        self._is_ready = False
        self._watchdog = Watchdog(stall_s=config.stall_s)
        self.last_resort = LastResort()

    # -- starting

    async def run(self) -> None:
        """Work until SIGTERM; raises Broken, or Restart when there is more to read than at the start."""
        loop = asyncio.get_running_loop()
        self._failed = loop.create_future()
        stop = asyncio.ensure_future(stop_signal(loop))
        start = asyncio.ensure_future(self._start())
        try:
            await asyncio.wait({start, stop, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                await asyncio.wait({stop, self._failed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.last_resort.arm(0 if stop.done() else EXIT_BROKEN, after_s=LAST_RESORT_S)
            start.cancel()
            stop.cancel()
            await self._stop()
        if self._failed.done():
            self._failed.result()

    async def _start(self) -> None:
        try:
            await self.broker.start()
        except (KafkaConnectionError, OSError) as exc:
            raise TryLater(f"cannot reach the broker at {self.config.servers}; is `broker` right?") from exc
        mappings = await self._discover()
        references = await self._read_beforehand(mappings)
        mappings = self._with_views(mappings)
        self._make_agents(mappings)
        inputs = self._partitions(t for t, m in mappings.items() if m.is_keyed)
        for reader in (self.reader, self.rules, self.standing):
            self._go(reader.run())
        asking = self.ends.ask_for_ever(
            self.broker.consumer, inputs, [*references, self.rules.source], self._on_answer,
            give_up_s=self.config.stall_s,
        )  # fmt: skip
        self._go(asking)
        watching = watch_for_more(
            self.broker.admin, counts=self.counts, every_s=self.config.rediscover_s,
            read=mappings.keys() | self.names.configs().keys(),
            is_captured=lambda topic: self.sources.mapping_for(topic) is not None,
        )  # fmt: skip
        self._go(watching)
        await self.gate.start(self.broker.settings)
        self._serve_metrics()
        self.app = self._make_app()
        self.broker.commit = self._commit
        await self.app.start()
        self._go(self._watch_app())
        if self.store is not None:
            self._go(self.store.run(self.broker.settings))

    async def _read_beforehand(self, mappings: Mapping[str, TableMapping]) -> list[SourcePartition]:
        """Read what judgements rest on to its end: reference data, published rules, silences; give the first's."""
        reference = Reference(frozenset(m.entity for m in mappings.values() if m.is_reference), self.sources.believed)
        decoders = {t: self.decoders.make(m) for t, m in mappings.items() if m.is_reference}
        self.reader = ReferenceReader(reference, decoders)
        make = partial(self._make_engine, reference=reference)
        self.book = RuleBook(make(self.definitions), make)
        self.book.ledger.known_codes = self.sources.known_codes()
        self.rules = DefinitionsReader(self.book, topic=self.names.definitions, worker=self.client_id)
        self.rules.on_read, self.rules.on_effective = self.reader.note_read, self._on_effective
        references = self._partitions(decoders)
        await self.reader.start(references, self.broker.settings)
        await self.rules.start(self.broker.settings)
        await self._start_standing()
        return references

    async def _discover(self) -> dict[str, TableMapping]:
        """Find the captured topics that have a mapping, and see to our own topics."""
        counts = await partition_counts(self.broker.admin)
        await check_states(self.names, counts, self.broker.committed)
        own = self.names.configs().keys()
        found = {t: counts[t] for t in counts.keys() - own if self.sources.mapping_for(t) is not None}
        self.counts = await ensure(self.broker.admin, self.names, found, partitions=self.config.partitions)
        captured = sorted(self.counts) if found else ()  # our own alone, read to their end, would start the clock
        mappings = {topic: m for topic in captured if (m := self.sources.mapping_for(topic)) is not None}
        self.metrics.on_captured({topic: mapping.source for topic, mapping in mappings.items()}, self.sources.rhythms())
        log.info("reading %d captured topics: %s", len(mappings), ", ".join(mappings) or "none yet")
        return mappings

    async def _start_standing(self) -> None:
        """Read the silences; also which alerts ended of late, where notices may wait for a morning."""
        holding = holding_of(self.config, lambda: self.book.newest.definitions.calendar)
        self.standing = StandingReader(Standing(), holding, silences=self.names.silences)
        await self.standing.start(self._partitions([self.names.alerts]), self.broker.settings)

    def _with_views(self, mappings: Mapping[str, TableMapping]) -> dict[str, TableMapping]:
        """Give the mappings with the further views that the rules in effect have instances for: only those are told."""
        told = self.sources.captured(mappings).told(self.book.newest.definitions.by_entity)
        self._told = {topic: m for topic in mappings if (m := told.mapping_for(topic)) is not None}
        return self._told

    def _partitions(self, topics: Iterable[str]) -> list[SourcePartition]:
        return [SourcePartition(topic, n) for topic in topics for n in range(self.counts[topic])]

    def _make_agents(self, mappings: dict[str, TableMapping]) -> None:
        names, counts, config, is_exact = self.names, self.counts, self.config, self.broker.is_exact
        make = self.decoders.make
        direct = direct_topics(mappings, counts, names.changes)
        partitioners = partitioners_of(mappings, counts[names.changes])
        self.rekey = RekeyAgent(
            {topic: self.decoders.make_whole(m) for topic, m in mappings.items() if topic not in direct},
            keyed=frozenset(partitioners),
            changes=names.changes, deadletters=names.deadletters, partitioners=partitioners,
            letter_partitioner=Partitioner(counts[names.deadletters]), ends=self.ends, metrics=self.metrics,
            max_skew_s=config.max_skew_s,
        )  # fmt: skip
        out = TrackTopics(
            names.changes, names.alerts, names.deltas, names.notices, names.deadletters, names.changelog("track"),
            names.loop,
        )  # fmt: skip
        self.track = TrackAgent(
            self.book, out=out, counts=counts,
            ends=self.ends, reference=self.reader, metrics=self.metrics, is_exact=is_exact,
            direct={
                t: DirectTopic(make(m), change_encoder(m), partitioners[t][m.entity])
                for t, m in mappings.items() if t in direct
            },
            by_entity={m.entity: partitioners[t][m.entity] for t, m in mappings.items() if t in partitioners},
            merge_wait_s=config.merge_wait_s, inhibits=config.inhibit,
        )  # fmt: skip
        self.totals = TotalsAgent(
            self.book,
            out=TotalsTopics(
                names.deltas, names.indicators, names.alerts, names.notices, names.changelog("totals"), names.loop
            ),
            counts=counts, trackers=counts[names.changes], ends=self.ends, reference=self.reader, metrics=self.metrics,
            mail_domain=config.mail_domain, is_exact=is_exact, inhibits=config.inhibit,
        )  # fmt: skip
        self._make_loop()
        self._make_inbound()
        self._make_notify()

    def _make_loop(self) -> None:
        names, is_exact = self.names, self.broker.is_exact
        self.loop = LoopAgent(
            self.book,
            out=LoopTopics(
                names.loop, names.commands, names.alerts, names.notices, names.tasks, names.deadletters,
                names.changelog("loop"),
            ),
            counts=self.counts, reference=self.reader, metrics=self.metrics,
            mail_domain=self.config.mail_domain, is_exact=is_exact,
        )  # fmt: skip

    def _make_inbound(self) -> None:
        self.inbound = InboundAgent(
            self.book, out=InboundTopics.of(self.names), counts=self.counts, reference=self.reader,
            metrics=self.metrics, is_exact=self.broker.is_exact,
        )  # fmt: skip

    def _make_notify(self) -> None:
        names, config = self.names, self.config
        self.store = self._make_store()
        reports = None if self.store is None else ReportMails(self.store.find)
        sinks = sinks_for(self.config)
        self.gate = InboxGate(names.inbound, self.counts[names.inbound], metrics=self.metrics)
        self.gate.listen(sinks.get("sms"))
        self.metrics.carriers.follow(sinks.get("sms"))
        self.senders = Senders(sinks, reports=reports, sms_parts=config.sms_parts)
        policy = OutboxPolicy(
            channels=self.senders.channels, mail_digest_s=config.mail_digest_s, group_wait_s=config.group_wait_s,
            idempotent=frozenset({"sms"} if config.sms_is_idempotent else ()), mutes=config.mute,
            gather_s=config.sms_gather_s, inhibits=config.inhibit, holding=self.standing.holding,
        )  # fmt: skip
        self.notify = NotifyAgent(
            self.senders, policy, notices=names.notices, changelog=names.changelog("notify"), metrics=self.metrics,
            record=self.store.record if self.store is not None else _forget, is_exact=self.broker.is_exact,
            inbox=LoopInbox(names.loop, self.counts[names.loop]), standing=self.standing.standing,
        )  # fmt: skip

    def _make_store(self) -> StoreWriter | None:
        if self.config.store is None or "store" not in self.config.parts:
            return None
        if self.config.store.startswith("sqlite"):
            log.warning("the store is a file: beside other workers elsewhere `alerts list` sees a part (see `store`)")
        names = self.names
        return StoreWriter(
            self.config.store, owned=self._owned_logs, alerts=names.alerts, changelog=names.changelog("track"),
            indicators=names.indicators, tasks=names.tasks,
            read_instance=InstanceReader(self.definitions, self.sources),
        )  # fmt: skip

    def _owned_logs(self) -> set[tuple[str, int]]:
        """What this worker's partitions write and the store shows."""
        logs_of = (self.names.alerts, self.names.changelog("track"), self.names.indicators)
        tasks = {(self.names.tasks, number) for number in self.loop.owned if number < self.counts[self.names.tasks]}
        return tasks | {
            (topic, number) for topic in logs_of for number in self.track.owned if number < self.counts[topic]
        }

    def _serve_metrics(self) -> None:
        census = Census(
            lambda: [tracking.partition for tracking in list(self.track.owned.values())],
            lambda: [notifying.outbox for notifying in list(self.notify.owned.values())],
        )
        live = self.metrics.live
        live.instances, live.open_alerts, live.outbox = census.instances, census.open_alerts, census.pending
        if self.config.metrics_port is not None:
            port = self.metrics.serve(self.config.metrics_port)
            os.environ["STAGEWATCH_METRICS_PORT"] = str(port)  # kept when the worker begins anew
            print(f"metrics: http://127.0.0.1:{port}/metrics", file=sys.stderr, flush=True)  # noqa: T201 - contract
        self._on_effective(self.book.newest.definitions)

    def _on_effective(self, definitions: Definitions) -> None:
        """Other rules have come into effect: how far their calendar goes, and whether their instances are told of."""
        told = self.sources.captured(self._told).told(definitions.by_entity)
        more = [t for t, now in self._told.items() if (m := told.mapping_for(t)) and len(m.also) > len(now.also)]
        if more and self._failed is not None and not self._failed.done():
            log.info("the rules in effect have further instances, told by %s: beginning anew", ", ".join(more))
            self._failed.set_exception(Restart())
        horizon = definitions.calendar.horizon()
        self.metrics.on_calendar_horizon((horizon - datetime.now(UTC).date()).days)

    def _make_engine(self, definitions: Definitions, reference: Reference) -> Engine:
        return Engine(definitions, reference, mail_domain=self.config.mail_domain)

    # -- the Faust app

    def _make_app(self) -> Any:  # noqa: ANN401 - Faust carries no types
        app, config = make_app(self.config, self.client_id), self.config
        every: tuple[Agent, ...] = (self.rekey, self.track, self.totals, self.loop, self.inbound, self.notify)
        agents = [agent for agent in every if agent.topics and agent.name in config.parts]
        self.partitions = Partitions(app, agents=agents, counts=self.counts, broker=self.broker, observer=self.metrics)
        self.partitions.on_ready = self._on_ready
        for agent in agents:
            self._add_agent(app, agent)
        return app

    def _add_agent(self, app: Any, agent: Agent) -> None:  # noqa: ANN401 - Faust carries no types
        # Never full: the transport counts batches itself, and a full queue would block all topics.
        schema = RawBatchSchema(value_type=bytes, value_serializer="raw")
        topic = app.topic(*sorted(agent.topics), schema=schema, maxsize=4096)
        partitions = self.partitions

        async def process(stream: Any) -> None:  # noqa: ANN401 - Faust carries no types
            stream.enable_acks = False  # acknowledged after the commit
            async for event in stream.events():
                try:
                    await partitions.handle(event)
                except Exception as exc:  # noqa: BLE001 - a step half done must not survive
                    await partitions.broken(exc)

        app.agent(topic, name=agent.name)(process)

    async def _commit(self, offsets: Mapping[Any, Any]) -> None:
        await self.app.consumer.commit_offsets(offsets)

    def _on_ready(self, count: int) -> None:
        if not self._is_ready:
            self._is_ready = True
            print(f"ready: {count} partitions", file=sys.stderr, flush=True)  # noqa: T201 - contract, section 8

    # -- beside the partitions

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None and self._failed and not self._failed.done():
            self._failed.set_exception(exc)

    async def _watch_app(self) -> None:
        await self.app._crashed.wait()  # noqa: SLF001 - mode offers no public way
        raise Broken(f"Faust crashed: {self.app.crash_reason!r}")

    def _on_answer(self, answer: Answer) -> None:
        """A quarter of a second has passed: lag, the slowest clock, and whether all is well."""
        self.decoders.warn()
        lag: dict[str, int] = {}
        for tp, end in answer.ends.items():
            read = self.track.read_to(tp) if tp.topic in self.track.direct else self.rekey.skew.read_to(tp)
            if read is not None:
                lag[tp.topic] = lag.get(tp.topic, 0) + max(end - read, 0)
        self.metrics.on_lag(lag)
        now = int(time.time() * 1000)
        behind = max((tracking.clock_behind_ms(now) for tracking in self.track.owned.values()), default=0)
        self.metrics.on_clock_behind(behind / 1000)
        if self._watchdog.is_stalled(lag=sum(lag.values()), progress=self.metrics.last_progress, now=time.monotonic()):
            raise Broken(f"no progress for {self.config.stall_s} s with {sum(lag.values())} records unread")

    # -- stopping

    async def _stop(self) -> None:
        """Commit what was processed, tell the group, let go of everything."""
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                if hasattr(self, "app"):
                    self.partitions.is_stopping = True
                    await asyncio.gather(*(n.finish(2.0) for n in list(self.notify.owned.values())))
                    await self.app.stop()
                if hasattr(self, "store") and self.store is not None:
                    await self.store.flush()
                for task in list(self._tasks):
                    task.cancel()
                if hasattr(self, "reader"):
                    await self.reader.stop()
                if hasattr(self, "rules"):
                    await self.rules.stop()
                if hasattr(self, "standing"):
                    await self.standing.stop()
                if hasattr(self, "senders"):
                    await self.gate.stop()
                    await self.senders.close()
                await self.broker.stop()
                self.metrics.close()
        except TimeoutError:
            log.error("could not stop in %s s; what was not committed is done again", STOP_TIMEOUT_S)  # noqa: TRY400


def _forget(rows: Iterable[NotificationRow]) -> None:
    """Without a store nobody asks for notices."""
