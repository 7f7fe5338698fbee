"""The push endpoint: a real HTTP server, the embedded broker, and what Kafka then holds."""

import asyncio
import hashlib
import json
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import aiohttp
import pytest
from aiohttp import web

from connectors.files import TopicLog
from connectors.landing import Landing
from connectors.web import Push, Rate, Repeats
from connectors.web.bodies import Refusal, checked, rows_of
from connectors.web.rows import Shape
from rules import Reference
from rules.engine.fusion import fuse_row, new_row
from schemas import Change, Decoder, decode_change, encode_change, read_origin
from stagewatch.embedded import EmbeddedBroker
from stagewatch.topic_reader import read_topic
from tests.helpers.decoding import catalog, mapping
from tests.helpers.ingesting import rows_in

TOPIC = "cdc.mkt.mkt_app"
ROW = {"app_no": "A1", "org_no": "3340101", "volt_class": "HV", "accepted_at": "2026-03-02T09:00:00+08:00"}
AT_S = 1_772_413_200.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker") / "broker.log") as broker:
        yield broker


@pytest.fixture
def token(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text("geheim\n", encoding="utf-8")
    return f"file:{path}"


@dataclass
class Answer:
    status: int
    body: dict[str, Any]
    headers: Any


@dataclass
class Endpoint:
    """A running endpoint and a client of it."""

    url: str
    session: aiohttp.ClientSession
    now: list[float] = field(default_factory=lambda: [AT_S])

    async def post(self, body: Any, table: str = "mkt/mkt_app", token: str = "geheim", **more: Any) -> Answer:
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        sent = {"data": body} if isinstance(body, bytes | str) else {"json": body}
        async with self.session.post(f"{self.url}/ingest/{table}", headers=headers, **sent, **more) as answer:
            return Answer(answer.status, await answer.json(), answer.headers)


Use = Callable[[Endpoint], Awaitable[None]]


@asynccontextmanager
async def served(folder: Path, bootstrap: str, token: str, **more: Any) -> AsyncIterator[Endpoint]:
    now = [AT_S]
    repeats = Repeats(folder / "push.db")
    landing = more.pop("landing", Landing)(bootstrap, wait_s=more.pop("wait_s", 10))
    push = Push(
        catalog().mappings, tokens={"mkt": token}, connect=lambda: landing,
        look_back=lambda mapping: TopicLog(bootstrap, mapping), repeats=repeats,
        rate=more.pop("rate", Rate(0)), max_bytes=more.pop("max_bytes", 2_000), clock=lambda: now[0],
    )  # fmt: skip
    runner = web.AppRunner(push.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Endpoint(f"http://127.0.0.1:{runner.addresses[0][1]}", session, now)
    finally:
        await runner.cleanup()
        repeats.close()


def in_kafka(broker: EmbeddedBroker, batch: str) -> list[tuple[str, str]]:
    """Row and operation of what a batch brought, as the table's decoder reads it."""
    decoder = Decoder(mapping(TOPIC))
    found: list[tuple[str, str]] = []
    for r in read_topic(broker.bootstrap, TOPIC):
        origin = read_origin(r.value or b"")
        if origin is None or origin.batch != batch:
            continue
        change = decoder.decode(
            key=r.key, value=r.value, timestamp=r.timestamp, topic=TOPIC, partition=r.partition, offset=r.offset
        )
        assert change is not None
        assert origin.src == "web"
        found.append((change.row, change.op))
    return found


def run(folder: Path, bootstrap: str, token: str, use: Use, **more: Any) -> None:
    async def all_of_it() -> None:
        async with served(folder, bootstrap, token, **more) as endpoint:
            await use(endpoint)

    asyncio.run(all_of_it())


def test_what_is_answered_with_202_is_in_kafka(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        answer = await push.post([ROW, {**ROW, "app_no": "A2"}, {"app_no": "A3", "_op": "d"}],
                                 headers={"Idempotency-Key": "k-202"})  # fmt: skip
        assert (answer.status, answer.body) == (202, {"accepted": 3})
        assert sorted(in_kafka(broker, "k-202")) == [("A1", "u"), ("A2", "u"), ("A3", "d")]

    run(tmp_path, broker.bootstrap, token, use)


def test_every_bad_field_is_named_and_nothing_is_taken(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        bad = {"accepted_at": "morgen", "source_count": "zwei", "_op": "x", "_src_ts": "gestern"}
        answer = await push.post([ROW, bad, 7], headers={"Idempotency-Key": "k-bad"})
        assert answer.status == 400
        places = {(fault["row"], fault["field"]) for fault in answer.body["faults"]}
        assert places == {
            (1, "accepted_at"), (1, "source_count"), (1, "_op"), (1, "_src_ts"), (1, "app_no"), (2, ""),
        }  # fmt: skip
        assert "morgen" not in str(answer.body)
        assert in_kafka(broker, "k-bad") == []

    run(tmp_path, broker.bootstrap, token, use)


def test_a_repeated_request_is_not_written_again(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        headers = {"Idempotency-Key": "k-twice"}
        assert (await push.post(ROW, headers=headers)).body == {"accepted": 1}
        push.now[0] += 60
        assert (await push.post(ROW, headers=headers)).body == {"accepted": 1, "repeated": True}
        assert (await push.post({**ROW, "org_no": "1"}, headers=headers)).status == 422
        assert in_kafka(broker, "k-twice") == [("A1", "u")]

    run(tmp_path, broker.bootstrap, token, use)

    async def after_a_restart(push: Endpoint) -> None:
        assert (await push.post(ROW, headers={"Idempotency-Key": "k-twice"})).body == {"accepted": 1, "repeated": True}

    run(tmp_path, broker.bootstrap, token, after_a_restart)


def test_who_may_not_is_told_nothing(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        answers = [
            await push.post(ROW, token="falsch"),
            await push.post(ROW, token=""),
            await push.post(ROW, table="lean/lean_prj"),  # another source's
            await push.post(ROW, table="nobody/nothing"),
        ]
        assert [answer.status for answer in answers] == [401] * 4
        assert len({str(answer.body) for answer in answers}) == 1
        assert "geheim" not in str(answers)

    run(tmp_path, broker.bootstrap, token, use)


def test_an_unknown_table_lists_the_known(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        answer = await push.post(ROW, table="mkt/mkt_ap")
        assert answer.status == 404
        assert "mkt_app" in answer.body["tables"]

    run(tmp_path, broker.bootstrap, token, use)


def test_what_is_no_json_or_too_big_is_refused(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        as_json = {"Content-Type": "application/json"}
        assert (await push.post("app_no\nA1", headers={"Content-Type": "text/csv"})).status == 415
        assert (await push.post("{oops", headers=as_json)).status == 400
        assert (await push.post("[]", headers=as_json)).status == 400
        assert (await push.post(b"\xff", headers=as_json)).status == 400
        assert (await push.post("[" * 1_900, headers=as_json)).status == 400
        assert (await push.post([ROW] * 100)).status == 413

    run(tmp_path, broker.bootstrap, token, use)


def test_who_sends_too_fast_is_told_when_to_come_again(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        statuses = [(await push.post([ROW] * 5)).status for _ in range(3)]
        assert statuses == [202, 202, 429]
        answer = await push.post([ROW] * 5)
        assert answer.headers["Retry-After"] == "5"
        push.now[0] += 5
        assert (await push.post([ROW] * 5)).status == 202

    run(tmp_path, broker.bootstrap, token, use, rate=Rate(1, burst_s=10))


def test_without_kafka_the_sender_is_told_to_come_again(tmp_path: Path, token: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{unused.getsockname()[1]}"

    async def use(push: Endpoint) -> None:
        answer = await push.post(ROW)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0

    run(tmp_path, nobody, token, use, wait_s=1)


def begun(folder: Path, key: str, body: bytes) -> None:
    """A server that died between `begin` and `end`: nobody knows which of the request's rows Kafka has."""
    repeats = Repeats(folder / "push.db")
    repeats.begin(f"{TOPIC} {key}", hashlib.sha256(body).hexdigest(), int(AT_S * 1000) - 5_000)
    repeats.close()


def test_a_repeat_counts_if_kafka_did_not_have_it_whatever_another_clock_says(
    broker: EmbeddedBroker, tmp_path: Path, token: str
) -> None:
    body = b'{"app_no":"R1","org_no":"A"}'
    begun(tmp_path, "k-died", body)

    async def use(push: Endpoint) -> None:
        push.now[0] += 60  # a node whose clock is ahead
        assert (await push.post({"app_no": "R1", "org_no": "B"})).status == 202
        push.now[0] -= 60
        headers = {"Idempotency-Key": "k-died", "Content-Type": "application/json"}
        assert (await push.post(body, headers=headers)).body == {"accepted": 1}
        assert (rows_in(broker.bootstrap)["R1"] or {})["org_no"] == "A"

    run(tmp_path, broker.bootstrap, token, use)


def test_of_a_repeat_only_what_kafka_does_not_have_is_written(
    broker: EmbeddedBroker, tmp_path: Path, token: str
) -> None:
    rows = [{"app_no": f"S{n}", "org_no": "A"} for n in range(3)]
    body = json.dumps(rows).encode()
    begun(tmp_path, "k-part", body)
    shape = Shape(mapping(TOPIC), "push")
    with Landing(broker.bootstrap) as landing:
        landing.make_topic(TOPIC, 1)
        landing.write(TOPIC, [shape.landed(rows[1], now_ms=int(AT_S * 1000), batch="k-part", number=2)])

    async def use(push: Endpoint) -> None:
        assert (await push.post({"app_no": "S1", "org_no": "B"})).status == 202
        headers = {"Idempotency-Key": "k-part", "Content-Type": "application/json"}
        assert (await push.post(body, headers=headers)).body == {"accepted": 3}
        assert sorted(in_kafka(broker, "k-part")) == [("S0", "u"), ("S1", "u"), ("S2", "u")], "each of them once"
        held = rows_in(broker.bootstrap)
        assert [(held[f"S{n}"] or {})["org_no"] for n in range(3)] == ["A", "B", "A"]

    run(tmp_path, broker.bootstrap, token, use)


def test_what_no_route_takes_is_answered_in_json_too(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        async with push.session.get(f"{push.url}/nowhere") as answer:
            assert (answer.status, "POST /ingest/" in (await answer.json())["error"]) == (404, True)
        async with push.session.get(f"{push.url}/ingest/mkt/mkt_app") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
            assert "no GET /ingest/mkt/mkt_app here" in (await answer.json())["error"]

    run(tmp_path, broker.bootstrap, token, use)


def test_columns_that_the_table_lacks_are_named_as_ignored(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        headers = {"Idempotency-Key": "k-ignored"}
        rows = [{**ROW, "nosuch": 1}, {"APP_NO": "A2", "neither": None}]
        assert (await push.post(rows, headers=headers)).body == {"accepted": 2, "ignored": ["neither", "nosuch"]}
        repeated = await push.post(rows, headers=headers)
        assert repeated.body == {"accepted": 2, "ignored": ["neither", "nosuch"], "repeated": True}

    run(tmp_path, broker.bootstrap, token, use)


def test_of_several_versions_of_a_row_the_last_one_holds(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        at = {"_src_ts": "2026-03-02T00:00:00Z"}
        assert (await push.post([{"app_no": "P1", "org_no": org} for org in "AB"])).status == 202
        assert (await push.post([{"app_no": "P2", "org_no": org, **at} for org in "AB"])).status == 202
        assert (await push.post({"app_no": "P2", "org_no": "C", **at})).status == 202
        rows = rows_in(broker.bootstrap)
        assert [(rows[key] or {})["org_no"] for key in ("P1", "P2")] == ["B", "C"]

    run(tmp_path, broker.bootstrap, token, use)


@pytest.mark.parametrize(
    ("src_ts", "why"),
    [
        ("4102444800000", "in the future"), ("1e30", "no epoch milliseconds"), ("1e400000", "no epoch milliseconds"),
        ("1e999999", "no epoch milliseconds"), ("1772413200", "is it in seconds?"), ('"2099-01-01"', "in the future"),
        ("true", "neither ISO 8601 nor"),
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_is_refused_at_once(
    broker: EmbeddedBroker, tmp_path: Path, token: str, src_ts: str, why: str
) -> None:
    async def use(push: Endpoint) -> None:
        as_json = {"Content-Type": "application/json"}
        began = time.monotonic()
        answer = await push.post(f'{{"app_no":"A1","_src_ts":{src_ts}}}', headers=as_json)
        assert time.monotonic() - began < 2, "1e400000 took six seconds to write out, and held up everybody"
        assert answer.status == 400
        (fault,) = answer.body["faults"]
        assert fault["field"] == "_src_ts"
        assert why in fault["error"]

    run(tmp_path, broker.bootstrap, token, use)


def test_a_column_that_is_named_twice_is_refused(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        answer = await push.post({"app_no": "A1", "APP_NO": "A2"})
        assert answer.status == 400
        assert [(f["field"], f["error"]) for f in answer.body["faults"]] == [
            ("app_no", "names a column that another field names"),
            ("APP_NO", "names a column that another field names"),
        ]

    run(tmp_path, broker.bootstrap, token, use)


@pytest.mark.parametrize("road", ["push", "pull"])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"1772413200000", 1_772_413_200_000), (b"1.7724132e12", 1_772_413_200_000),
        (b"1772413200", "too small for epoch milliseconds; is it in seconds?"),
        (b"1772413200000000", "no epoch milliseconds; is it in microseconds?"), (b"0", "too small"),
        (b"true", "true or false instead of a time"), (b'"1772413200000"', "not a date"),
    ],
)  # fmt: skip
def test_a_number_in_a_column_of_times_is_epoch_milliseconds_or_nothing(
    road: Any, said: bytes, told: int | str
) -> None:
    shape, now_ms = Shape(mapping(TOPIC), road), int(AT_S * 1000)
    for column, moment in (("accepted_at", 1_772_413_200_000), ("req_energise_at", 1_772_467_199_999)):
        (row,) = rows_of(b'{"app_no":"A1","%s":%s}' % (column.encode(), said))
        faults = shape.faults(row, now_ms=now_ms)
        if isinstance(told, str):
            assert [(fault.field, told in fault.what) for fault in faults] == [(column, True)]
            continue
        assert faults == []
        landed = shape.landed(row, now_ms=now_ms, batch="b")
        (change,) = Decoder(mapping(TOPIC)).decode_all(
            key=landed.key, value=landed.value, headers=landed.headers, timestamp=now_ms, topic=TOPIC, partition=0,
            offset=0,
        )  # fmt: skip
        assert [value for value in change.fields.values() if isinstance(value, int)] == [moment]


@pytest.mark.parametrize("said", ["2026-03-02", "2026-03-02Z", "2026-03-01", "2026-03-02+08:00"])
def test_a_row_dated_by_a_day_that_comes_again_is_a_repeat(said: str) -> None:
    shape, now = Shape(mapping(TOPIC), "pull"), int(AT_S * 1000)
    assert shape.faults({"app_no": "A1", "_src_ts": said}, now_ms=now) == []
    pulled = told_by(shape, 5, now, org_no="A", _src_ts=said)
    pushed = told_by(shape, 6, now + 300_000, org_no="B")
    again = told_by(shape, 7, now + 600_000, org_no="A", _src_ts=said)
    assert known_after(pulled, pushed, again) == "B"


@pytest.mark.parametrize(
    ("body", "field", "what"),
    [
        (b'{"app_no":true}', "app_no", "neither text nor a whole number"),
        (b'{"app_no":1e5}', "app_no", "neither text nor a whole number"),
        (b'{"app_no":" A1"}', "app_no", "begins or ends with a blank"),
        (b'{"app_no":"A1","_OP":"d"}', "_OP", "write _op"),
        (b'{"app_no":"A1","_Src_Ts":1772413200000}', "_Src_Ts", "write _src_ts"),
        (b'{"app_no":"A1","org_no":"1","org_no":"2"}', "org_no", "stands twice in the row"),
    ],
)
def test_what_could_mean_another_row_or_another_thing_is_refused_with_its_place(
    body: bytes, field: str, what: str
) -> None:
    whole = b'[{"app_no":"A0","org_no":"1"},%s]' % body
    with pytest.raises(Refusal) as refused:
        checked(Shape(mapping(TOPIC), "push"), rows_of(whole), whole, int(AT_S * 1000))
    (fault,) = cast("list[dict[str, Any]]", refused.value.body["faults"])
    assert (refused.value.status, fault["row"], fault["field"]) == (400, 1, field)
    assert what in fault["error"]


def test_a_key_that_is_a_whole_number_is_taken() -> None:
    (row,) = rows_of(b'{"app_no":332600000010}')
    assert Shape(mapping(TOPIC), "push").faults(row, now_ms=int(AT_S * 1000)) == []


def test_an_optional_instance_may_be_left_out() -> None:
    shape = Shape(mapping("cdc.mob.mob_task"), "push")
    row = {"task_no": "T1", "wo_no": "W1"}
    assert shape.faults(row, now_ms=int(AT_S * 1000)) == []
    assert shape.faults({"wo_no": "W1"}, now_ms=int(AT_S * 1000)) != []
    assert shape.faults({**row, "_op": "d"}, now_ms=int(AT_S * 1000)) != [], "whose row is deleted must be said"
    landed = shape.landed(row, now_ms=1, batch="")
    change = Decoder(mapping("cdc.mob.mob_task")).decode(
        key=landed.key, value=landed.value, headers=landed.headers, timestamp=0, topic="cdc.mob.mob_task", partition=0,
        offset=0,
    )  # fmt: skip
    assert change is not None
    assert change.row == "T1"


def told_by(shape: Shape, offset: int, at_ms: int, **row: Any) -> Change:
    """Give the change that a node whose clock says `at_ms` writes at this offset."""
    landed = shape.landed({"app_no": "A1", **row}, now_ms=at_ms, batch="b")
    change = Decoder(mapping(TOPIC)).decode(
        key=landed.key, value=landed.value, headers=landed.headers, timestamp=0, topic=TOPIC, partition=0, offset=offset
    )
    assert change is not None
    return decode_change(encode_change(change))


def known_after(*changes: Change) -> Any:
    """Give `org_no` of the row, which an application and reference data must agree about."""
    row, reference = new_row(changes[0]), Reference(frozenset({changes[0].entity}))
    reference.add(changes[0])
    for change in changes[1:]:
        fuse_row(row, change)
        reference.add(change)
    (found,) = {row.fields["org_no"], (reference.get(changes[0].entity, "A1", 1 << 60) or {})["org_no"]}
    return found


def test_without_a_time_of_their_own_rows_are_as_new_as_they_stand_in_the_log() -> None:
    shape, now = Shape(mapping(TOPIC), "push"), int(AT_S * 1000)
    first, second = told_by(shape, 5, now, org_no="1"), told_by(shape, 6, now - 200, org_no="2")
    third = told_by(shape, 7, now - 100, org_no="3")
    assert known_after(first, second) == "2", "the second came to a node whose clock is behind"
    assert known_after(first, second, third) == "3"
    assert known_after(first, second, first, second, third, second) == "3", "read again changes nothing"


def test_a_row_with_a_time_keeps_its_place_beside_those_without() -> None:
    shape, now = Shape(mapping(TOPIC), "push"), int(AT_S * 1000)
    timed = told_by(shape, 5, now, org_no="1", _src_ts=now)
    arrived = told_by(shape, 6, now - 200, org_no="2")
    older = told_by(shape, 7, now, org_no="3", _src_ts=now - 60_000)
    assert known_after(timed, arrived) == "2"
    assert known_after(timed, arrived, older) == "2"


def test_headers_that_are_no_text_are_refused(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        port = int(push.url.rpartition(":")[2])

        async def status(*headers: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = [b"POST /ingest/mkt/mkt_app HTTP/1.1", b"Host: x", b"Content-Type: application/json", *headers]
            writer.write(b"\r\n".join([*head, b"Content-Length: 15", b"", b'{"app_no":"A1"}']))
            line = await reader.readline()
            writer.close()
            return line.split()[1]

        assert await status(b"Authorization: Bearer \xff\xfe") == b"401"
        assert await status(b"Authorization: Bearer geheim", b"Idempotency-Key: \xff") == b"400"
        assert await status(b"Authorization: Bearer geheim", b"Idempotency-Key: ") == b"400"
        assert await status(b"Authorization: Bearer geheim", b"Idempotency-Key: " + b"k" * 201) == b"400"
        assert await status(b"Authorization: Bearer geheim", "Idempotency-Key: 单1".encode()) == b"202"

    run(tmp_path, broker.bootstrap, token, use)


def test_a_number_that_cannot_be_held_is_no_json(broker: EmbeddedBroker, tmp_path: Path, token: str) -> None:
    async def use(push: Endpoint) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await push.post('{"app_no":"A1","source_count":1e99999999999999999999}', headers=headers)
        assert (answer.status, answer.body["error"][:8]) == (400, "not JSON")

    run(tmp_path, broker.bootstrap, token, use)


def test_of_a_wrong_body_no_more_than_the_first_faults_are_looked_for(
    broker: EmbeddedBroker, tmp_path: Path, token: str
) -> None:
    async def use(push: Endpoint) -> None:
        answer = await push.post([{}] * 150)
        assert answer.status == 400
        assert answer.body["error"] == "more than 100 fields are wrong; nothing was taken"
        assert [fault["row"] for fault in answer.body["faults"]] == list(range(100))
        assert len((await push.post([{}] * 100)).body["faults"]) == 100

    run(tmp_path, broker.bootstrap, token, use)


def test_a_row_larger_than_a_record_is_named_and_not_asked_for_again(
    broker: EmbeddedBroker, tmp_path: Path, token: str
) -> None:
    async def use(push: Endpoint) -> None:
        answer = await push.post([ROW, {**ROW, "cust_name": "户" * 400_000}])
        (fault,) = answer.body["faults"]
        assert (answer.status, fault["row"], "a record holds 1000000" in fault["error"]) == (400, 1, True)
        assert (await push.post({**ROW, "cust_name": "户" * 300_000})).status == 202

    run(tmp_path, broker.bootstrap, token, use, max_bytes=4_000_000)


@pytest.mark.parametrize("item", [b"{}", b'{"a":{}}', b"[[]]", b"0.5"])
def test_a_body_of_very_many_values_is_refused_before_it_is_read(item: bytes) -> None:
    body = b"[" + b",".join([item] * 1_100_000) + b"]"
    tracemalloc.start()
    try:
        with pytest.raises(Refusal, match="more than 1000000 values"):
            rows_of(body)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


class Swallowing(Landing):
    """Takes everything at once, so that only our own work on the rows takes time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def make_topic(self, topic: str, partitions: int | None) -> bool:
        assert topic == TOPIC or partitions
        return False

    def write(self, topic: str, records: Sequence[tuple[bytes | None, bytes, Any]]) -> None:
        assert topic == TOPIC
        assert records


def test_while_a_long_body_is_checked_others_are_answered(tmp_path: Path, token: str) -> None:
    body = json.dumps([{**ROW, "app_no": f"A{n}"} for n in range(8_000)]).encode()

    async def use(push: Endpoint) -> None:
        long = asyncio.create_task(push.post(body, headers={"Content-Type": "application/json"}))
        answered = 0
        while not long.done():
            async with push.session.get(f"{push.url}/health") as answer:
                answered += answer.status == 200
        assert (await long).status == 202
        assert answered > 20, "while the body comes a few, and then none until all rows are checked and made"

    run(tmp_path, "nowhere:1", token, use, max_bytes=4_000_000, landing=Swallowing)
