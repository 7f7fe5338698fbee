"""Which message a report is about, in every disorder."""

from itertools import permutations

import pytest

from sinks import Delivered, Refused, RetryAfter
from sinks.sms import Delivery, DeliveryReport, Fate, LateAnswer, Part, Reports, Submission
from sinks.sms.reports import KEEP_MS, Settled

MOBILE = "13800000001"
AT = 1_772_415_000_000


def submission(*ids: str, fate: Fate = Fate.TAKEN) -> Submission:
    parts = (
        Part(number=n, fate=fate if carrier_id else Fate.UNKNOWN, carrier_id=carrier_id)
        for n, carrier_id in enumerate(ids, 1)
    )
    return Submission(parts=tuple(parts))


def report(carrier_id: str, delivery: Delivery = Delivery.DELIVERED, submitted_at: int | None = AT) -> DeliveryReport:
    return DeliveryReport(
        carrier_id=carrier_id, mobile=MOBILE, delivery=delivery, stat=delivery.upper(), submitted_at=submitted_at
    )


def delivered(msg_id: str, receipt: str) -> list[Settled]:
    return [Settled(msg_id=msg_id, outcome=Delivered(receipt))]


@pytest.mark.parametrize("order", sorted(set(permutations(["answer", "a", "a", "b", "late"]))))
def test_reports_before_between_after_and_twice_settle_a_message_once(order: tuple[str, ...]) -> None:
    reports, settled = Reports(), list[Settled]()
    reports.begin(MOBILE)
    for step in order:
        match step:
            case "answer":
                settled += reports.submitted("m1", MOBILE, submission("a", "b"), AT)
            case "late":
                settled += reports.reported(report("b"), AT + 1)
            case _:
                settled += reports.reported(report(step), AT)
    assert settled == delivered("m1", "a,b")


def test_one_failed_part_fails_the_message_whatever_else_comes() -> None:
    reports = Reports()
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission("a", "b"), AT)
    (settled,) = reports.reported(report("b", Delivery.EXPIRED), AT)
    assert settled.outcome == Refused("delivery report: EXPIRED")
    assert reports.reported(report("a"), AT) == []


def test_what_is_not_final_settles_nothing() -> None:
    reports = Reports()
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission("a"), AT)
    assert reports.reported(report("a", Delivery.PENDING), AT) == []
    assert reports.reported(report("a"), AT) == delivered("m1", "a")


def test_after_a_restart_the_ids_are_told_again() -> None:
    reports = Reports()
    assert reports.reported(report("a"), AT) == []
    assert reports.expect("m1", MOBILE, ["a"], AT) == delivered("m1", "a")


def test_an_unknown_message_is_settled_by_the_report_that_can_only_be_about_it() -> None:
    reports = Reports()
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission(""), AT + 60_000)
    assert reports.reported(report("x"), AT) == delivered("m1", "x")
    assert reports.reported(report("x"), AT) == []


def test_both_reports_of_an_unknown_message_of_two_parts_settle_it() -> None:
    reports = Reports()
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission("", ""), AT)
    assert reports.reported(report("x"), AT) == []
    assert reports.reported(report("x"), AT) == []
    assert reports.reported(report("y"), AT) == delivered("m1", "x,y")


def test_an_unknown_message_stays_unknown_where_a_report_may_be_about_another() -> None:
    reports = Reports()
    for msg_id in ("m1", "m2"):
        reports.begin(MOBILE)
        reports.submitted(msg_id, MOBILE, submission(""), AT)
    assert reports.reported(report("x"), AT) == []
    assert reports.reported(report("y", submitted_at=None), AT) == []
    assert reports.reported(report("z", submitted_at=AT - 600_000), AT) == []


def test_while_another_submission_to_the_number_is_under_way_a_report_waits_and_then_finds_its_owner() -> None:
    reports = Reports()
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission(""), AT)
    reports.begin(MOBILE)
    assert reports.reported(report("x"), AT) == []
    assert reports.reported(report("y"), AT) == []
    assert reports.submitted("m2", MOBILE, submission("y"), AT) == [*delivered("m2", "y"), *delivered("m1", "x")]


def test_a_late_answer_names_an_unknown_part() -> None:
    reports = Reports()
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission(""), AT)
    late = LateAnswer(msg_id="m1", part=Part(number=1, fate=Fate.TAKEN, carrier_id="a"))
    assert reports.answered(late) == []
    assert reports.reported(report("a", submitted_at=None), AT) == delivered("m1", "a")
    assert reports.answered(LateAnswer(msg_id="m9", part=late.part)) == []


@pytest.mark.parametrize("fate", [Fate.REFUSED, Fate.UNSENT])
def test_what_did_not_leave_is_not_waited_for(fate: Fate) -> None:
    reports = Reports()
    reports.begin(MOBILE)
    assert reports.submitted("m1", MOBILE, Submission(parts=(Part(number=1, fate=fate),)), AT) == []
    assert len(reports) == 0


def test_everything_is_forgotten_after_its_time() -> None:
    reports = Reports()
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission("a", ""), AT)
    reports.reported(report("x", submitted_at=None), AT)
    assert reports.expire(AT + KEEP_MS - 1) == 0
    assert reports.expire(AT + KEEP_MS) == 2
    assert reports.reported(report("a"), AT + KEEP_MS) == []


@pytest.mark.parametrize("order", sorted(set(permutations(["answer", "report", "report"]))))
@pytest.mark.parametrize("ids", [("r1",), ("",), ("", "")])
def test_a_report_by_our_own_id_settles_the_whole_message_once_whatever_the_answer_named(
    order: tuple[str, ...], ids: tuple[str, ...]
) -> None:
    reports, settled = Reports(), list[Settled]()
    reports.begin(MOBILE)
    named = DeliveryReport(
        carrier_id="r1", mobile="", delivery=Delivery.DELIVERED, stat="DELIVRD", msg_id="m1"
    )  # fmt: skip
    for step in order:
        if step == "answer":
            settled += reports.submitted("m1", MOBILE, submission(*ids), AT)
        else:
            settled += reports.reported(named, AT)
    assert settled == delivered("m1", ids[0])


def test_a_report_by_our_own_id_leaves_no_other_message_in_doubt() -> None:
    reports = Reports()
    for msg_id in ("m1", "m2"):
        reports.begin(MOBILE)
        reports.submitted(msg_id, MOBILE, submission(""), AT)
    named = DeliveryReport(carrier_id="m1", mobile="", delivery=Delivery.FAILED, stat="UNDELIV", msg_id="m1")
    assert reports.reported(named, AT) == [Settled(msg_id="m1", outcome=Refused("delivery report: UNDELIV"))]
    assert reports.reported(report("x"), AT) == delivered("m2", "x")  # m1 is no candidate any more


def late(number: int, fate: Fate = Fate.UNSENT) -> LateAnswer:
    return LateAnswer(msg_id="m1", part=Part(number=number, fate=fate, reason="no room", wish_s=2.0))


def test_what_turns_out_not_to_have_left_is_tried_again_once_that_is_known_of_all_its_parts() -> None:
    reports = Reports()
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission("", ""), AT)
    assert reports.answered(late(2)) == []
    assert reports.answered(late(1)) == [Settled(msg_id="m1", outcome=RetryAfter(2.0, "no room"))]


def test_what_may_have_left_in_part_or_is_sent_again_already_stays_unknown() -> None:
    reports = Reports()
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission("", ""), AT)
    reports.answered(LateAnswer(msg_id="m1", part=Part(number=1, fate=Fate.TAKEN, carrier_id="a")))
    assert reports.answered(late(2)) == []
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission(""), AT)
    reports.begin(MOBILE)
    assert reports.answered(late(1)) == []


def test_a_report_that_comes_again_says_what_the_first_said() -> None:
    reports = Reports()
    reports.begin(MOBILE)
    reports.submitted("m1", MOBILE, submission("a"), AT)
    assert reports.again(report("a")) == []
    assert reports.reported(report("a"), AT) == reports.again(report("a")) == delivered("m1", "a")
    assert reports.again(report("a", Delivery.PENDING)) == []


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_a_report_on_an_earlier_sending_says_nothing_of_the_later_one(order: tuple[str, str]) -> None:
    reports, settled = Reports(), list[Settled]()
    failed = report("first", Delivery.FAILED)
    for sending in ("first", "second"):
        reports.begin(MOBILE)
        reports.submitted("m1", MOBILE, submission(sending), AT)
        if sending == "first":
            (refused,) = reports.reported(failed, AT)
            assert isinstance(refused.outcome, Refused)
    for each in order:
        settled += reports.reported(failed if each == "first" else report(each), AT)
    assert settled == delivered("m1", "second")
    assert reports.again(failed) == []
    assert reports.expire(AT + KEEP_MS) == 1
    assert reports.reported(failed, AT + KEEP_MS) == []
