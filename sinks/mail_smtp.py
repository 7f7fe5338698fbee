"""Hands mail to an SMTP server (RFC 5321) with aiosmtplib.

One connection per mail: digests are few, and a kept connection that the server has closed meanwhile
would turn into outcomes that nobody knows.
"""

import asyncio
import contextlib
import html
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import localtime
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import msgspec
from aiosmtplib import errors

from schemas.notice import Channel
from sinks.masking import masked
from sinks.sink import Delivered, Message, OutcomeUnknown, Refused, Result, RetryAfter, SinkSettingError

_PERMANENT = 500  # RFC 5321 section 4.2.1: 5yz says do not repeat the same
_LOGIN_DELAY_S = 300.0  # a wrong password is mended by a person


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an `smtp_url` says: `smtp[s]://[user:password@]host[:port][?from=a@b][&starttls=auto|yes|no][&bounces=DIR]`."""

    host: str
    port: int
    sender: str
    user: str | None
    password: str | None
    is_tls: bool
    starttls: Literal["auto", "yes", "no"]
    bounces: str
    """Maildir into which mails to the sender are put; empty: none is looked into."""

    def __repr__(self) -> str:
        """Without the password."""
        return f"MailSettings({self.host}:{self.port})"

    @classmethod
    def of(cls, url: str) -> "MailSettings":
        """Read the URL.

        Raises:
            SinkSettingError: it is not of that form.
        """
        try:
            parts = urlsplit(url)
            port, options = parts.port, parse_qs(parts.query, strict_parsing=bool(parts.query))
        except ValueError as error:
            raise SinkSettingError("smtp_url: not a URL") from error
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise SinkSettingError("smtp_url: expected smtp://host:port or smtps://host:port")
        if unknown := sorted(options.keys() - {"from", "starttls", "bounces"}):
            raise SinkSettingError(f"smtp_url: unknown option {', '.join(unknown)}; known: from, starttls, bounces")
        is_tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname,
            port=port or (465 if is_tls else 25),
            sender=_sender(options.get("from", [f"stagewatch@{parts.hostname}"])[-1]),
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            is_tls=is_tls,
            bounces=options.get("bounces", [""])[-1],
            starttls=_starttls(options.get("starttls", ["auto"])[-1]),
        )


def _sender(text: str) -> str:
    try:
        return Address(addr_spec=text).addr_spec
    except (ValueError, IndexError) as error:
        raise SinkSettingError("smtp_url: `from` is not a mail address") from error


def _starttls(text: str) -> Literal["auto", "yes", "no"]:
    match text:
        case "auto" | "yes" | "no":
            return text
        case _:
            raise SinkSettingError("smtp_url: starttls is auto, yes or no")


class MailSink:
    """A mail with a text and an HTML part. The `msg_id` becomes the Message-ID (RFC 5322 section 3.6.4)."""

    name = "mail-smtp"
    channel: Channel = "mail"

    def __init__(self, settings: MailSettings, *, connect_s: float = 10, answer_s: float = 30) -> None:
        """`connect_s` bounds everything up to the recipient, `answer_s` the mail itself and its answer.

        RFC 5321 section 4.5.3.2.6 would wait 10 minutes for that answer; a stopping worker cannot.
        """
        self._settings = settings
        self._connect_s = connect_s
        self._answer_s = answer_s
        self.timeout_s = connect_s + answer_s

    async def send(self, message: Message) -> Result:
        """Hand the mail to the server: 5yz is refused, 4yz and no server are for later."""
        client = self._client()
        try:
            failed = await self._begin(client, message)
            return failed if failed is not None else await self._transfer(client, message)
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.user,
            password=settings.password,
            use_tls=settings.is_tls,
            start_tls={"auto": None, "yes": True, "no": False}[settings.starttls] if not settings.is_tls else False,
            local_hostname="stagewatch",  # never the machine's name, and no look-up of it
            timeout=self._connect_s,
        )

    async def _begin(self, client: aiosmtplib.SMTP, message: Message) -> Result | None:
        """Everything before the mail itself; None: go on. Nothing that fails here has delivered anything."""
        try:
            async with asyncio.timeout(self._connect_s):
                await client.connect()
                await client.mail(self._settings.sender)
                await client.rcpt(message.address)
        except (errors.SMTPSenderRefused, errors.SMTPRecipientRefused) as error:
            return _answer(error)
        except errors.SMTPAuthenticationError as error:
            return RetryAfter(_LOGIN_DELAY_S, f"the mail server refuses the login: {error.code}")
        except errors.SMTPResponseException as error:
            return RetryAfter(0, f"the mail server is not ready: {error.code} {masked(error.message)}")
        except (errors.SMTPException, OSError) as error:  # a time-out is an OSError
            return RetryAfter(0, f"the mail server cannot be reached: {type(error).__name__}")
        except ValueError:
            return Refused("the address cannot be written in a command")
        return None

    async def _transfer(self, client: aiosmtplib.SMTP, message: Message) -> Result:
        content = self._content(message)
        try:
            async with asyncio.timeout(self._answer_s):
                response = await client.data(content, timeout=self._answer_s)
        except errors.SMTPDataError as error:
            return _answer(error)
        except (errors.SMTPException, OSError) as error:
            raise OutcomeUnknown(f"no answer to the mail: {type(error).__name__}") from None
        # The mail is the server's now: whatever happens while we say goodbye changes nothing.
        with contextlib.suppress(errors.SMTPException, OSError):
            await client.quit(timeout=1)
        return Delivered(" ".join(response.message.split())[:200])

    def _content(self, message: Message) -> bytes:
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = self._settings.sender
        mail["To"] = Address(display_name=message.recipient.name or "", addr_spec=message.address)
        mail["Subject"] = " ".join(message.subject.split())
        mail["Date"] = localtime()
        domain = self._settings.sender.rpartition("@")[2]  # of From, envelope and ids alike: DKIM and DMARC align
        mail["Message-ID"] = f"<{message.msg_id}@{domain}>"
        mail["List-Id"] = f"<{(message.topic or 'alerts').replace('_', '-')}.stagewatch.{domain}>"  # RFC 2919
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        # base64: Chinese text survives servers without 8BITMIME, and lines stay short.
        mail.set_content(message.text, cte="base64")
        mail.add_alternative(message.html or f"<p>{html.escape(message.text)}</p>", subtype="html", cte="base64")
        shown = mail.get_body(("html",))
        for part in message.parts:
            main, _, sub = part.kind.partition("/")
            if part.cid and shown is not None:
                shown.add_related(
                    part.data, main, sub, cid=f"<{part.cid}>", filename=part.name, disposition="inline"
                )  # fmt: skip
            else:
                mail.add_attachment(part.data, main, sub, filename=part.name)
        return mail.as_bytes()

    async def close(self) -> None:
        """Nothing to give back: each mail closes its own connection."""


def _answer(error: errors.SMTPResponseException) -> Refused | RetryAfter:
    reason = f"the mail server answers {error.code} {masked(error.message)}"
    return Refused(reason) if error.code >= _PERMANENT else RetryAfter(0, reason)
