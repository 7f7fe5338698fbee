"""Where an HTTP gateway calls us: who may, what is understood, and that 202 means durable."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sinks import SinkSettingError
from sinks.sms import Arrival, Delivery, DeliveryReport, Inbound, SinkChannel, http_door_of
from sinks.sms.http_door import HttpDoor, HttpListener
from sinks.sms_http import SmsSink

DOOR = HttpDoor(host="127.0.0.1", port=0, name="901234", secret="hunter2")
WRITTEN = {"id": "a-1", "mobile": "+86 139-0000-0001", "to": "10690001", "text": "投诉　电表"}
Answer = tuple[int, dict[str, Any]]
Post = Callable[..., Any]


@asynccontextmanager
async def listening(arrive: Callable[[Arrival], None]) -> AsyncIterator[Post]:
    listener = HttpListener(DOOR, arrive, wait_s=0.2)
    await listener.open()
    async with aiohttp.ClientSession() as session:

        async def post(path: str, body: Any, *, user: str = "901234:hunter2", raw: bytes | None = None) -> Answer:
            headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
            data = io.BytesIO(raw if raw is not None else json.dumps(body).encode())
            async with session.post(f"http://127.0.0.1:{listener.port}{path}", headers=headers, data=data) as response:
                return response.status, await response.json()

        yield post
    await listener.close()
    await listener.close()


def asked(*requests: tuple[str, Any], accepts: bool = True, **options: Any) -> tuple[list[Any], list[Answer]]:
    """Give what arrived and what was answered."""
    came: list[Any] = []

    def arrive(arrival: Arrival) -> None:
        came.append(arrival.item)
        if accepts:
            arrival.accept()
            arrival.accept()  # as a report that settles two messages is

    async def scenario() -> list[Answer]:
        async with listening(arrive) as post:
            return [await post(path, body, **options) for path, body in requests]

    return came, asyncio.run(scenario())


def test_one_text_or_several_arrive_as_a_carriers_do() -> None:
    came, answers = asked(("/inbound", WRITTEN), ("/inbound", [WRITTEN, {"id": 7, "mobile": 13900000002, "text": ""}]))
    first = Inbound(carrier_id="a-1", mobile="13900000001", to="10690001", text="投诉　电表")
    assert came == [first, first, Inbound(carrier_id="7", mobile="13900000002", to="", text="")]
    assert answers == [(202, {"accepted": 1}), (202, {"accepted": 2})]


def test_without_being_durable_in_time_nothing_is_promised() -> None:
    came, [(status, body)] = asked(("/inbound", WRITTEN), accepts=False)
    assert (len(came), status, "again" in body["error"]) == (1, 503, True)


@pytest.mark.parametrize("user", ["901234:wrong", "other:hunter2", "901234:"])
def test_who_does_not_know_the_accounts_secret_is_not_heard(user: str) -> None:
    came, [(status, _)] = asked(("/inbound", WRITTEN), user=user)
    assert (came, status) == ([], 401)


@pytest.mark.parametrize(
    ("path", "body", "fault"),
    [
        ("/inbound", {"mobile": "13900000001", "text": "x"}, "missing required field `id`"),
        ("/inbound", {**WRITTEN, "id": ""}, "item 1: `id` is empty"),
        ("/inbound", [WRITTEN, {**WRITTEN, "mobile": "13900000001x"}], "item 2: `mobile` is no number"),
        ("/inbound", {**WRITTEN, "text": "字" * 17_086}, "`text` is longer than 17085 characters"),
        ("/inbound", [WRITTEN] * 501, "more than 500 at once"),
        ("/reports", {"msg_id": "m", "status": "0"}, "item 1: `status` is none of"),
        ("/reports", {"status": "DELIVRD"}, "neither `msg_id` nor `receipt`"),
    ],
)
def test_what_is_not_understood_is_refused_whole_and_shows_no_number(path: str, body: Any, fault: str) -> None:
    came, [(status, answer)] = asked((path, body))
    assert (came, status) == ([], 400)
    assert fault in answer["error"]
    assert "139000" not in answer["error"]


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[" * 100_000, b'{"id":1,"mobile":"13900000001","text":"\\ud800"}'])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    came, [(status, _)] = asked(("/inbound", None), raw=raw)
    assert (came, status) == ([], 400)


def test_a_body_beyond_a_megabyte_is_refused() -> None:
    _, [(status, _)] = asked(("/inbound", None), raw=b" " * (1 << 20) + b"[]")
    assert status == 413


def test_reports_name_our_id_or_the_gateways_receipt() -> None:
    came, _ = asked(
        ("/reports", {"msg_id": "m1", "receipt": 17, "status": "delivrd", "mobile": "13900000001"}),
        ("/reports", [{"receipt": "r2", "status": "UNDELIV", "code": "MK:0001"}]),
    )
    assert came == [
        DeliveryReport(
            carrier_id="17", mobile="13900000001", msg_id="m1", delivery=Delivery.DELIVERED, stat="DELIVRD"
        ),
        DeliveryReport(carrier_id="r2", mobile="", delivery=Delivery.FAILED, stat="UNDELIV MK:0001"),
    ]  # fmt: skip


def test_a_door_is_named_behind_the_url_and_has_the_accounts_secret() -> None:
    url, door = http_door_of("https://901234:hunter%32@gateway/send?a=1#listen=0.0.0.0:8290")
    assert url == "https://901234:hunter%32@gateway/send?a=1"
    assert door == HttpDoor(host="0.0.0.0", port=8290, name="901234", secret="hunter2")
    assert "hunter2" not in repr(door)
    assert http_door_of("https://gateway/send") == ("https://gateway/send", None)


@pytest.mark.parametrize(
    "url",
    ["http://a:b@g/s#listen=8290", "http://a:b@g/s#port=1:2", "http://a:b@g/s#listen=h:x", "http://g/s#listen=h:1"],
)
def test_a_door_that_cannot_be_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(SinkSettingError, match=r"^sms_url: ") as found:
        http_door_of(url)
    assert "b@g" not in str(found.value)


def test_a_port_that_is_taken_is_told_and_does_not_keep_us_from_sending() -> None:
    async def scenario() -> None:
        first = SinkChannel(SmsSink("http://127.0.0.1:1/"), door=DOOR)
        await first.connect()
        taken = HttpDoor(host="127.0.0.1", port=first.port, name="901234", secret="hunter2")
        second = SinkChannel(SmsSink("http://127.0.0.1:1/"), door=taken)
        await second.connect()
        assert second.state.is_up
        assert second.state.fault == (
            f"cannot listen for the gateway on 127.0.0.1:{first.port}: Address already in use"
        )
        assert (first.state.fault, second.port) == ("", 0)
        await second.close()
        await first.close()

    asyncio.run(scenario())
