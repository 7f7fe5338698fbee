"""Which sink serves which channel: the only module that imports a sink.

The alert topic and the indicator topic have none. `streams` writes them in the transaction of the state
they follow from; they need no outbox, for Kafka itself makes that write happen once.
"""

import sys
from typing import TextIO

from schemas.notice import Channel
from sinks.console import ConsoleSink
from sinks.mail_smtp import MailSettings, MailSink
from sinks.sink import Sink
from sinks.sms_http import SmsSink

_CONSOLE = "console:"


def build_sinks(
    smtp_url: str | None, sms_url: str | None, *, timeout_s: float = 10, stream: TextIO | None = None
) -> dict[Channel, Sink]:
    """The sinks that the settings name, by channel; a channel without a URL is absent.

    `timeout_s` bounds an SMS, and for a mail each of its two halves: up to the recipient, and the mail itself.
    Either URL may be `console:`, which shows messages on `stream` (default: stderr).

    Raises:
        SinkSettingError: a URL cannot be used.
    """
    sinks: dict[Channel, Sink] = {}
    if smtp_url:
        sinks["mail"] = (
            ConsoleSink("mail", stream or sys.stderr)
            if smtp_url == _CONSOLE
            else MailSink(MailSettings.of(smtp_url), connect_s=timeout_s, answer_s=timeout_s)
        )
    if sms_url:
        sinks["sms"] = (
            ConsoleSink("sms", stream or sys.stderr) if sms_url == _CONSOLE else SmsSink(sms_url, timeout_s=timeout_s)
        )
    return sinks
