"""Whatever is gathered: one SMS is never longer than it may be, and it settles every notice that it stands for."""

import re
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.notice import Notice
from sinks import Delivered, Delivery, Outbox, OutboxPolicy, State, compose, sms_parts
from sinks.sms import Signature
from tests.helpers.notices import NOW, SHANGHAI, notice

LETTERS = "文户1a、。【】{}\n\r\x00 😀👨\u200d👩\u0301\u093f\ud800🇨🇳"
words = st.text(st.sampled_from(LETTERS), max_size=60) | st.integers(0, 10**12).map(str)
long_words = st.builds(lambda text, times: text * times, words, st.sampled_from([1, 10, 40]))
SIGNATURES = [
    Signature(),
    Signature(text="【" + "省" * 32 + "】"),
    Signature(text="【" + "省" * 32 + "】", place="tail"),
    Signature(text="【" + "省" * 32 + "】", by="carrier"),
    Signature(text="【" + "省" * 32 + "】", by="carrier", place="tail"),
    Signature(text="【江山供电】"),
]


@dataclass(frozen=True)
class Cause:
    """Notices of one cause: how many, what they say one by one and together."""

    count: int
    text: str
    group: str | None
    group_text: str | None
    instance: str


causes = st.builds(
    Cause,
    count=st.integers(1, 12) | st.just(80),
    text=long_words,
    group=st.none() | st.sampled_from(["one", "two"]),
    group_text=st.none() | st.tuples(long_words, words).map("{count}户：{list}。".join),
    instance=words,
)


def notices_of(gathered: list[Cause]) -> list[Notice]:
    return [
        notice(
            f"{serial}-{number}", text=f"{each.text}{number % 7}", group=each.group, group_text=each.group_text,
            instance=f"{each.instance}{number}", severity=("WARN", "ALARM")[serial % 2],
        )
        for serial, each in enumerate(gathered)
        for number in range(each.count)
    ]  # fmt: skip


def only_delivery(notices: list[Notice]) -> tuple[Outbox, Delivery]:
    outbox = Outbox(OutboxPolicy(channels=frozenset({"sms"}), gather_s=60))
    for each in notices:
        outbox.add(each, NOW)
    (delivery,) = outbox.due(NOW + 60_000)
    return outbox, delivery


@settings(max_examples=40, deadline=None)
@given(gathered=st.lists(causes, min_size=1, max_size=5), most=st.integers(2, 12))
def test_an_sms_for_several_notices_is_bounded_and_settles_each_once(gathered: list[Cause], most: int) -> None:
    notices = notices_of(gathered)
    outbox, delivery = only_delivery(notices)
    text = compose(delivery, SHANGHAI, most_parts=most).text
    if len(notices) > 1:
        assert max(len(sms_parts(text, signature)) for signature in SIGNATURES) <= most
    outbox.settle(delivery, Delivered("r"), NOW + 60_000)
    assert sorted(each.key for each in delivery.notices) == sorted(each.key for each in notices)
    assert {outbox.state_of(each.key) for each in notices} == {State.DELIVERED}
    assert outbox.due(NOW + 10**9) == []


@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 600), width=st.integers(1, 20), most=st.integers(2, 12))
def test_of_a_list_every_item_is_named_or_counted(count: int, width: int, most: int) -> None:
    item = {"group": "NL1", "group_text": "【业扩管控】设备受限，{count}户：{list}。"}
    notices = [notice(f"a{number}", instance=f"{number:0{width}}", **item) for number in range(count)]
    text = compose(only_delivery(notices)[1], SHANGHAI, most_parts=most).text
    named = text.split("：")[1].split("等（")[0].rstrip("。").split("、")
    left = re.search(r"等（另(\d+)件见平台清单）", text)
    assert f"{count}户" in text
    assert len(named) + int(left[1] if left else 0) == count
    assert set(named) <= {each.instance for each in notices}


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(5, 200), min_size=2, max_size=40), most=st.integers(2, 12))
def test_of_what_was_gathered_every_notice_is_told_or_counted(lengths: list[int], most: int) -> None:
    notices = [notice(f"a{number:02}", text=f"{number:05}" + "文" * length) for number, length in enumerate(lengths)]
    told, *rest = compose(only_delivery(notices)[1], SHANGHAI, most_parts=most).text.split("；另有")
    left = int(rest[0].removesuffix("条见平台清单")) if rest else 0
    assert len(told.split("；")) + left == len(notices)
