"""Where an HTTP gateway calls us: `POST /inbound` with what people wrote, `POST /reports` with what became of SMS.

One object or an array of them, as JSON, with the account's own name and secret (Basic). 202 means that all of a request
is durable; with 503 nothing is promised, and the gateway sends it again: its ids make repeats harmless.
"""

import asyncio
import base64
import hmac
import logging
from collections.abc import Callable, Sequence
from urllib.parse import unquote, urlsplit

import msgspec
from aiohttp import web

from sinks.routing import mobile_digits
from sinks.sink import SinkSettingError
from sinks.sms.channel import Arrival, DeliveryReport, Inbound
from sinks.sms.wire import delivery_of

_log = logging.getLogger(__name__)
_WAIT_S = 10.0
"""For what came to be durable: HTTP clients give up after 30 s as a rule."""
_RETRY_S = 5
"""When to come again: a broker's restart takes about that."""
_MOST_BYTES = 1 << 20
_MOST = 500
"""Items of one request: half of what the worker has on its way to Kafka at once."""
_LONGEST = 255 * 67
_STATS = frozenset({"DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "REJECTD", "ACCEPTD", "ENROUTE", "UNKNOWN"})


class HttpDoor(msgspec.Struct, frozen=True, kw_only=True):
    """Where we listen, and what the gateway has to say to get in."""

    host: str
    port: int
    name: str
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"HttpDoor({self.host}, {self.port})"


class _Written(msgspec.Struct):
    """What somebody wrote."""

    id: str | int
    """The gateway's own for it, the same if it delivers it again."""
    mobile: str | int
    text: str
    to: str | int = ""

    def item(self) -> Inbound:
        """Raises ValueError, which holds no number."""
        digits = mobile_digits(str(self.mobile))
        if digits is None:
            raise ValueError("`mobile` is no number")
        if not str(self.id):
            raise ValueError("`id` is empty")
        if len(self.text) > _LONGEST:
            raise ValueError(f"`text` is longer than {_LONGEST} characters, the most that an SMS can have")
        return Inbound(carrier_id=str(self.id), mobile=digits, to=str(self.to), text=self.text)


class _Reported(msgspec.Struct):
    """What became of an SMS, by our id, or by the receipt that the gateway gave."""

    status: str
    msg_id: str = ""
    receipt: str | int = ""
    mobile: str | int = ""
    code: str = ""

    def item(self) -> DeliveryReport:
        """Raises ValueError."""
        status, receipt = self.status.strip().upper(), str(self.receipt)
        if status not in _STATS:
            raise ValueError(f"`status` is none of {', '.join(sorted(_STATS))}")
        if not (self.msg_id or receipt):
            raise ValueError("neither `msg_id` nor `receipt`")
        return DeliveryReport(
            carrier_id=receipt or self.msg_id, mobile=mobile_digits(str(self.mobile)) or "", msg_id=self.msg_id,
            delivery=delivery_of(status), stat=f"{status} {self.code}".strip(),
        )  # fmt: skip


class HttpListener:
    """The open port."""

    def __init__(self, door: HttpDoor, arrive: Callable[[Arrival], None], *, wait_s: float = _WAIT_S) -> None:
        """`arrive` takes what comes, and accepts it once it is durable."""
        self._door, self._arrive, self._wait_s = door, arrive, wait_s
        pair = f"{door.name}:{door.secret}".encode()
        self._key = b"Basic " + base64.b64encode(pair)
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """Where it is to listen, as the URL says it."""
        return f"{self._door.host}:{self._door.port}"

    @property
    def port(self) -> int:
        """Where it listens; 0: nowhere."""
        return int(self._runner.addresses[0][1]) if self._runner is not None and self._runner.addresses else 0

    async def open(self) -> None:
        """Begin to listen. Raises `OSError` if the port is taken."""
        if self._runner is not None:
            return
        application = web.Application(client_max_size=_MOST_BYTES)
        application.router.add_post("/inbound", self._inbound)
        application.router.add_post("/reports", self._reports)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)  # its URLs are nobody's business
        await runner.setup()
        try:
            await web.TCPSite(runner, self._door.host, self._door.port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def close(self) -> None:
        """Stop listening; what was not confirmed comes again. May be called twice and without `open`."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _inbound(self, request: web.Request) -> web.Response:
        return await self._take(request, _Written)

    async def _reports(self, request: web.Request) -> web.Response:
        return await self._take(request, _Reported)

    async def _take(self, request: web.Request, form: type[_Written] | type[_Reported]) -> web.Response:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, self._key):
            refused = "needs `Authorization: Basic` with the account's name and secret"
            return web.json_response({"error": refused}, status=401, headers={"WWW-Authenticate": "Basic"})
        try:
            items = _items_of(await request.read(), form)
        except web.HTTPRequestEntityTooLarge:
            return web.json_response({"error": f"more than {_MOST_BYTES} bytes"}, status=413)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        if await self._are_durable(items):
            return web.json_response({"accepted": len(items)}, status=202)
        _log.warning("an HTTP gateway has to come again: items=%d", len(items))
        return web.json_response(
            {"error": "not now; send it again"}, status=503, headers={"Retry-After": str(_RETRY_S)}
        )

    async def _are_durable(self, items: Sequence[Inbound | DeliveryReport]) -> bool:
        """Hand all in; whether all were accepted in time."""
        waiting = [asyncio.Event() for _ in items]
        for item, accepted in zip(items, waiting, strict=True):
            self._arrive(Arrival(item, accepted.set))
        try:
            async with asyncio.timeout(self._wait_s):
                for accepted in waiting:
                    await accepted.wait()
        except TimeoutError:
            return False
        return True


def http_door_of(url: str) -> tuple[str, HttpDoor | None]:
    """Give a gateway's URL, and where it may call us: `http://name:secret@gateway/send#listen=0.0.0.0:8290`.

    Raises:
        SinkSettingError: it asks for a port in words that are none, or has no name and secret to ask the caller for.
    """
    url, mark, fragment = url.partition("#")
    if not mark:
        return url, None
    name, _, address = fragment.partition("=")
    host, _, port = address.rpartition(":")
    if name != "listen" or not host or not (port.isascii() and port.isdigit()):
        raise SinkSettingError("sms_url: after # only listen=host:port is known")
    account = urlsplit(url)
    if not account.username or not account.password:
        raise SinkSettingError("sms_url: to listen it needs name:secret@ before the host, which callers have to show")
    secret = unquote(account.password)
    return url, HttpDoor(host=host, port=int(port), name=unquote(account.username), secret=secret)


def _items_of(body: bytes, form: type[_Written] | type[_Reported]) -> list[Inbound | DeliveryReport]:
    """Read a request. Raises ValueError, which names the place and shows no value."""
    try:
        told = msgspec.json.decode(body, type=list[form] | form)  # type: ignore[valid-type]  # the type is a value here
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not as expected: {str(error) or type(error).__name__}") from None
    rows = told if isinstance(told, list) else [told]
    if len(rows) > _MOST:
        raise ValueError(f"more than {_MOST} at once")
    items: list[Inbound | DeliveryReport] = []
    for number, row in enumerate(rows, 1):
        try:
            items.append(row.item())
        except ValueError as error:
            raise ValueError(f"item {number}: {error}") from None
    return items
