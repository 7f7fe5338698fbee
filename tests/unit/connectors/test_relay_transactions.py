"""A relay's transaction that has no end, and one that fails half-way: neither is waited for, nor gone on with."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaError, KafkaTimeoutError

from connectors.relay import transactions
from connectors.relay.transactions import Outgoing, Transactions


class Producer:
    """A client of a broker that is away from some moment on."""

    def __init__(self, *, commit: Callable[[], object], refuses_after: int = 9) -> None:
        self.commit_transaction, self._left = commit, refuses_after
        self.is_closed = threading.Event()

    def begin_transaction(self) -> None:
        """It takes note."""

    def abort_transaction(self) -> None:
        raise KafkaError("fenced")

    def send(self, *_what: object) -> Any:
        self._left -= 1
        error = self._left < 0

        def get(_timeout: float) -> Any:
            if error:
                raise KafkaError("refused")
            return SimpleNamespace(offset=0)

        return SimpleNamespace(get=get)

    def close(self, *, timeout: float) -> None:
        assert timeout
        self.is_closed.set()


def opened(producer: Producer) -> Transactions:
    found = Transactions("nowhere:1", "stagewatch.relay.dmz")
    found._producer = producer  # noqa: SLF001 - no broker here is away on demand
    return found


def test_a_commit_that_has_no_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "WAIT_S", 0.05)
    producer = Producer(commit=threading.Event().wait)
    writing = opened(producer)
    with pytest.raises(KafkaTimeoutError, match="no end of a transaction"):
        writing.write([Outgoing("t", b"k", b"v")])
    assert not writing.is_open, "whether it stands is asked of the broker"
    assert producer.is_closed.wait(10)


def test_nothing_is_committed_behind_a_record_that_was_refused() -> None:
    def commit() -> None:
        raise AssertionError("committed a part")

    producer = Producer(commit=commit, refuses_after=1)
    writing = opened(producer)
    with pytest.raises(KafkaError, match="refused"):
        writing.write([Outgoing("t", b"k", b"1"), Outgoing("t", b"k", b"2")])
    assert not writing.is_open
    assert producer.is_closed.wait(10)


def test_what_a_commit_says_is_raised() -> None:
    def commit() -> None:
        raise KafkaError("fenced")

    writing = opened(Producer(commit=commit))
    with pytest.raises(KafkaError, match="fenced"):
        writing.write([Outgoing("t", b"k", b"v")])
