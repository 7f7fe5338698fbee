"""S1-12 and S2-11: entries cross between two networks, each with its own broker, through an isolation device.

Outside is real Kafka, inside the embedded broker; the device moves files between folders, and can be cut. Outside,
two web nodes behind a balancer take entries, and one of them is lost.
"""

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
from kafka import KafkaProducer

from bench.kafka_server import KafkaServer
from bench.server_process import ServerProcess
from stagewatch.topic_reader import read_topic
from tests.helpers.brokers import Broker, make_topics
from tests.helpers.ingesting import rows_in
from tests.helpers.worker import STAGEWATCH

TOPIC, LOG = "cdc.ech.ech_app", "cdc.xchg.xchg_log"
SECRET = "gemeinsam"
PATIENCE_S = 90.0
CUT_S = 3.0
"""How long the link must have been cut for both sides to say so."""


class Device:
    """Moves what lies on one side to the other, both ways, unless it is cut."""

    def __init__(self, outer: Path, inner: Path) -> None:
        self._ways = [(outer / "forward", inner / "forward"), (inner / "back", outer / "back")]
        for folder in (folder for way in self._ways for folder in way):
            folder.mkdir(parents=True)

    def carry(self) -> None:
        for source, target in self._ways:
            for path in sorted(source.glob("*.relay")):
                path.replace(target / path.name)


@contextmanager
def side(verb: str, folder: Path, broker: str) -> Iterator[ServerProcess]:
    """One side of the channel as a user starts it."""
    definition = folder / "relay.yaml"
    definition.write_text(
        f"version: relay/v1\nname: dmz\ntopics: [{TOPIC}]\nkey: env:RELAY_KEY\n"
        "folder: {forward: forward, back: back}\nfrom_sys: website\nto_sys: pre\n"
    )
    log = folder / f"{verb}.log"
    variables = [f"STAGEWATCH_BROKER={broker}", f"STAGEWATCH_DATA_DIR={folder / 'data'}", f"RELAY_KEY={SECRET}"]
    process = ServerProcess(
        ["env", *variables, str(STAGEWATCH), "relay", verb, str(definition)], log, lambda: "ready:" in log.read_text()
    )
    process.start()
    try:
        yield process
    finally:
        process.kill()


def enter(bootstrap: str, *numbers: int) -> None:
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for n in numbers:
        row = {"net_app_no": f"W{n}", "applicant": f"客户{n}"}
        value = {"op": "c", "after": row, "source": {"connector": "oracle", "commit_scn": str(1000 + n)}}
        producer.send(TOPIC, json.dumps(value).encode(), key=json.dumps({"net_app_no": f"W{n}"}).encode()).get(10)
    producer.close()


def inside(bootstrap: str, topic: str = TOPIC) -> list[dict[str, Any]]:
    return [json.loads(r.value or b"{}") for r in read_topic(bootstrap, topic)]


def numbers(bootstrap: str) -> list[str]:
    return [record["after"]["net_app_no"] for record in inside(bootstrap)]


def status(folder: Path, name: str) -> dict[str, Any]:
    """Give what a side says of itself; nothing before it has said anything."""
    path = folder / "data" / "relay" / f"dmz.{name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def until(is_so: Callable[[], Any], seen: Callable[[], object], device: Device | None = None) -> None:
    """Wait until it is so, while the device works; None: it is cut."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if device is not None:
            device.carry()
        assert time.monotonic() < deadline, seen()
        time.sleep(0.1)


def test_s1_12_three_entries_over_a_cut_link_arrive_once_in_order_and_the_lag_is_shown(
    own_kafka: KafkaServer, tansu: Broker, tmp_path: Path
) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "inner"
    device = Device(outer, inner)
    make_topics(own_kafka.bootstrap, [TOPIC])
    make_topics(tansu.bootstrap, [TOPIC])  # of one partition, so that its order can be seen
    outside, within = own_kafka.bootstrap, tansu.bootstrap

    def seen() -> object:
        return numbers(within), status(outer, "outer"), status(inner, "inner"), logged(outside)

    with side("receive", inner, tansu.url):
        with side("send", outer, own_kafka.url):
            enter(outside, 1)
            until(lambda: numbers(within) == ["W1"] and status(outer, "outer").get("waiting") == 0, seen, device)

            # The link is cut: three are entered, one sender dies on the way, and both sides show that it lags.
            enter(outside, 2)
            until(lambda: status(outer, "outer").get("rows") == 1, seen)
            enter(outside, 3)
            until(lambda: status(outer, "outer").get("rows") == 2, seen)
        with side("send", outer, own_kafka.url):
            enter(outside, 4)
            until(lambda: status(outer, "outer").get("rows") == 3 and status(outer, "outer")["lag_s"] >= CUT_S, seen)
            until(lambda: status(inner, "inner")["silence_s"] >= CUT_S, seen)
            assert numbers(within) == ["W1"]

            until(lambda: len(numbers(within)) >= 4 and status(outer, "outer")["waiting"] == 0, seen, device)
            until(lambda: status(outer, "outer")["lag_s"] == 0, seen)
            # S2-11: a message number and an acknowledgement for each.
            until(lambda: {row["state"] for row in logged(outside).values()} == {"acked"}, seen)
    assert numbers(within) == ["W1", "W2", "W3", "W4"]
    assert len(logged(outside)) >= 2
    assert sum(int(row["rows"]) for row in logged(outside).values()) == 4
    assert all(row["ack_at"] >= row["sent_at"] for row in logged(outside).values())


def logged(bootstrap: str) -> dict[str, dict[str, Any]]:
    """Give the hand-overs that are on record, each as it was told last."""
    return {record["after"]["msg_no"]: record["after"] for record in inside(bootstrap, LOG)}


ENTRIES, LOST_AT = 40, 20
TOKEN = "outside"


@contextmanager
def web_node(folder: Path, broker: str) -> Iterator[tuple[ServerProcess, int]]:
    """A node that takes entries, as a user starts it, and its port."""
    folder.mkdir()
    log = folder / "serve.log"
    variables = [
        f"STAGEWATCH_BROKER={broker}", f"STAGEWATCH_DATA_DIR={folder / 'data'}", f"ECH_TOKEN={TOKEN}",
        "STAGEWATCH_PUSH_TOKENS={ech: env:ECH_TOKEN}", "STAGEWATCH_PUSH_PORT=0", "STAGEWATCH_PUSH_HOST=127.0.0.1",
    ]  # fmt: skip
    process = ServerProcess(
        ["env", *variables, str(STAGEWATCH), "ingest", "serve"], log, lambda: "ready:" in log.read_text()
    )
    process.start()
    try:
        (port,) = re.findall(r"ready: http://[^:]+:([0-9]+)/", log.read_text())
        yield process, int(port)
    finally:
        process.kill()


class Balancer(ThreadingHTTPServer):
    """Gives requests to its nodes in turn, and to the next where one does not answer.

    The node that takes request `LOST_AT` dies when Kafka has the entry and before anybody has heard so.
    """

    def __init__(self, nodes: list[tuple[ServerProcess, int]]) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.nodes, self.taken, self.refused = nodes, 0, 0

    def forward(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes] | None:
        """Give a node's status and answer; None if it was lost on its way back."""
        for number in range(len(self.nodes)):
            process, port = self.nodes[(self.taken + number) % len(self.nodes)]
            node = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            try:
                node.request("POST", path, body, headers)
                answer = node.getresponse()
                found = answer.status, answer.read()
            except OSError:
                self.refused += 1
                continue
            finally:
                node.close()
            self.taken += 1
            if self.taken == LOST_AT:
                process.kill()
                return None
            return found
        return 503, b"{}"


class _Forward(BaseHTTPRequestHandler):
    server: Balancer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kept = {name: self.headers[name] for name in ("Authorization", "Content-Type", "Idempotency-Key")}
        answer = self.server.forward(self.path, kept, body)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def balancing(nodes: list[tuple[ServerProcess, int]]) -> Iterator[Balancer]:
    balancer = Balancer(nodes)
    thread = threading.Thread(target=balancer.serve_forever)
    thread.start()
    try:
        yield balancer
    finally:
        balancer.shutdown()
        thread.join()
        balancer.server_close()


def push_until_taken(url: str, number: int) -> int:
    """Enter one as a website does that repeats what nobody acknowledged; gives how often it had to."""
    row = {"net_app_no": f"W{number}", "applicant": f"客户{number}", "_src_ts": 1_772_413_200_000 + number}
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": f"entry-{number}"}
    for tries in range(20):
        try:
            answer = requests.post(f"{url}/ingest/ech/ech_app", json=row, headers=headers, timeout=PATIENCE_S)
        except requests.RequestException:
            continue
        if answer.status_code == requests.codes.accepted:
            return tries
        time.sleep(0.2)
    raise AssertionError(f"entry {number} was never taken")


def test_s1_12_a_web_node_that_is_lost_loses_no_entry_and_doubles_none(tansu: Broker, tmp_path: Path) -> None:
    make_topics(tansu.bootstrap, [TOPIC])
    with ExitStack() as stack:
        nodes = [stack.enter_context(web_node(tmp_path / name, tansu.url)) for name in ("a", "b")]
        balancer = stack.enter_context(balancing(nodes))
        url = f"http://127.0.0.1:{balancer.server_address[1]}"
        repeats = {number: push_until_taken(url, number) for number in range(ENTRIES)}
        assert [process.is_running for process, _ in nodes].count(False) == 1
    assert sum(repeats.values()) == 1, "the entry whose answer was lost was sent again"
    assert balancer.refused > 0, "the balancer went round the lost node"
    records = [(record.key, record.value) for record in read_topic(tansu.bootstrap, TOPIC)]
    assert len(records) == ENTRIES + 1, "that entry stands twice in the log"
    assert len(set(records)) == ENTRIES, "and both times as the same: a row at the same moment, which counts once"
    assert rows_in(tansu.bootstrap, TOPIC).keys() == {f"W{number}" for number in range(ENTRIES)}
