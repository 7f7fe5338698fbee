"""Who must have been told what: the recount's second half, down to single SMS and mails.

Knows the people from the generated world, not from the worker: the manager of a district, by SMS or, where the
district says `online`, by mail; the supervisor of a unit by mail (domain.md P08).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stagewatch.demo.recount import Firing, Key
from stagewatch.demo.source import Happening, Row
from stagewatch.demo.world import World
from stagewatch.receivers import ReceivedMail, ReceivedSms

TOLD_TO_SUPERVISOR = frozenset({"R-T14", "R-N06"})
ABOUT_AN_ITEM = "negative_list"
LISTED = re.compile(r"设备(?:公变|线路)(\w+)列入负面清单")
"""How the message about newly listed equipment begins; it may stand for many applications."""
_TO_ANSWER = re.compile(r"办结回\d{8}$")
"""What stands behind the sentence if the manager has a task of it."""
_APPLICATION = re.compile(r"(?<!\d)3326\d{8}(?!\d)")


class Message(NamedTuple):
    """One thing told to one address: an alert's row in a mail, or its sentence in an SMS."""

    channel: str
    address: str
    what: str


class FoundAlert(NamedTuple):
    """A `raised` event as it stands in the alert topic."""

    key: Key
    alert_id: str
    text: str
    object_no: str | None
    raised_at: int
    written_at: int
    """The record's own timestamp, epoch ms."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What must have been received, and what may have been: alerts of the moment in which the worker started."""

    must: Counter[Message]
    may: Counter[Message]

    def __add__(self, other: Expected) -> Expected:
        return Expected(self.must + other.must, self.may + other.may)


class Directory:
    """Finds the people who answer for an application or an item."""

    def __init__(self, world: World, happenings: Sequence[Happening]) -> None:
        self._mails = {str(row["mgr_no"]): str(row["mail"]) for row in world.managers}
        self._by_district = {str(row["tg_no"]): row for row in world.district_managers}
        self._on_line: dict[str, list[str]] = {}
        for row in world.districts:
            self._on_line.setdefault(str(row["line_no"]), []).append(str(row["tg_no"]))
        self._supervisors = {str(row["org_no"]): str(row["mail"]) for row in world.supervisors}
        self._rows: dict[str, Row] = {}
        for happening in happenings:
            for name in ("app_no", "nl_no"):
                if name in happening.row and "org_no" in happening.row:
                    self._rows[str(happening.row[name])] = happening.row

    def told(self, key: Key) -> Iterator[tuple[str, str]]:
        """Give channel and address of everybody who hears of an alert, each person once."""
        row = self._rows[key.instance]
        districts = self._on_line[str(row["line_no"])] if "tg_no" not in row else [str(row["tg_no"])]
        managers = {str(self._by_district[tg]["mgr_no"]): tg for tg in reversed(districts)}
        for tg_no in managers.values():
            yield self.manager(tg_no)
        if key.rule in TOLD_TO_SUPERVISOR:
            yield "mail", self._supervisors[str(row["org_no"])]

    def manager(self, tg_no: str) -> tuple[str, str]:
        """Give channel and address of a district's manager."""
        row = self._by_district[tg_no]
        is_mail = row["sup_method"] == "online"
        return ("mail", self._mails[str(row["mgr_no"])]) if is_mail else ("sms", str(row["mobile"]))

    def row(self, app_no: str) -> Row:
        """Give an application as it was told last."""
        return self._rows[app_no]


def expected_messages(
    firings: Mapping[Key, Firing], alerts: Mapping[Key, FoundAlert], directory: Directory, started: tuple[int, int]
) -> Expected:
    """Give what must and may have been received about the alerts that were found.

    `started` is the time in which the worker began (epoch ms, from, to): of what it learns from history it tells
    nothing whose deadline passed before it began (contract, section 7); what fell due in between may be told or not.
    """
    begun, ready = started
    must: Counter[Message] = Counter()
    may: Counter[Message] = Counter()
    for key, firing in firings.items():
        alert = alerts.get(key)
        until = max(firing.at, firing.matters_until)
        if alert is None or until < begun:
            continue
        for channel, address in directory.told(key):
            message = Message(channel, address, alert.alert_id if channel == "mail" else _sentence(alert))
            (must if until >= ready else may)[message] += 1
    return Expected(must, may)


def _sentence(alert: FoundAlert) -> str:
    if alert.key.rule == "R-N04":
        return f"{alert.object_no}:{alert.key.instance}"
    return alert.text


def received_messages(mails: Sequence[ReceivedMail], texts: Sequence[ReceivedSms]) -> Counter[Message]:
    """Give what was received, in the same terms."""
    received: Counter[Message] = Counter()
    for mail in mails:
        received.update(Message("mail", mail.recipient, alert_id) for alert_id in mail.alert_ids)
    for sms in texts:
        listed = LISTED.search(sms.text)
        sentence = _TO_ANSWER.sub("", sms.text)
        whats = [f"{listed[1]}:{no}" for no in _APPLICATION.findall(sms.text)] if listed else [sentence]
        received.update(Message("sms", sms.mobile, what) for what in whats)
    return received
