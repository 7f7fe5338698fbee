"""A carrier's account as one URL, the form in which settings hold it, and the channel that comes of it.

`cmpp://901234:secret@gateway:7890?version=2&access=10690001&rate=100&signature=【业扩管控】`: user and password are
the account's, what follows is the query. `connect` is not called here.
"""

import time
from collections.abc import Callable
from typing import Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import msgspec

from sinks.sink import SinkSettingError
from sinks.sms.carrier import CarrierChannel, Habits
from sinks.sms.channel import SmsChannel
from sinks.sms.cmpp import Cmpp, CmppAccount
from sinks.sms.link import Pace
from sinks.sms.parts import LONGEST_SIGNATURE, Signature, units
from sinks.sms.sgip import Sgip, SgipAccount
from sinks.sms.sgip_channel import SgipChannel
from sinks.sms.sgip_listener import SgipDoor
from sinks.sms.smgp import Smgp, SmgpAccount
from sinks.sms.smpp import Smpp, SmppAccount
from sinks.sms.wire import Wire

PORTS = {"cmpp": 7890, "sgip": 8801, "smgp": 8890, "smpp": 2775}
"""The protocols, and where their gateways listen by specification (SMPP: by IANA)."""


class _Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may follow the question mark; every value is text in a URL."""

    access: str
    """The access number: what receivers see."""
    version: Literal[2, 3] = 2
    """CMPP."""
    service: str = ""
    system_type: str = ""
    """SMPP."""
    node: int = 0
    corp: str = ""
    listen: str = ""
    """SGIP: `host:port` at which the gateway calls; empty: it does not."""
    rate: float = 0.0
    burst: float = 1.0
    window: int = 16
    connections: int = 1
    answer_s: float = 60.0
    idle_s: float = 30.0
    wait_s: float = 5.0
    retry_s: float = 1.0
    signature: str = ""
    signature_place: Literal["head", "tail"] = "head"
    signature_by: Literal["us", "carrier"] = "us"


def channel_of(url: str, *, now: Callable[[], float] = time.time) -> SmsChannel:
    """The channel that a URL names. Call inside the running loop.

    Gateways that speak HTTP have sinks, which only the registry knows: it wraps them (`SinkChannel`).

    Raises:
        SinkSettingError: the URL cannot be used; the message holds no secret.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SinkSettingError("sms_url: not a URL") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise SinkSettingError(f"sms_url: expected {'://, '.join(PORTS)}:// and a host")
    query = _query(parts.query)
    wire = _wire(parts, query, now)
    pace = Pace(window=query.window, answer_s=query.answer_s, idle_s=query.idle_s, first_delay_s=query.retry_s)
    address = (parts.hostname, port or PORTS[parts.scheme])
    channel = CarrierChannel(wire, address, habits=_habits(query), pace=pace, now=now)
    if parts.scheme == "sgip" and query.listen:
        return SgipChannel(channel, wire, _door(parts, query))
    return channel


def _query(text: str) -> _Query:
    given = {key: values[-1] for key, values in parse_qs(text, keep_blank_values=True).items()}
    try:
        query = msgspec.convert(given, _Query, strict=False)
    except msgspec.ValidationError as error:
        raise SinkSettingError(f"sms_url: {error}") from None
    if (
        query.window < 1
        or query.connections < 1
        or query.rate < 0
        or min(query.answer_s, query.idle_s, query.retry_s) <= 0
    ):
        raise SinkSettingError(
            "sms_url: window, connections, answer_s, idle_s and retry_s must be above 0, rate not below"
        )
    return query


def _wire(parts: SplitResult, query: _Query, now: Callable[[], float]) -> Wire:
    name, secret, access = unquote(parts.username or ""), unquote(parts.password or ""), query.access
    match parts.scheme:
        case "cmpp":
            return Cmpp(
                CmppAccount(
                    sp_id=name, secret=secret, access_number=access, service_id=query.service, version=query.version
                ),
                now=now,
            )  # fmt: skip
        case "sgip":
            return Sgip(
                SgipAccount(
                    node=query.node, name=name, secret=secret, corp_id=query.corp, access_number=access,
                    service_type=query.service,
                ),
                now=now,
            )  # fmt: skip
        case "smgp":
            return Smgp(
                SmgpAccount(client_id=name, secret=secret, access_number=access, service_id=query.service), now=now
            )
        case _:
            return Smpp(SmppAccount(system_id=name, secret=secret, access_number=access, system_type=query.system_type))


def _habits(query: _Query) -> Habits:
    signature = Signature(text=query.signature, place=query.signature_place, by=query.signature_by)
    if units(signature.text) > LONGEST_SIGNATURE:
        raise SinkSettingError(f"sms_url: the signature is longer than {LONGEST_SIGNATURE} characters")
    return Habits(
        rate=query.rate, burst=query.burst, connections=query.connections, signature=signature, wait_s=query.wait_s
    )


def _door(parts: SplitResult, query: _Query) -> SgipDoor:
    host, _, port = query.listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()):
        raise SinkSettingError("sms_url: listen must be host:port")
    return SgipDoor(host=host, port=int(port), name=unquote(parts.username or ""), secret=unquote(parts.password or ""))
