"""`stagewatch relay`: store and forward between two networks that only a folder or a table joins."""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stagewatch.cli import Failed, Group, bootstrap_of, command, output_option, settings_from, settings_option

if TYPE_CHECKING:
    from connectors import Landing
    from connectors.relay import CrossingLog, RelayedRecord, RelayModel, Sender, Withheld
    from stagewatch.output import Value
    from stagewatch.settings import Settings

FOLDER = "relay"
"""Below `data_dir`."""
POLL_S = 0.5
"""Between looks at the link where nothing else waits: well below the minute after which a crossing is late."""
RETRY_S = 5.0
LOG_TABLE = "cdc.xchg.xchg_log"
DEAD_LETTERS = "stagewatch.deadletters"
_NOT_EXACT = (
    "this Kafka has no transactions: a request of a receiver that died may still arrive and stand twice, and a "
    "receiver that loses its state cannot go on"
)

relay = Group(
    name="relay",
    help="Carry records between two networks that only a folder or a database table joins.",
    members={
        "send": "stagewatch.cli_relay:send",
        "receive": "stagewatch.cli_relay:receive",
        "status": "stagewatch.cli_relay:status",
    },
)

_definition = click.argument("definition", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_once = click.option("--once", is_flag=True, help="One turn, then end.")
_dry = click.option("--dry-run", is_flag=True, help="Only check the definition and say what would cross.")


def _tell_plan(side: _Side) -> None:
    for topic in side.model.topics:
        columns = side.model.columns.get(topic)
        masked = f", masked {', '.join(columns.mask)}" if columns is not None and columns.mask else ""
        told = "whole rows" if columns is None else f"only {', '.join(columns.allow)}{masked}"
        side.output.line(f"{side.model.name}: would send {topic}: {told}")


@command(name="send", short_help="Run the outer side of a channel.")
@_definition
@_once
@_dry
@settings_option
def send(*, definition: Path, once: bool, dry_run: bool, config: Path | None) -> None:
    """Read the topics of DEFINITION (`version: relay/v1`) and put numbered, signed batches on the way.

    Each is kept until the other side has acknowledged it. `relay status` shows what waits, and how long.
    """
    side = _Side("outer", definition, config)
    if dry_run:
        _tell_plan(side)
        return
    from connectors import Landing, secret_of
    from connectors.relay import OuterReader, Sender

    bootstrap, (forward, back) = bootstrap_of(side.settings), side.model.boxes(definition.parent)
    sender = Sender(
        side.model.name, side.state, forward, back, secret=secret_of(side.model.key), clock=time.time,
        outward=side.outward,
    )  # fmt: skip
    with closing(sender), OuterReader(bootstrap, side.model.topics) as reader, Landing(bootstrap) as landing:
        log, losses, withheld = side.log(landing), _Losses(side, sender), 0

        def withhold(record: RelayedRecord, why: Withheld) -> None:
            nonlocal withheld
            withheld += 1
            _keep_inside(landing, record, why)

        def turn() -> None:
            sender.collect(reader, withhold)
            deleted = losses.tell()
            put = set(sender.send(again_after_s=side.model.again_after_s))
            for batch in sender.pending():
                if batch.number in put:
                    log.waiting(batch)
            for acked in sender.settle():
                log.done(acked)
            landing.settle()
            waiting = [batch for batch in sender.pending() if batch.rows]
            side.show(
                waiting=len(waiting), rows=sum(batch.rows for batch in waiting), lag_s=round(sender.lag_s(), 1),
                withheld=withheld, deleted=deleted,
            )  # fmt: skip

        side.run(turn, once=once)


class _Losses:
    """What does not cross because it was gone outside before it was read; what a run before told is not told again."""

    def __init__(self, side: _Side, sender: Sender) -> None:
        self._side, self._sender = side, sender
        self._deleted, self._anew = sum(sender.deleted().values()), sender.made_anew()

    def tell(self) -> int:
        """Warn of what is new; gives how many records at most were deleted, ever."""
        gone, anew = self._sender.deleted(), self._sender.made_anew()
        count = sum(gone.values())
        if count > self._deleted:
            self._side.output.warn(
                f"up to {count - self._deleted} records were deleted before they were read, and do not cross "
                f"({', '.join(sorted(gone))}): have the topics keep records for longer than this side may stand still, "
                "and bring the rows by `stagewatch ingest`"
            )
        if topics := sorted(topic for topic, times in anew.items() if times > self._anew.get(topic, 0)):
            self._side.output.warn(
                f"{', '.join(topics)}: made anew, and read from the beginning; what of the one before had not been "
                "read does not cross: bring such rows by `stagewatch ingest`"
            )
        self._deleted, self._anew = count, anew
        return count


def _keep_inside(landing: Landing, record: RelayedRecord, why: Withheld) -> None:
    """Make a dead letter of a record that must not leave; Kafka has it when this returns."""
    from schemas import DeadLetter, encode_dead_letter

    letter = DeadLetter.of(
        "withheld", str(why), topic=record.topic, partition=record.partition, offset=record.offset,
        timestamp=record.timestamp, key=record.key, value=record.value,
    )  # fmt: skip
    landing.make_topic(DEAD_LETTERS, None)
    landing.write(DEAD_LETTERS, [(record.topic.encode() + b"|" + (record.key or b""), encode_dead_letter(letter), [])])


@command(name="receive", short_help="Run the inner side of a channel.")
@_definition
@_once
@_dry
@settings_option
def receive(*, definition: Path, once: bool, dry_run: bool, config: Path | None) -> None:
    """Apply the batches of DEFINITION (`version: relay/v1`) in the order of their numbers, each once.

    What is not signed with the channel's key, or of another topic, is set aside and never applied.
    """
    side = _Side("inner", definition, config)
    if dry_run:
        side.output.line(f"{side.model.name}: would take {', '.join(side.model.topics)}")
        return
    from connectors import Landing, secret_of
    from connectors.relay import InnerWriter, Receiver

    bootstrap, (forward, back) = bootstrap_of(side.settings), side.model.boxes(definition.parent)
    receiver = Receiver(
        side.model.name, side.state, forward, back, topics=frozenset(side.model.topics),
        secret=secret_of(side.model.key), clock=time.time,
    )  # fmt: skip
    with closing(receiver), Landing(bootstrap) as landing:
        log = side.log(landing)
        with InnerWriter(bootstrap, landing, side.model.name, partitions=side.settings.partitions) as inner:
            lag_s, is_told = 0.0, False

            def turn() -> None:
                nonlocal lag_s, is_told
                received = receiver.receive(inner)
                if not inner.is_exact and not is_told:
                    side.output.warn(_NOT_EXACT)
                    is_told = True
                for applied in received:
                    lag_s = applied.lag_s if applied.rows else lag_s
                    log.done(applied)
                landing.settle()
                side.show(
                    number=receiver.last_number, lag_s=round(lag_s, 1), silence_s=round(receiver.silence_s(), 1),
                    missing=bool(receiver.gap()), refused=receiver.refused,
                )  # fmt: skip

            side.run(turn, once=once)


@command(name="status", short_help="Show how the channels of this machine stand.")
@settings_option
@output_option
def status(*, config: Path | None, form: str) -> None:
    """Show per channel and side what waits, how long the oldest entry has waited, and how long the link is silent."""
    from stagewatch.output import Output

    output = Output(is_json=form == "json")
    settings = settings_from(config, output)
    columns = [
        "channel", "side", "seen_s_ago", "lag_s", "waiting", "rows", "silence_s", "missing", "refused",
        "withheld", "deleted", "error",
    ]  # fmt: skip
    rows: list[list[Value]] = []
    for path in sorted((settings.data_dir / FOLDER).glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        found["seen_s_ago"] = round(time.time() - found["at"], 1)
        rows.append([found.get(column) for column in columns])
    output.table(columns, rows, empty="no channel has run here")


class _Side:
    """One side of a channel: its definition, where its state is, and how its turns are run and shown."""

    def __init__(self, name: str, definition: Path, config: Path | None) -> None:
        from connectors import load_sources
        from connectors.relay import load_relay
        from stagewatch.output import Output

        self.output = Output()
        self.settings: Settings = settings_from(config, self.output)
        self._catalog = load_sources(list(self.settings.sources), self.settings.dialect_overrides)
        self.model: RelayModel = load_relay(definition, self._catalog.mappings)
        self.outward = self.model.outward(self._catalog.mappings)
        self._name, self._shown = name, dict[str, Any]()
        folder = self.settings.data_dir / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        self.state = folder / f"{self.model.name}.{name}.db"
        self._status = folder / f"{self.model.name}.{name}.json"

    def log(self, landing: Landing) -> CrossingLog:
        """Give the exchange log of this side. Raises Failed if no source declares it."""
        from connectors.relay import CrossingLog

        mapping = self._catalog.mapping_for(LOG_TABLE)
        if mapping is None:
            raise Failed(f"no source declares {LOG_TABLE}, where hand-overs are logged")
        ends = self.model.from_sys, self.model.to_sys
        return CrossingLog(self.model.name, mapping, landing, ends=ends, clock=time.time)

    def run(self, turn: Callable[[], None], *, once: bool) -> None:
        """Turn on and on until the process is ended; a link or a broker that is away is waited for."""
        from schemas import TryLater

        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        if not once:
            self.output.say(f"ready: {self._name} side of {self.model.name}")
        while not ended.is_set():
            try:
                turn()
            except (TryLater, OSError) as error:
                if once:
                    raise
                if self._shown.get("error") is None:
                    self.output.warn(str(error))
                self._write({**self._shown, "error": str(error)})
                ended.wait(RETRY_S)
            if once:
                return
            ended.wait(POLL_S)

    def show(self, **values: Value) -> None:
        """Write down how this side stands, for `relay status`."""
        self._write({**values, "error": None})

    def _write(self, values: dict[str, Any]) -> None:
        self._shown = values
        text = json.dumps({"channel": self.model.name, "side": self._name, "at": time.time(), **values})
        beside = self._status.with_suffix(".tmp")
        beside.write_text(text, encoding="utf-8")
        beside.replace(self._status)
