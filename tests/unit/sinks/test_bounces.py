"""Mails that came back: whose they are, why, and that nothing else is taken for one."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Channel
from sinks import Delivered, Refused, Result, Sink, build_sinks
from sinks.bounces import MailWithBounces, read_bounce
from sinks.sink import Message, Report
from tests.helpers.bounced import HEADERS_ONLY, OUT_OF_OFFICE, POSTFIX, bounced

ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (POSTFIX, "the mail came back: 5.1.1 550 5.1.1 <…>: no such user"),
        (HEADERS_ONLY, "the mail came back: 5.2.2 552 5.2.2 mailbox full"),
    ],
)
def test_a_mail_that_came_back_is_refused_with_the_reason_and_without_the_address(form: str, reason: str) -> None:
    found = read_bounce(bounced(form, ID))
    assert found is not None
    assert found.msg_id == ID
    assert isinstance(found.outcome, Refused)
    assert "p-1@example.com" not in found.outcome.reason
    assert found.outcome.reason.startswith(reason.partition("<")[0])


def test_a_notification_of_delivery_settles_as_delivered() -> None:
    found = read_bounce(bounced(POSTFIX, ID, "delivered"))
    assert found is not None
    assert isinstance(found.outcome, Delivered)


@pytest.mark.parametrize(
    "content",
    [
        bounced(POSTFIX, ID, "delayed"),
        bounced(POSTFIX, "somebody-elses"),
        bounced(OUT_OF_OFFICE, ID),
        b"",
        b"\xff\xfe\x00",
        bounced(POSTFIX, ID)[:400],
    ],
)
def test_delay_other_peoples_mail_and_no_notification_at_all_settle_nothing(content: bytes) -> None:
    assert read_bounce(content) is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 1500))
def test_no_bytes_break_the_reader(noise: bytes, place: int) -> None:
    whole = bounced(POSTFIX, ID)
    read_bounce(whole[:place] + noise + whole[place:])


class Quiet:
    """A mail sink that takes everything."""

    name = "quiet"
    channel: Channel = "mail"
    timeout_s = 1.0

    async def send(self, message: Message) -> Result:
        return Delivered("")

    async def close(self) -> None:
        """Nothing is open."""


async def heard(maildir: Path, *, now: float, takes: bool) -> list[str]:
    """Give whose bounces were told of until somebody took one, or it was told of twice, or it was put away."""
    found, ended = [], asyncio.Event()

    def listen(report: Report) -> None:
        found.append(report.msg_id)
        if takes:
            report.accept()
        if takes or len(found) == 2:
            ended.set()

    sink = MailWithBounces(Quiet(), maildir, poll_s=0.01, now=lambda: now)
    sink.on_report = listen
    while not ended.is_set() and (maildir / "new" / "1").exists():  # noqa: ASYNC110 - a folder has no events
        await asyncio.sleep(0.01)
    await sink.close()
    return found


def outcome(folder: Path, *, age_d: float, takes: bool) -> tuple[int, list[str], list[str]]:
    """Give how often a bounce of some age was told of, and what is in `new` and `cur` then."""
    (folder / "new").mkdir()
    path = folder / "new" / "1"
    path.write_bytes(bounced(POSTFIX, ID))
    told = asyncio.run(heard(folder, now=path.stat().st_mtime + age_d * 86_400, takes=takes))
    new, cur = ([each.name for each in (folder / name).iterdir()] for name in ("new", "cur"))
    return len(told), new, cur


def test_a_bounce_that_somebody_knows_is_put_away(tmp_path: Path) -> None:
    assert outcome(tmp_path, age_d=0, takes=True) == (1, [], ["1:2,S"])


def test_a_bounce_that_nobody_here_knows_stays_for_another_worker(tmp_path: Path) -> None:
    assert outcome(tmp_path, age_d=0, takes=False) == (2, ["1"], [])


def test_a_bounce_that_no_outbox_can_remember_is_put_away_unread(tmp_path: Path) -> None:
    assert outcome(tmp_path, age_d=8, takes=False) == (0, [], ["1:2,S"])


def test_a_folder_for_bounces_is_an_option_of_the_mail_servers_url(tmp_path: Path) -> None:
    async def made() -> Sink:
        sink = build_sinks(f"smtp://mx.example.com?from=a@example.com&bounces={tmp_path}", None)["mail"]
        await sink.close()
        return sink

    assert isinstance(asyncio.run(made()), MailWithBounces)
