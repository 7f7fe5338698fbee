"""Hands SMS to an HTTP gateway: POST {"msg_id", "mobile", "text"} as JSON to `sms_url`.

2xx: taken over, the body may name a receipt. 408, 425, 429, 503: later. Other answers: refused. No answer to a request
that was written: unknown, and so is every other 5xx: a proxy's word that the gateway behind it did not answer, or the
word of a gateway that failed while it dealt with the SMS, which it may have taken.
"""

import asyncio
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from schemas.notice import Channel
from sinks.masking import masked
from sinks.sink import Delivered, Message, OutcomeUnknown, Refused, Result, RetryAfter, SinkSettingError

_LATER = frozenset({408, 425, 429, 503})
"""By these a gateway says that it has not dealt with the request."""
_SUCCESS, _REDIRECT, _SERVER_ERROR = 200, 300, 500
_MAX_ANSWER = 65_536  # bytes of the body that are read: a receipt is short
_RECEIPT_FIELDS = ("receipt", "receipt_id", "id", "msg_id")


class SmsSink:
    """One SMS per request, each on a connection of its own.

    A kept connection may have been closed by the gateway at the very moment it is used again; the request
    would count as written and the outcome as unknown. The peak is some 32 SMS a second (`domain.md` 6.5).
    """

    name = "sms-http"
    channel: Channel = "sms"

    def __init__(self, url: str, *, timeout_s: float = 10) -> None:
        """`timeout_s` bounds one request from connecting to the last byte of the answer.

        Raises:
            SinkSettingError: the URL is none of http or https.
        """
        try:
            parts = urlsplit(url)
            is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError as error:
            raise SinkSettingError("sms_url: not a URL") from error
        if not is_usable:
            raise SinkSettingError("sms_url: expected http://host:port/path or https://...")
        self._url = url
        self.timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: Message) -> Result:
        """Post one SMS and read the answer."""
        body = {"msg_id": message.msg_id, "mobile": message.address, "text": message.text}
        seen = SimpleNamespace(is_written=False, is_taken=False)
        try:
            async with asyncio.timeout(self.timeout_s):
                async with self._open().post(
                    self._url, json=body, allow_redirects=False, trace_request_ctx=seen
                ) as response:
                    seen.is_taken = _SUCCESS <= response.status < _REDIRECT
                    return Delivered(await _receipt(response)) if seen.is_taken else _failed(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a time-out is an OSError
            if seen.is_taken:  # the status said so; only its receipt did not come
                return Delivered("")
            # The name of the error only: its text may hold the URL, and with it a password.
            reason = f"the SMS gateway does not answer: {type(error).__name__}"
            if seen.is_written:
                raise OutcomeUnknown(reason) from None
            return RetryAfter(0, reason)

    def _open(self) -> aiohttp.ClientSession:
        """The session, made inside the running loop at the first message."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0),  # the pipeline bounds concurrency
                timeout=aiohttp.ClientTimeout(total=None),  # `send` bounds the whole
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[_written_trace()],
                json_serialize=lambda body: msgspec.json.encode(body).decode(),
            )
        return self._session

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()


def _written_trace() -> aiohttp.TraceConfig:
    """Notes in the request's context that its first bytes are about to leave."""

    async def note(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:  # noqa: ANN401 - aiohttp's own parameter objects
        context.trace_request_ctx.is_written = True

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(note)
    return trace


def _failed(response: aiohttp.ClientResponse) -> Refused | RetryAfter:
    status = response.status
    reason = f"the SMS gateway answers {status} {masked(response.reason or '')}".rstrip()
    if status in _LATER:
        return RetryAfter(_wish_s(response.headers.get("Retry-After", "")), reason)
    if status >= _SERVER_ERROR:
        raise OutcomeUnknown(reason)
    return Refused(reason)


async def _receipt(response: aiohttp.ClientResponse) -> str:
    """The gateway's name for the SMS; empty if it gives none that we understand."""
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER:
            return ""
    try:
        answer = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict):
        return ""
    found = next((answer[field] for field in _RECEIPT_FIELDS if isinstance(answer.get(field), str | int)), "")
    return str(found)[:64]


def _wish_s(header: str) -> float:
    """The seconds of a Retry-After header; its other form, a date, is for browsers and counts as none."""
    return float(header) if header.isascii() and header.isdigit() and len(header) < 10 else 0.0  # noqa: PLR2004 - 30 years
