"""The rule book in its topic, as the command line reads and writes it (`stagewatch rules diff|apply|rollback`).

Publishing is a conversation: a set is proposed, every worker of the group loads it and answers, and only when all
have accepted it comes into effect. One transactional id for all who publish: whoever comes later fences the one
before, so two changes can never mix.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from rules import (
    Answer,
    Choice,
    Definition,
    DefinitionSet,
    Ledger,
    Manifest,
    Vocabulary,
    decode_record,
    encode_record,
    read_definitions,
    with_files,
)
from schemas import BadInput, StagewatchError, TryLater
from stagewatch.settings import Settings
from stagewatch.topic_reader import TopicRecord, TopicTail

TOPIC = "stagewatch.definitions"
TRANSACTIONAL_ID = "stagewatch-definitions"
SEND_S = 30.0
POLL_MS = 100
HEARD_S = 8.0
"""Where the group's members are not told: a worker reads, loads and answers within a second or two."""


class Refused(StagewatchError):
    """A set did not come into effect; the one before stays."""


def take(ledger: Ledger, records: Iterable[TopicRecord]) -> None:
    """Put records into a ledger; what is none of ours is left out."""
    for record in records:
        if record.value is None:
            continue
        try:
            ledger.put(decode_record(record.value), record.timestamp)
        except BadInput:  # anybody may write into a topic
            continue


def read_ledger(bootstrap: str) -> Ledger:
    """Give all that was published. Raises TryLater."""
    ledger = Ledger()
    with TopicTail(bootstrap, TOPIC) as tail:
        take(ledger, tail.to_end())
    return ledger


def choice_of(settings: Settings) -> Choice:
    """Give what the settings choose among the definitions."""
    return Choice(limits=settings.limits, calendar=settings.calendar, orphan_after=settings.orphan_after)


def base_set(settings: Settings, ledger: Ledger) -> DefinitionSet:
    """Give what is judged by now: what is in effect, or the folders' own if nothing was ever published."""
    current = ledger.current
    return ledger.read(current.definitions) if current else read_definitions(settings.definitions)


def changed_set(
    settings: Settings, base: DefinitionSet, paths: Sequence[Path], vocabulary: Vocabulary | None
) -> DefinitionSet:
    """Give the set with the files at `paths` in place of those of the same kind and id; without paths the folders'."""
    return with_files(base, paths, vocabulary) if paths else read_definitions(settings.definitions, vocabulary)


# -- writing


class Publisher:
    """Writes into the topic. A context manager; whoever published before is fenced when it opens."""

    def __init__(self, bootstrap: str, application_id: str, wait_s: float, say: Callable[[str], None]) -> None:
        """Take where the broker is, the group whose workers must accept, how long to wait, and whom to tell."""
        self._bootstrap, self._group, self._wait_s, self._say = bootstrap, application_id, wait_s, say
        self._tail = TopicTail(bootstrap, TOPIC)
        self.ledger = Ledger()
        self._producer: Any = None  # kafka-python carries no types
        self._admin: Any = None
        self._is_exact = True
        self._asked_at = 0.0

    def __enter__(self) -> Self:
        """Connect, become the only one who publishes, and read what there is. Raises TryLater."""
        from kafka.admin import KafkaAdminClient
        from kafka.errors import KafkaError

        try:
            self._admin = KafkaAdminClient(bootstrap_servers=self._bootstrap.split(","))
            self._make_topic()
            self._producer = self._fenced_producer()
        except KafkaError as error:
            raise TryLater(f"cannot publish at {self._bootstrap}: {type(error).__name__}: {error}") from error
        self._tail.__enter__()
        take(self.ledger, self._tail.to_end())
        return self

    def _make_topic(self) -> None:
        """See that the topic is there, made as a worker makes it, before the first worker runs."""
        from kafka.admin import NewTopic
        from kafka.errors import TopicAlreadyExistsError

        if TOPIC in self._admin.list_topics():
            return
        topic = NewTopic(TOPIC, num_partitions=1, replication_factor=-1, topic_configs={"cleanup.policy": "compact"})
        try:
            self._admin.create_topics([topic])
        except TopicAlreadyExistsError:
            return

    def _fenced_producer(self) -> Any:  # noqa: ANN401 - kafka-python carries no types
        from kafka import KafkaProducer
        from kafka.errors import KafkaError, KafkaTimeoutError

        servers = self._bootstrap.split(",")
        producer = KafkaProducer(bootstrap_servers=servers, transactional_id=TRANSACTIONAL_ID, acks="all")
        try:
            producer.init_transactions()
        except KafkaTimeoutError:
            raise
        except KafkaError:
            producer.close(timeout=0)
            self._is_exact = False
            self._say("this broker has no transactions: see that nobody else publishes at the same time")
            return KafkaProducer(bootstrap_servers=servers, acks="all")
        return producer

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._tail.__exit__()
        for client in (self._producer, self._admin):
            if client is not None:
                client.close()

    def _write(self, records: Sequence[Definition | Manifest]) -> None:
        """Write all or nothing; the manifest is the last. Raises Refused if another has published meanwhile."""
        from kafka.errors import KafkaError, ProducerFencedError

        try:
            if self._is_exact:
                self._producer.begin_transaction()
            sent = [
                self._producer.send(TOPIC, encode_record(record), key=record.key.encode(), partition=0)
                for record in records
            ]
            self._producer.flush(SEND_S)
            for each in sent:
                each.get(SEND_S)
            if self._is_exact:
                self._producer.commit_transaction()
        except ProducerFencedError as error:
            raise Refused("somebody else publishes at the same time; look at `stagewatch rules versions`") from error
        except KafkaError as error:
            raise TryLater(f"could not publish: {type(error).__name__}: {error}") from error

    # -- the conversation

    def publish(self, manifest: Manifest, texts: Sequence[Definition]) -> list[Answer]:
        """Propose a set, have it accepted by all workers, and let it come into effect.

        Gives what the workers said when all their partitions judged by it, as far as they did in time. Raises Refused
        if one cannot load it or does not answer; the set is withdrawn then.
        """
        self._asked_at = time.monotonic()
        new = [text for text in texts if text.key not in self.ledger.texts]
        self._write([*new, self._stamped(manifest)])
        answers = self._until(lambda: self._outcome(manifest.serial))
        refusals = [each for each in answers if each.state == "refused"]
        lacking = self._members() - {each.worker for each in answers}
        if refusals or lacking:
            why = _why(refusals, lacking, self._wait_s)
            self._write([self._stamped(msgspec.structs.replace(manifest, state="withdrawn", note=why))])
            raise Refused(f"rules {manifest.serial} are withdrawn, what was in effect stays: {why}")
        self._say(f"accepted by {len(answers)} workers" if answers else "no worker runs; the next that starts takes it")
        self._write([self._stamped(msgspec.structs.replace(manifest, state="effective"))])
        if not answers:
            return []
        self._until(lambda: self._is_taken(manifest.serial))
        return [answer for answer in self._answers(manifest.serial) if answer.state == "taken"]

    def _is_taken(self, serial: int) -> bool:
        """Every worker that still lives has its partitions judge by the set."""
        answers, members = self._answers(serial), self._members()
        taken = {answer.worker for answer in answers if answer.state == "taken"}
        return len(taken) == len(answers) or (bool(members) and members <= taken)

    def _outcome(self, serial: int) -> bool:
        """All have answered, or one has refused."""
        answers = self._answers(serial)
        is_refused = any(answer.state == "refused" for answer in answers)
        return is_refused or self._members() <= {answer.worker for answer in answers}

    def _answers(self, serial: int) -> list[Answer]:
        """Give what workers said last of a set."""
        return list(self.ledger.answers.get(serial, {}).values())

    def _members(self) -> set[str]:
        """Give the client ids of the group's live members.

        The embedded broker describes its groups so that kafka-python does not understand it: there whoever answers
        counts, once all have had time for that.
        """
        try:
            described = self._admin.describe_groups([self._group])
        except ValueError:
            return set() if time.monotonic() - self._asked_at > HEARD_S else {"the workers"}
        return {member["client_id"] for group in described.values() for member in group["members"]}

    def _until(self, is_done: Callable[[], bool]) -> list[Answer]:
        """Read on until it is done or the wait is over; give all answers to the newest manifest."""
        deadline = time.monotonic() + self._wait_s
        take(self.ledger, self._tail.poll(POLL_MS))
        while not is_done() and time.monotonic() < deadline:
            take(self.ledger, self._tail.poll(POLL_MS))
        return self._answers(max(self.ledger.manifests))

    @staticmethod
    def _stamped(manifest: Manifest) -> Manifest:
        return msgspec.structs.replace(manifest, at=datetime.now(UTC).isoformat(timespec="milliseconds"))


def _why(refusals: Sequence[Answer], lacking: set[str], wait_s: float) -> str:
    if refusals:
        return f"{refusals[0].worker} cannot load it: {'; '.join(refusals[0].faults)}"
    return f"no answer within {wait_s:g} s from {', '.join(sorted(lacking))}"
