"""What a sink's URL may say, and what the answers of an SMS gateway mean."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from sinks import Delivered, OutcomeUnknown, Refused, Result, RetryAfter, SinkSettingError, build_sinks
from sinks.mail_smtp import MailSettings
from tests.helpers.notices import message, notice

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def test_a_mail_url_says_all_that_is_needed() -> None:
    settings = MailSettings.of("smtp://us%40er:p%3Ass@mail.x.cn:2525?from=watch@x.cn&starttls=no")
    assert (settings.host, settings.port, settings.user, settings.password) == ("mail.x.cn", 2525, "us@er", "p:ss")
    assert (settings.sender, settings.starttls, settings.is_tls) == ("watch@x.cn", "no", False)
    assert "p:ss" not in repr(settings)


def test_a_mail_url_has_sensible_defaults() -> None:
    assert MailSettings.of("smtp://h").port == 25
    assert MailSettings.of("smtps://h").port == 465
    assert MailSettings.of("smtp://h").sender == "stagewatch@h"


@pytest.mark.parametrize(
    "url",
    ["x", "http://secret@h", "smtp://", "smtp://h:x", "smtp://h?to=a@b", "smtp://h?from=%0A", "smtp://h?starttls=1"],
)
def test_a_bad_mail_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SinkSettingError, match="smtp_url") as caught:
        build_sinks(url, None)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["x", "ftp://secret@h/", "http://", "http://h:99999/", "http://["])
def test_a_bad_sms_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SinkSettingError, match="sms_url") as caught:
        build_sinks(None, url)
    assert "secret" not in str(caught.value)


def test_a_channel_without_a_url_has_no_sink() -> None:
    assert build_sinks(None, "") == {}
    assert set(build_sinks("smtp://h", None)) == {"mail"}


ENDED = web.AppKey("ended", asyncio.Event)


def ask(handler: Handler) -> Result | str:
    return asyncio.run(_ask(handler))


async def _ask(handler: Handler) -> Result | str:
    app = web.Application()
    app[ENDED] = asyncio.Event()
    app.router.add_post("/", handler)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    sink = build_sinks(None, f"http://user:secret@{host}:{port}/?key=hidden", timeout_s=0.5)["sms"]
    try:
        return await sink.send(message(notice()))
    except OutcomeUnknown as error:
        return str(error)
    finally:
        app[ENDED].set()
        await sink.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        (429, "30", RetryAfter(30, "the SMS gateway answers 429 Too Many Requests")),
        (408, "", RetryAfter(0, "the SMS gateway answers 408 Request Timeout")),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", RetryAfter(0, "the SMS gateway answers 503 Service Unavailable")),
        (503, "-5", RetryAfter(0, "the SMS gateway answers 503 Service Unavailable")),
        (503, "9" * 400, RetryAfter(0, "the SMS gateway answers 503 Service Unavailable")),
        (500, "30", "the SMS gateway answers 500 Internal Server Error"),
        (502, "", "the SMS gateway answers 502 Bad Gateway"),
        (504, "", "the SMS gateway answers 504 Gateway Timeout"),
        (400, "", Refused("the SMS gateway answers 400 Bad Request")),
        (403, "", Refused("the SMS gateway answers 403 Forbidden")),
        (302, "", Refused("the SMS gateway answers 302 Found")),
    ],
)
def test_each_status_means_one_result(status: int, header: str, expected: Result | str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Retry-After": header, "Location": "http://127.0.0.1:1/"})

    assert ask(answer) == expected


@pytest.mark.parametrize(
    ("body", "receipt"),
    [(b'{"id": 17}', "17"), (b'{"receipt": "r"}', "r"), (b"OK", ""), (b"[1]", ""), (b"{}", ""), (b"x" * 100_000, "")],
)
def test_a_receipt_is_whatever_the_gateway_names_one(body: bytes, receipt: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=202, body=body)

    assert ask(answer) == Delivered(receipt)


def test_a_status_that_came_counts_even_if_its_body_never_ends() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"id":')
        await request.app[ENDED].wait()
        return response

    assert ask(answer) == Delivered("")


def test_a_login_in_the_url_becomes_a_header_and_the_body_is_as_agreed() -> None:
    seen: dict[str, object] = {}

    async def answer(request: web.Request) -> web.Response:
        seen.update({"login": request.headers["Authorization"], "body": await request.json()})
        return web.Response()

    ask(answer)
    sent = message(notice())
    assert str(seen["login"]).startswith("Basic ")
    assert seen["body"] == {"msg_id": sent.msg_id, "mobile": sent.address, "text": sent.text}
