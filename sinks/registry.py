"""Which sink serves which channel: the only module that imports a sink.

The alert topic and the indicator topic have none. `streams` writes them in the transaction of the state
they follow from; they need no outbox, for Kafka itself makes that write happen once.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TextIO

from schemas.notice import Channel
from sinks.bounces import MailWithBounces, read_bounce
from sinks.carriers import Carrier, CarrierBook, directory_of, prefixes_of
from sinks.console import ConsoleSink
from sinks.mail_smtp import MailSettings, MailSink
from sinks.sink import Bounce, Sink, SinkSettingError
from sinks.sms import SinkChannel, SmsChannel, channel_of, http_door_of
from sinks.sms_http import SmsSink
from sinks.sms_routes import OTHER, SmsRoutes

_CONSOLE = frozenset({"console", "console:"})
_PREFIXES = Path(__file__).parent / "number_prefixes.yaml"


def build_sinks(
    smtp_url: str | None, sms_url: str | None, *, timeout_s: float = 10, stream: TextIO | None = None
) -> dict[Channel, Sink]:
    """The sinks that the settings name, by channel; a channel without a URL is absent.

    `timeout_s` bounds an SMS, and for a mail each of its two halves: up to the recipient, and the mail itself.
    Either URL may be `console` or `console:`, which shows messages on `stream` (default: stderr).

    Raises:
        SinkSettingError: a URL cannot be used.
    """
    sinks: dict[Channel, Sink] = {}
    if smtp_url:
        sinks["mail"] = (
            ConsoleSink("mail", stream or sys.stderr)
            if smtp_url in _CONSOLE
            else _mail_sink(MailSettings.of(smtp_url), timeout_s)
        )
    if sms_url:
        sinks["sms"] = _sms_sink(sms_url, timeout_s, stream)
    return sinks


def _mail_sink(settings: MailSettings, timeout_s: float) -> Sink:
    sink = MailSink(settings, connect_s=timeout_s, answer_s=timeout_s)
    return MailWithBounces(sink, Path(settings.bounces)) if settings.bounces else sink


class SinkSettings(Protocol):
    """What the settings say of where messages leave."""

    @property
    def smtp_url(self) -> str | None:
        """Mail server."""

    @property
    def sms_url(self) -> str | None:
        """SMS gateway of all numbers, or of those whose carrier has no account."""

    @property
    def sms_carriers(self) -> Mapping[str, str]:
        """URL of an account by carrier."""

    @property
    def sms_directory(self) -> Path | None:
        """CSV of people's carriers."""


def sinks_for(settings: SinkSettings) -> dict[Channel, Sink]:
    """The sinks that the settings name, with routes between carriers if they name any. Call inside the running loop.

    Raises:
        SinkSettingError: a URL or the directory cannot be used.
    """
    if not settings.sms_carriers and "#" not in (settings.sms_url or ""):
        return build_sinks(settings.smtp_url, settings.sms_url)
    routes = build_routes(settings.sms_carriers, settings.sms_url, directory=settings.sms_directory)
    return build_sinks(settings.smtp_url, None) | {"sms": routes}


def bounce_of(mail: bytes) -> Bounce | None:
    """What a mail that came back says of a message of ours; None: nothing that is final."""
    return read_bounce(mail)


def build_routes(
    carriers: Mapping[str, str], sms_url: str | None, *, directory: Path | None = None, timeout_s: float = 10
) -> SmsRoutes:
    """The sink that sends each number over its carrier's account, open. Call inside the running loop.

    `carriers`: URL by carrier. `sms_url`: for numbers whose carrier is not among them; one of both. `directory`: CSV
    with the columns `mobile` and `carrier`, which is believed before anything else.

    Raises:
        SinkSettingError: a URL or the directory cannot be used.
    """
    book = CarrierBook(prefixes_of(_PREFIXES.read_text("utf-8"), _PREFIXES.name), _staff(directory))
    channels = {name: _channel(f"sms_carriers: {name}", url, timeout_s) for name, url in carriers.items()}
    if sms_url:
        channels[OTHER] = _channel("sms_url", sms_url, timeout_s)
    routes = SmsRoutes(channels, book)
    routes.open()
    return routes


def _sms_sink(url: str, timeout_s: float, stream: TextIO | None = None) -> Sink:
    return ConsoleSink("sms", stream or sys.stderr) if url in _CONSOLE else SmsSink(url, timeout_s=timeout_s)


def _channel(setting: str, url: str, timeout_s: float) -> SmsChannel:
    try:
        if url in _CONSOLE or url.startswith(("http://", "https://")):
            url, door = http_door_of(url)
            return SinkChannel(_sms_sink(url, timeout_s), door=door)
        return channel_of(url)
    except SinkSettingError as error:
        raise SinkSettingError(f"{setting}: {str(error).removeprefix('sms_url: ')}") from None


def _staff(directory: Path | None) -> dict[str, Carrier]:
    if directory is None:
        return {}
    try:
        return directory_of(directory.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SinkSettingError(f"sms_directory: cannot be read: {type(error).__name__}") from None
