"""What is written into Kafka: after an error nothing is under way any more, so that who looks sees what stands."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from connectors.landing import Landing
from connectors.relay import InnerWriter, RelayedRecord
from schemas import TryLater


@dataclass
class UnderWay:
    """A record on its way: known to have arrived or failed once it has been waited for."""

    fails: bool
    is_over: bool = False

    def get(self, _timeout: float) -> None:
        self.is_over = True
        if self.fails:
            raise KafkaTimeoutError("no answer")


@dataclass
class Producer:
    """A producer whose records fail as said; without more of them it takes none."""

    fails: list[bool]
    sent: list[UnderWay] = field(default_factory=list)

    def send(self, *_record: Any, **_how: Any) -> UnderWay:
        if len(self.sent) == len(self.fails):
            raise KafkaTimeoutError("no room")
        self.sent.append(UnderWay(self.fails[len(self.sent)]))
        return self.sent[-1]


def landing_on(producer: Producer) -> Landing:
    landing = Landing("nowhere:1", wait_s=0.1)
    landing._producer = producer  # noqa: SLF001 - a broker that answers one request and not the next
    return landing


def test_an_error_is_told_when_nothing_is_under_way_any_more() -> None:
    producer = Producer([True, False, True])
    landing = landing_on(producer)
    for _ in producer.fails:
        landing.put("cdc.x.t", b"k", b"v", [])
    with pytest.raises(TryLater, match="did not take the rows"):
        landing.settle()
    assert [sent.is_over for sent in producer.sent] == [True] * 3
    landing.settle()  # what failed was told


def test_a_relayed_batch_that_breaks_off_leaves_nothing_under_way() -> None:
    producer = Producer([False, False])
    writer = InnerWriter("nowhere:1", landing_on(producer), "dmz")
    with pytest.raises(TryLater, match="takes no records"):
        writer.write([RelayedRecord("cdc.x.t", 0, offset, 1, b"k", b"v") for offset in range(3)], {})
    assert [sent.is_over for sent in producer.sent] == [True, True]
