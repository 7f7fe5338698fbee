from email.headerregistry import Address

import msgspec
import pytest

from schemas.notice import Recipient
from sinks import compose, masked, masked_address, sms_length, sms_parts
from sinks.routing import address_of
from sinks.wording import local_time, mail_html, mail_subject, mail_text
from tests.helpers.notices import MOBILE, NOW, SHANGHAI, delivery, message, notice

GROUP = {"group": "NL1", "group_text": "公变 T1 受限，涉及 {count} 户：{list}。"}


def test_a_single_notice_says_its_own_text() -> None:
    assert message(notice(**GROUP)).text == notice().text


def test_a_group_says_how_many_and_which() -> None:
    text = message(notice("a1", **GROUP), notice("a2", **GROUP), notice("a1", **GROUP)).text
    assert text == "公变 T1 受限，涉及 2 户：APP-a1、APP-a2。"


def test_a_group_names_each_task_by_its_number_and_every_instance_before_any_number() -> None:
    told = [msgspec.structs.replace(notice(f"a{n}", **GROUP), instance=f"33260000{n:04}") for n in range(20)]
    tasks = [msgspec.structs.replace(each, task=f"{n:08}") for n, each in enumerate(told)]
    assert "332600000000（00000000）、332600000001（00000001）。" in message(*tasks[:2]).text
    text = message(*tasks).text
    assert [each.instance for each in tasks if each.instance not in text] == []
    numbered = [each.task for each in tasks if f"{each.instance}（{each.task}）" in text]
    assert numbered == [each.task for each in tasks[: len(numbered)]]
    assert 5 < len(numbered) < 20
    assert len(sms_parts(text)) <= 6


def test_a_very_large_group_fits_into_six_parts_and_says_how_many_more_there_are_and_where() -> None:
    text = message(
        *[msgspec.structs.replace(notice(f"a{n}", **GROUP), instance=f"3326{n:08}") for n in range(150)]
    ).text
    assert "涉及 150 户" in text
    listed = text.count("、") + 1
    assert f"等（另{150 - listed}件见平台清单）。" in text
    assert listed >= 20
    assert len(sms_parts(text)) <= 6


def test_braces_in_a_name_are_just_braces() -> None:
    group = {"group": "g", "group_text": "{0.__class__} {count} {x}"}
    assert message(notice("a1", **group), notice("a2", **group)).text == "{0.__class__} 2 {x}"


def test_a_group_without_a_wording_says_each_text_once() -> None:
    assert message(notice("a1", text="甲"), notice("a2", text="乙"), notice("a3", text="甲")).text == "甲；乙"


def test_what_was_gathered_is_a_sentence_each_the_gravest_first_signed_once() -> None:
    told = [
        notice("a1", text="【江山供电】甲。"),
        notice("a2", **GROUP),
        notice("a3", **GROUP),
        notice("a4", text="【江山供电】丁。", severity="ALARM"),
    ]
    assert message(*told).text == "【江山供电】丁。；甲。；公变 T1 受限，涉及 2 户：APP-a2、APP-a3。"


def test_what_does_not_fit_into_six_parts_is_counted() -> None:
    text = message(*[notice(f"a{number:03}", text=f"{number:03}" + "文" * 57) for number in range(50)]).text
    assert text.startswith("000")
    assert text.endswith("；另有45条见平台清单")
    assert len(sms_parts(text)) == 5
    assert sms_length(text) + 34 <= 6 * 67, "with the longest signature, too"


def test_a_large_group_leaves_room_for_what_was_gathered_with_it() -> None:
    group = [msgspec.structs.replace(notice(f"a{n}", **GROUP), instance=f"3326{n:08}") for n in range(120)]
    text = message(*group, notice("b", text="乙")).text
    assert len(text) <= 402
    assert "涉及 120 户" in text
    assert "等（另" in text
    assert text.endswith("乙")
    assert len(text) > 200


def test_a_subject_counts_by_severity_the_gravest_first() -> None:
    severities = ["WARN"] * 5 + ["ALARM"] * 3 + ["CRITICAL", "ODD"]
    notices = [notice(f"a{number}", severity=severity) for number, severity in enumerate(severities)]
    assert mail_subject(notices) == "【业扩管控】1 条严重告警、3 条告警、5 条预警、1 条ODD待处理"


def test_a_mail_lists_the_gravest_and_most_urgent_first() -> None:
    rows = [
        notice("later", due_at=NOW + 9_000_000),
        notice("never", due_at=None),
        notice("soon"),
        notice("grave", severity="ALARM", is_late=True),
    ]
    html, text = mail_html(rows, SHANGHAI), mail_text(rows, SHANGHAI)
    order = sorted(("grave", "later", "soon", "never"), key=lambda alert: html.index(f'data-alert="{alert}"'))
    assert order == ["grave", "later", "soon", "never"]
    assert "（补发）" in html
    assert text.splitlines()[2].startswith("[告警]")


def test_markup_in_a_text_is_shown_and_not_obeyed() -> None:
    html = mail_html([notice(text="<script>alert(1)</script>", instance='"><b>')], SHANGHAI)
    assert "<script>" not in html
    assert "<b>" not in html


def test_the_end_of_a_day_is_shown_as_24_00() -> None:
    assert local_time(1_773_072_000_000, SHANGHAI) == "2026-03-09 24:00"
    assert local_time(NOW, SHANGHAI) == "2026-03-02 09:00"


@pytest.mark.parametrize("at", [-(10**18), 0, 10**18])
def test_an_impossible_time_is_shown_somehow(at: int) -> None:
    assert local_time(at, SHANGHAI)


def test_a_message_shows_neither_number_nor_address_when_printed() -> None:
    shown = repr(message(notice())) + repr(delivery(notice()))
    assert MOBILE not in shown
    assert message(notice()).address == MOBILE


@pytest.mark.parametrize(
    ("mobile", "address"),
    [
        ("13800138001", "13800138001"),
        (" +86 138-0013-8001 ", "13800138001"),
        ("008613800138001", "13800138001"),
        ("１３８００１３８００１", "13800138001"),
        ("+4915112345678", "4915112345678"),
        ("60001", "60001"),
        ("", None),
        ("1", None),
        ("13800138001\n13900139001", None),
        ("138x0013800", None),
        (None, None),
    ],
)
def test_a_mobile_number_is_brought_to_its_digits_or_is_none(mobile: str | None, address: str | None) -> None:
    assert address_of(notice(recipient=Recipient(no="1", mobile=mobile))) == address


@pytest.mark.parametrize("mail", ["", "a", "a@", "@b", "a b@c", "a@b\n", "a@b>,<c@d", "王@例.中国", "a@-", 'a"@b'])
def test_what_is_no_plain_mail_address_is_none(mail: str) -> None:
    address = address_of(notice(channel="mail", recipient=Recipient(no="1", mail=mail)))
    assert address in {None, "a@b"}  # a line end at the rim is trimmed
    if address is not None:
        assert Address(addr_spec=address).addr_spec == address


def test_reasons_are_masked_and_short() -> None:
    reason = masked(f"blocked {MOBILE}\r\n for wang@x.cn at http://u:secret@h/ " + "x" * 500)
    assert reason.startswith("blocked 138****01 for ***@*** at http://***@h/ xxx")
    assert len(reason) == 200
    assert masked_address("wang@x.cn") == "w***@x.cn"


def test_composing_twice_gives_the_same() -> None:
    both = [compose(delivery(notice(channel="mail")), SHANGHAI) for _ in range(2)]
    assert both[0] == both[1]
