"""S2-11 and R-T24: each hand-over has a number and an acknowledgement; a lost one goes again; a lag is told of.

Outside is the whole system with its worker, inside an embedded broker; between them a device that loses what it is
told to lose.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.server_process import ServerProcess
from schemas import read_origin
from stagewatch.topic_reader import read_topic
from tests.helpers.brokers import Broker, make_topics
from tests.helpers.whole_system import PATIENCE_S, WholeSystem, example
from tests.helpers.worker import STAGEWATCH

TOPIC, LOG = "cdc.ech.ech_msg", "cdc.xchg.xchg_log"
CHANNEL = "s211"
LATE_MS = 10 * 60_000
"""The entry was made so long ago: its crossing is late by both rungs of R-T24 (60 s, 300 s)."""


class LosingDevice:
    """Moves what lies on one side to the other; the first crossing each way is lost."""

    def __init__(self, outer: Path, inner: Path) -> None:
        self._ways = {outer / "forward": inner / "forward", inner / "back": outer / "back"}
        self.lost: dict[str, list[str]] = {"forward": [], "back": []}
        for folder in [*self._ways, *self._ways.values()]:
            folder.mkdir(parents=True)

    def carry(self) -> None:
        for source, target in self._ways.items():
            for path in sorted(source.glob("*.relay")):
                if not self.lost[source.name]:
                    self.lost[source.name].append(path.name)
                    path.unlink()
                else:
                    path.replace(target / path.name)


@contextmanager
def side(verb: str, folder: Path, broker: str) -> Iterator[None]:
    definition, log = folder / "relay.yaml", folder / f"{verb}.log"
    definition.write_text(
        f"version: relay/v1\nname: {CHANNEL}\ntopics: [{TOPIC}]\nkey: env:RELAY_KEY\nagain_after: 1s\n"
        "folder: {forward: forward, back: back}\nfrom_sys: SG186\nto_sys: stop-restore\n"
    )
    variables = [f"STAGEWATCH_BROKER={broker}", f"STAGEWATCH_DATA_DIR={folder / 'data'}", "RELAY_KEY=gemeinsam"]
    process = ServerProcess(
        ["env", *variables, str(STAGEWATCH), "relay", verb, str(definition)], log, lambda: "ready:" in log.read_text()
    )
    process.start()
    try:
        yield
    finally:
        process.kill()


def until(is_so: Callable[[], Any], device: LosingDevice | None = None) -> None:
    """Wait until it is so; with a device that works meanwhile."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if device is not None:
            device.carry()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def entries(bootstrap: str) -> list[str]:
    return [json.loads(record.value or b"{}")["after"]["msg_no"] for record in read_topic(bootstrap, TOPIC)]


def hand_overs(bootstrap: str) -> list[dict[str, Any]]:
    """What the exchange log says of the channel, in order."""
    rows = [json.loads(record.value or b"{}")["after"] for record in read_topic(bootstrap, LOG)]
    return [row for row in rows if row["msg_no"].startswith(CHANNEL)]


def test_s2_11_a_lost_hand_over_is_sent_again_and_acknowledged_and_its_lag_is_told_of(
    system: WholeSystem, tansu: Broker, tmp_path: Path
) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "inner"
    device = LosingDevice(outer, inner)
    make_topics(tansu.bootstrap, [TOPIC])
    entered = int(time.time() * 1000) - LATE_MS
    for n in range(3):
        value = {"op": "c", "after": example("ech", "ech_msg", msg_no=f"M{n}")}
        system.send(TOPIC, json.dumps(value, ensure_ascii=False).encode(), at=entered + n)
    system.settle()
    with side("send", outer, system.kafka.url), side("receive", inner, tansu.url):
        until(lambda: bool(hand_overs(system.bootstrap)))
        number = str(hand_overs(system.bootstrap)[0]["msg_no"])
        # Nothing crosses yet: the entries stand outside, and the lag is an alert.
        late = system.wait_for(number, lambda found: len(found["alerts"]) == 2)
        assert late["process"] == "network_crossing"
        assert late["fields"]["state"] in {"sent", "resent"}
        assert system.alerts(number) == [("R-T24", "ALARM"), ("R-T24", "WARN")]

        # The device takes the first batch, and the first acknowledgement, and neither arrives.
        until(lambda: all(row["state"] == "acked" for row in latest(system).values()), device)
    assert device.lost == {"forward": ["000000000001.relay"], "back": ["000000000001.relay"]}
    assert entries(tansu.bootstrap) == ["M0", "M1", "M2"]
    states = [row["state"] for row in hand_overs(system.bootstrap) if row["msg_no"] == number]
    assert (states[0], states[-1], set(states[1:-1])) == ("sent", "acked", {"resent"})
    # What is told later counts later, whichever clocks the times inside are of.
    told = [read_origin(r.value or b"") for r in read_topic(system.bootstrap, LOG) if number.encode() in (r.key or b"")]
    moments = [origin.src_ts for origin in told if origin is not None]
    assert len(moments) == len(states)
    assert moments == sorted(set(moments))
    last = latest(system)
    assert sum(row["rows"] for row in last.values()) == 3
    assert all(row["ack_at"] > row["sent_at"] for row in last.values())
    done = system.wait_for(number, lambda found: found["status"] == "over")
    assert done["fields"]["state"] == "acked"
    assert [each["open"] for each in done["alerts"]] == [False, False]


def latest(system: WholeSystem) -> dict[str, dict[str, Any]]:
    return {row["msg_no"]: row for row in hand_overs(system.bootstrap)}
