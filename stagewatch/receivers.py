"""A mail server and an SMS gateway that really receive: for the demo and for the tests.

Each runs in a thread of its own on 127.0.0.1 at a free port, keeps what it accepted, and can be told to
misbehave as real peers do. Never part of a worker.
"""

import asyncio
import email
import email.policy
import json
import re
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from email.message import EmailMessage
from enum import StrEnum
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

_ALERT_ID = re.compile(r'data-alert="([^"]*)"')
_START_S = 10  # binding a local port takes milliseconds
_T = TypeVar("_T")


class Fault(StrEnum):
    """How a receiver misbehaves from now on."""

    NONE = "none"
    REFUSE = "refuse"
    """Says that it will never take the message."""
    BUSY = "busy"
    """Asks to come again (SMS: in 7 s)."""
    HANG_BEFORE = "hang-before"
    """Stops answering before it took the message."""
    HANG = "hang"
    """Takes the message and never says so."""
    DIE_BEFORE = "die-before"
    """Closes the connection before it took the message."""
    DIE_AFTER_ACCEPT = "die-after-accept"
    """Takes the message and closes the connection without a word."""
    TWICE = "twice"
    """Takes the message and says so twice."""


BUSY_S = 7
"""What a busy SMS gateway asks for in Retry-After."""


class ReceivedMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that was accepted."""

    msg_id: str
    recipient: str
    subject: str
    text: str
    html: str
    alert_ids: tuple[str, ...]
    content: bytes = b""
    """As it came, with its headers and files."""


class ReceivedSms(msgspec.Struct, frozen=True, kw_only=True):
    """An SMS that was accepted."""

    msg_id: str
    mobile: str
    text: str


class _Receiver(Generic[_T]):
    """A server in a thread of its own, and what it accepted. Use as a context manager."""

    def __init__(self) -> None:
        self.fault = Fault.NONE
        self.refused = 0
        """How often it was asked and did not accept."""
        self.port = 0
        self._received: list[_T] = []
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=type(self).__name__, daemon=True)

    @property
    def received(self) -> list[_T]:
        """What was accepted so far, in order, repeats included."""
        with self._changed:
            return list(self._received)

    def wait_for(self, count: int, timeout_s: float) -> bool:
        """Wait until at least `count` were accepted; whether they were."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._received) >= count, timeout_s)

    def accept(self, message: _T) -> None:
        """Keep a message."""
        with self._changed:
            self._received.append(message)
            self._changed.notify_all()

    async def _serve(self) -> int:
        """Listen; the port."""
        raise NotImplementedError

    async def _stop(self) -> None:
        """Listen no more."""
        raise NotImplementedError

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - what the coroutine returns
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(_START_S)

    def __enter__(self) -> Self:
        """Start the thread; the port is known afterwards."""
        self._thread.start()
        self.port = self._run(self._serve())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, also in the middle of a hanging answer."""
        self._run(_cancel_all())
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_S)
        self._loop.close()


async def _cancel_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class SmtpReceiver(_Receiver[ReceivedMail]):
    """A mail server without TLS. With `login` = (user, password) it takes mail only after that login."""

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        super().__init__()
        self._login = login
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """For `smtp_url`."""
        login = f"{self._login[0]}:{self._login[1]}@" if self._login else ""
        return f"smtp://{login}127.0.0.1:{self.port}?from=stagewatch@example.com"

    async def _serve(self) -> int:
        options: dict[str, Any] = {"hostname": "receiver", "enable_SMTPUTF8": True, "loop": self._loop}
        if self._login is not None:
            options |= {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": False}
        self._server = await self._loop.create_server(lambda: SMTP(_SmtpHandler(self), **options), "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()

    def _authenticate(self, *arguments: object) -> AuthResult:
        given = arguments[-1]
        is_right = isinstance(given, LoginPassword) and (given.login.decode(), given.password.decode()) == self._login
        return AuthResult(success=is_right, handled=False)


class _SmtpHandler:
    """What aiosmtpd calls: the names of the methods are its own."""

    def __init__(self, receiver: SmtpReceiver) -> None:
        self._receiver = receiver

    async def handle_RCPT(  # noqa: N802 - see above
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = await self._misbehave(server, address)
        if answer is not None:
            self._receiver.refused += 1
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def _misbehave(self, server: SMTP, address: str) -> str | None:
        match self._receiver.fault:
            case Fault.REFUSE:
                return f"550 5.1.1 no such user {address}"  # it names the person, as real ones do
            case Fault.BUSY:
                return "451 4.3.2 try again later"
            case Fault.HANG_BEFORE:
                await asyncio.Event().wait()
            case Fault.DIE_BEFORE:
                _abort(server.transport)
            case _:
                return None
        return "421 closing"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - see above
        for recipient in envelope.rcpt_tos:
            self._receiver.accept(_read_mail(recipient, envelope.original_content or b""))
        match self._receiver.fault:
            case Fault.HANG:
                await asyncio.Event().wait()
            case Fault.DIE_AFTER_ACCEPT:
                _abort(server.transport)
            case Fault.TWICE:
                return "250 2.0.0 Ok: queued as T1\r\n250 2.0.0 Ok: queued as T1"
            case _:
                pass
        return f"250 2.0.0 Ok: queued as Q{len(self._receiver.received)}"


def _read_mail(recipient: str, content: bytes) -> ReceivedMail:
    mail = email.message_from_bytes(content, EmailMessage, policy=email.policy.default)
    html = _part(mail, "html")
    return ReceivedMail(
        msg_id=str(mail["Message-ID"] or "").strip("<>").partition("@")[0],
        recipient=recipient,
        subject=str(mail["Subject"] or ""),
        text=_part(mail, "plain"),
        html=html,
        alert_ids=tuple(_ALERT_ID.findall(html)),
        content=content,
    )


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


class SmsReceiver(_Receiver[ReceivedSms]):
    """An SMS gateway: POST {"msg_id", "mobile", "text"} as JSON; answers {"receipt": "sms-1"}."""

    def __init__(self) -> None:
        super().__init__()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """For `sms_url`."""
        return f"http://127.0.0.1:{self.port}/sms"

    async def _serve(self) -> int:
        app = web.Application()
        app.router.add_post("/sms", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        answer = await self._misbehave(request, str(body["mobile"]))
        if answer is not None:
            self.refused += 1
            return answer
        self.accept(ReceivedSms(msg_id=body["msg_id"], mobile=body["mobile"], text=body["text"]))
        match self.fault:
            case Fault.HANG:
                await asyncio.Event().wait()
            case Fault.DIE_AFTER_ACCEPT:
                _abort(request.transport)
            case Fault.TWICE if request.transport is not None:
                body_bytes = json.dumps({"receipt": "sms-twice"}).encode()
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                request.transport.write(head % len(body_bytes) + body_bytes)
            case _:
                pass
        return web.json_response({"receipt": f"sms-{len(self.received)}"})

    async def _misbehave(self, request: web.Request, mobile: str) -> web.Response | None:
        match self.fault:
            case Fault.REFUSE:
                # It names the person, as real ones do.
                return web.json_response({"error": f"blocked: {mobile}"}, status=400, reason=f"blocked {mobile}")
            case Fault.BUSY:
                return web.Response(status=503, headers={"Retry-After": str(BUSY_S)})
            case Fault.HANG_BEFORE:
                await asyncio.Event().wait()
            case Fault.DIE_BEFORE:
                _abort(request.transport)
            case _:
                return None
        return web.Response(status=500)


def _abort(transport: asyncio.BaseTransport | None) -> None:
    """Close a connection as a dying process does: at once, with nothing more said."""
    if isinstance(transport, asyncio.Transport):
        transport.abort()
