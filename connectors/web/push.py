"""`POST /ingest/<source>/<table>`: rows that another system pushes, as JSON.

Promises 202 only for what Kafka has. Every refusal says what is wrong with which field of which row, and nothing of a
request is written unless all of it can be. A request with an `Idempotency-Key` may be sent again: what of it stands in
the topic already, which after a 503 nobody knows, is looked for there, and only the rest is written.
"""

import asyncio
import hmac
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from connectors.files.topic_log import TopicLog
from connectors.landing import Landing
from connectors.references import MissingSecret, secret_of
from connectors.web.bodies import Checked, Refusal, checked, rows_of
from connectors.web.rate import Rate
from connectors.web.repeats import Repeats, Seen
from connectors.web.rows import Shape
from schemas import TableMapping, TryLater

RETRY_S = 5
"""After how long to try again while Kafka is away: a broker's restart takes about that."""
WRITTEN_AT_ONCE = 5_000
"""Rows of a request that are under way to Kafka: a few MB."""
CLOCKS_APART_MS = 300_000
"""Where the broker sets records' times: its clock and ours agree within five minutes."""
PUSHED = "stagewatch-push"
_MOST_KEY = 200
"""Characters of an `Idempotency-Key`: a UUID has 36; it stands in every record."""


@web.middleware
async def _in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what no route takes (404, 405) as every other refusal is answered."""
    try:
        return await handler(request)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
        said = f"no {request.method} {request.path} here; rows go to POST /ingest/<source>/<table>"
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return web.json_response({"error": said}, status=error.status, headers=allowed)


class Push:
    """The endpoint. `tokens`: source to a reference of its token; a source without one cannot push."""

    def __init__(  # noqa: PLR0913 - what it stands on
        self, mappings: Sequence[TableMapping], *, tokens: Mapping[str, str], connect: Callable[[], Landing],
        look_back: Callable[[TableMapping], TopicLog], repeats: Repeats, rate: Rate, max_bytes: int,
        partitions: int | None = None, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._shapes = {(mapping.source, mapping.table): Shape(mapping, "push") for mapping in mappings}
        self._tokens = {source.lower(): reference for source, reference in tokens.items()}
        self._connect, self._look_back, self._repeats, self._rate = connect, look_back, repeats, rate
        self._clock = clock
        self._max_bytes, self._partitions = max_bytes, partitions
        self._landing: Landing | None = None
        self._connecting = asyncio.Lock()
        self._under_way: set[str] = set()
        """Requests by their keys that are being written."""
        self._reading = asyncio.Lock()
        """One body at a time becomes rows: two would not be faster, and take twice the memory."""

    def application(self) -> web.Application:
        """Give the application that serves it."""
        application = web.Application(client_max_size=self._max_bytes, middlewares=[_in_json])
        application.router.add_post("/ingest/{source}/{table}", self._answer)
        application.router.add_get("/health", self._health)
        application.on_cleanup.append(self._close)
        return application

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "up"})

    async def _close(self, _application: web.Application) -> None:
        if self._landing is not None:
            landing, self._landing = self._landing, None
            await asyncio.to_thread(landing.__exit__, None, None, None)

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            return await self._take(request)
        except Refusal as refusal:
            return refusal.response()
        except TryLater as error:
            return Refusal(503, str(error), retry_s=RETRY_S).response()

    async def _take(self, request: web.Request) -> web.Response:
        source = request.match_info["source"].lower()
        self._authorise(request, source)
        shape = self._shape(source, request.match_info["table"].lower())
        if request.content_type != "application/json":
            raise Refusal(415, f"the body must be application/json, not {request.content_type}")
        repeat_key = _repeat_key(request)
        body = await self._body(request)
        async with self._reading:
            rows = await asyncio.to_thread(rows_of, body)
            wait_s = self._rate.take(source, len(rows), self._clock())
            if wait_s > 0:
                raise Refusal(429, f"more rows than {source} may send in a second; wait", retry_s=wait_s)
            taken = await asyncio.to_thread(checked, shape, rows, body, int(self._clock() * 1000))
        return await self._write(shape, taken, repeat_key)

    def _authorise(self, request: web.Request, source: str) -> None:
        """Compare the token of the source, in time that tells nothing. An unknown source is not told from a known."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        reference = self._tokens.get(source)
        try:
            expected = secret_of(reference) if reference else ""
        except MissingSecret as error:
            raise Refusal(503, f"the token of {source} cannot be read: {error}") from None
        is_right = hmac.compare_digest(_bytes(token.strip()), _bytes(expected))
        if scheme.lower() != "bearer" or not expected or not is_right:
            raise Refusal(401, "needs `Authorization: Bearer <the source's token>`")

    def _shape(self, source: str, table: str) -> Shape:
        shape = self._shapes.get((source, table))
        if shape is None:
            known = sorted(name for of, name in self._shapes if of == source)
            raise Refusal(404, f"no table '{table}' of {source}", tables=known)
        return shape

    async def _body(self, request: web.Request) -> bytes:
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise Refusal(413, f"more than {self._max_bytes} bytes; send fewer rows at once") from None

    async def _write(self, shape: Shape, taken: Checked, repeat_key: str | None) -> web.Response:
        accepted = {"accepted": len(taken.rows), **({"ignored": taken.ignored} if taken.ignored else {})}
        landing = await self._landed()
        await asyncio.to_thread(landing.make_topic, shape.topic, self._partitions)
        if repeat_key is None:
            await asyncio.to_thread(_land, landing, shape, taken, batch=taken.digest[:12])
        elif await self._write_once(landing, shape, taken, repeat_key):
            accepted["repeated"] = True
        return web.json_response(accepted, status=202)

    async def _write_once(self, landing: Landing, shape: Shape, taken: Checked, repeat_key: str) -> bool:
        """Write what of a request with a key does not stand in the topic yet; whether it had been taken before."""
        key = f"{shape.topic} {repeat_key}"
        if key in self._under_way:
            raise Refusal(503, "the first request of this Idempotency-Key is still under way", retry_s=RETRY_S)
        self._under_way.add(key)
        try:
            seen = self._repeats.begin(key, taken.digest, taken.now_ms)
            if seen.digest != taken.digest:
                raise Refusal(422, "this Idempotency-Key came with another body")
            if not seen.is_done:
                known = (
                    set[int]() if seen.is_first else await asyncio.to_thread(self._standing, shape, repeat_key, seen)
                )
                await asyncio.to_thread(_land, landing, shape, taken, batch=repeat_key, known=known)
                self._repeats.end(key)
        finally:
            self._under_way.discard(key)
        return seen.is_done

    def _standing(self, shape: Shape, batch: str, seen: Seen) -> set[int]:
        """Give the rows of a request, by their places in it, that stand in the topic. Raises TryLater."""
        with self._look_back(shape.mapping) as log:
            told = log.read(log.since(seen.src_ts - CLOCKS_APART_MS), lambda _done: None)
            origins = (each.origin for each in told if each.origin is not None)
            return {each.row_no for each in origins if (each.connector, each.batch) == (PUSHED, batch)}

    async def _landed(self) -> Landing:
        async with self._connecting:
            if self._landing is None:
                landing = self._connect()
                await asyncio.to_thread(landing.__enter__)
                self._landing = landing
            return self._landing


def _bytes(text: str) -> bytes:
    """Give what stood in a header, which may be no UTF-8."""
    return text.encode(errors="surrogateescape")


def _repeat_key(request: web.Request) -> str | None:
    """Give the request's `Idempotency-Key`. Raises Refusal for one that cannot stand in a record."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= _MOST_KEY and key.isprintable()):
        raise Refusal(400, f"Idempotency-Key must be 1 to {_MOST_KEY} printable characters in UTF-8")
    return key


def _land(landing: Landing, shape: Shape, taken: Checked, *, batch: str, known: Collection[int] = ()) -> None:
    """Write rows but for those that are known to stand, and return when Kafka has them all. Raises TryLater."""
    missing = [(number, row) for number, row in enumerate(taken.rows, start=1) if number not in known]
    for start in range(0, len(missing), WRITTEN_AT_ONCE):
        rows = missing[start : start + WRITTEN_AT_ONCE]
        landing.write(
            shape.topic, [shape.landed(row, now_ms=taken.now_ms, batch=batch, number=number) for number, row in rows]
        )
