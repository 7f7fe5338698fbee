"""Mails that came back: delivery status notifications (RFC 3464) from the maildir of the address that mails come from.

The mail system puts them there; this reads them and says of which message of ours each is, and why. Whoever's message
it is takes it; what nobody here knows may be another worker's and waits, for as long as outboxes remember messages.
"""

import asyncio
import contextlib
import email
import email.policy
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage, Message
from functools import partial
from pathlib import Path

from schemas.notice import Channel
from sinks.masking import masked
from sinks.sink import Bounce, Delivered, Refused, Report, Result, Sink
from sinks.sink import Message as Sent

_log = logging.getLogger(__name__)
_OURS = re.compile(r"<([0-9a-f]{32})@[^<>@\s]+>")
_POLL_S = 5.0
"""Mail systems try for hours before they give up: nobody waits for the second."""
_KEEP_S = 7 * 86_400
"""As long as the outbox keeps what was sent: then nobody can know it any more."""
_LONGEST = 1 << 20
"""Bytes of a notification that are read: some carry the whole mail, and what is needed stands before it."""
_REASON = 300


def read_bounce(content: bytes) -> Bounce | None:
    """Give what a mail says of a message of ours; None: no notification, of none of ours, or of mere delay."""
    mail = email.message_from_bytes(content, EmailMessage, policy=email.policy.compat32)
    told = next((part for part in mail.walk() if part.get_content_type() == "message/delivery-status"), None)
    if told is None:
        return None
    found = _OURS.search("\n".join(_original_ids(mail)))
    for fields in _blocks(told):
        action = str(fields.get("Action", "")).strip().lower()
        if found is not None and action == "failed":
            return Bounce(found[1], Refused(_reason(fields)))
        if found is not None and action == "delivered":
            return Bounce(found[1], Delivered("delivery status notification"))
    return None


def _original_ids(mail: Message) -> Iterator[str]:
    """Give the Message-ID of the mail that came back, from its copy or its headers."""
    for part in mail.walk():
        if part is not mail and part["Message-ID"]:
            yield str(part["Message-ID"])
        if part.get_content_type() == "text/rfc822-headers":
            data = part.get_payload(decode=True)
            text = data if isinstance(data, bytes) else b""
            yield str(email.message_from_bytes(text, policy=email.policy.compat32)["Message-ID"] or "")


def _blocks(told: Message) -> list[Message]:
    """Give the fields per recipient: those after the first block, which is about the message (RFC 3464, 2.1)."""
    payload = told.get_payload()
    return [each for each in payload if isinstance(each, Message)][1:] if isinstance(payload, list) else []


def _reason(fields: Message) -> str:
    """Give why, without the address, which is a person's."""
    said = str(fields.get("Diagnostic-Code") or "").partition(";")[2] or str(fields.get("Diagnostic-Code") or "")
    status = str(fields.get("Status") or "")
    return masked(f"the mail came back: {' '.join(f'{status} {said}'.split())}"[:_REASON])


class MailWithBounces:
    """A mail sink that also hears of mails that came back. Make it in the running loop."""

    name = "mail-smtp"
    channel: Channel = "mail"

    def __init__(
        self, sink: Sink, maildir: Path, *, poll_s: float = _POLL_S, now: Callable[[], float] = time.time
    ) -> None:
        """`maildir`: the folder with `new` and `cur` in it; made if it is not there."""
        self._sink, self._maildir, self._poll_s, self._now = sink, maildir, poll_s, now
        self.timeout_s = sink.timeout_s
        self.on_report: Callable[[Report], None] = _drop
        self._task = asyncio.get_running_loop().create_task(self._run(), name="bounces")

    def road_of(self, address: str) -> str:  # noqa: ARG002 - the protocol's
        """All mail goes one way."""
        return "smtp"

    def roads_up(self) -> Mapping[str, bool]:
        """It is always open: a server that is away says so of each mail."""
        return {"smtp": True}

    def expect(self, message: Sent, receipt: str, at: int) -> None:
        """Nothing has to be remembered: a notification names the message."""

    async def send(self, message: Sent) -> Result:
        """Hand the mail to the server. Raises OutcomeUnknown."""
        return await self._sink.send(message)

    async def close(self) -> None:
        """Look no more, and close the sink below."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._sink.close()

    async def _run(self) -> None:
        while True:
            try:
                for path, bounce in await asyncio.to_thread(self._look):
                    report = Report(bounce.msg_id, bounce.outcome, partial(self._put_away, path), is_shared=True)
                    self.on_report(report)
            except OSError as error:  # a share that is away comes back
                _log.warning("bounces cannot be read: %s", type(error).__name__)
            await asyncio.sleep(self._poll_s)

    def _look(self) -> list[tuple[Path, Bounce]]:
        """Give what is new, and put away what nobody will ever take."""
        new = self._maildir / "new"
        for folder in ("new", "cur", "tmp"):
            (self._maildir / folder).mkdir(parents=True, exist_ok=True)
        found = []
        for path in sorted(new.iterdir()):
            with contextlib.suppress(FileNotFoundError):  # another worker was quicker
                with path.open("rb") as file:
                    bounce = read_bounce(file.read(_LONGEST))
                if bounce is None or path.stat().st_mtime < self._now() - _KEEP_S:
                    self._put_away(path)
                else:
                    found.append((path, bounce))
        return found

    def _put_away(self, path: Path) -> None:
        """Move a mail to where maildirs keep what was seen."""
        with contextlib.suppress(FileNotFoundError):
            path.rename(self._maildir / "cur" / f"{path.name.partition(':')[0]}:2,S")


def _drop(_report: Report) -> None:
    """Nobody listens yet: the mail stays where it is."""
