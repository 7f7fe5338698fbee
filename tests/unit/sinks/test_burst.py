"""A burst of 50,000 alerts: one message per manager and window, or per manager and list item; nobody left out."""

import pytest

from schemas.notice import Notice, Recipient
from sinks import Delivered, Outbox, OutboxPolicy
from tests.helpers.notices import NOW, notice

ALERTS, MANAGERS = 50_000, 500
EACH = ALERTS // MANAGERS
SECOND, ROOM = 1000, 64


def burst() -> list[Notice]:
    """Alert n goes to manager n modulo 500; each tenth of a manager's alerts is about one list item."""
    people = [Recipient(no=f"M{number}", mobile=str(13_000_000_000 + number)) for number in range(MANAGERS)]
    return [
        notice(
            f"a{number}", recipient=people[number % MANAGERS],
            group=f"R-N04:NL{number // MANAGERS * 10 // EACH}", group_text="{count}户：{list}",
        )
        for number in range(ALERTS)
    ]  # fmt: skip


@pytest.mark.parametrize(("changes", "messages"), [({"gather_s": 60}, MANAGERS), ({"group_wait_s": 60}, MANAGERS * 10)])
def test_a_burst_becomes_one_message_per_manager_and_window_or_per_manager_and_item(
    changes: dict[str, float], messages: int
) -> None:
    outbox = Outbox(OutboxPolicy(channels=frozenset({"sms"}), **changes))  # type: ignore[arg-type]
    notices = burst()
    for number, each in enumerate(notices):  # a thousand a second: all within one window
        outbox.add(each, NOW + number)
    assert outbox.due(NOW + 59 * SECOND) == []
    told: list[str] = []
    count = 0
    while deliveries := outbox.due(NOW + 120 * SECOND, {"sms": ROOM}):
        for delivery in deliveries:
            assert len({each.recipient.no for each in delivery.notices}) == 1
            outbox.settle(delivery, Delivered("r"), NOW + 120 * SECOND)
            told += [each.key for each in delivery.notices]
        count += len(deliveries)
    assert count == messages
    assert sorted(told) == sorted(each.key for each in notices)


def test_what_comes_after_a_window_is_another_message() -> None:
    outbox = Outbox(OutboxPolicy(channels=frozenset({"sms"}), gather_s=60))
    for window in range(3):
        for number in range(10):
            outbox.add(notice(f"{window}-{number}"), NOW + (window * 100 + number) * SECOND)
        (message,) = outbox.due(NOW + (window * 100 + 60) * SECOND)
        assert len(message.notices) == 10


def test_a_manager_with_three_hundred_applications_below_one_item_gets_one_sms() -> None:
    outbox = Outbox(OutboxPolicy(channels=frozenset({"sms", "mail"}), mail_digest_s=2))
    for number in range(300):
        outbox.add(notice(f"a{number}", group="R-N04:NL1", group_text="{count}户：{list}"), NOW)
        outbox.add(notice(f"m{number}", channel="mail"), NOW)
    sizes = {
        channel: [len(each.notices) for each in outbox.due(NOW + 2 * SECOND, {channel: ROOM})]
        for channel in ("sms", "mail")
    }
    assert sizes == {"sms": [300], "mail": [200, 100]}  # of a mail only so long a table is read
