"""What people are answered and reminded of, in Chinese. One short message each."""

from schemas import AlertEvent

CLOSED = "督办{number}已办结，谢谢。"
CLOSED_LATE = "督办{number}已办结（逾期答复）。"
ALREADY_CLOSED = "督办{number}此前已办结，无需再次回复。"
CONVERTED = "督办{number}逾期未答复，已转入管控闭环，本次回复未办结，请联系管控人员。"
OTHER_MOBILE = "督办{number}不是发给本号码的，未办结。请用接收督办短信的手机回复。"
HANDED_ON = "督办{number}已移交他人，本次回复未办结。"
UNKNOWN_NUMBER = "未找到督办号{number}，未办结任何任务。请核对后重新回复。"
_PREFIX = "【业扩管控】"


def _matter(event: AlertEvent) -> str:
    return event.text.removeprefix(_PREFIX)


def reminder(event: AlertEvent, number: str, count: int) -> str:
    """Remind of a task; how often it was is in the text, so that no two are alike."""
    return f"{_PREFIX}第{count}次提醒，督办{number}未答复：{_matter(event)}"


def acknowledgement_over(event: AlertEvent, number: str) -> str:
    """Say that a task was acknowledged and is still not done."""
    return f"{_PREFIX}督办{number}的确认已到期，仍未办结：{_matter(event)}"


def escalation(event: AlertEvent, number: str, person: str) -> str:
    """Tell a higher person that somebody does not answer."""
    return f"{_PREFIX}督办{number}（{person}）逾期未答复：{_matter(event)}"


def reopening(event: AlertEvent, number: str) -> str:
    """Say that a task is open again."""
    return f"{_PREFIX}督办{number}复查仍未整改，重新打开：{_matter(event)}"


def handing_over(event: AlertEvent, number: str) -> str:
    """Tell whom a task was handed to."""
    return f"{_PREFIX}督办{number}已移交给您：{_matter(event)}"


def dispatching(package: str, dept: str, count: int) -> str:
    """Tell a department's person that a package of anomalies is theirs to check."""
    return f"{_PREFIX}{count}件异常已下发{dept}，请现场核查整改。管控包{package}"


def work_overdue(event: AlertEvent, order: str, dept: str) -> str:
    """Tell a higher person that a department has not rectified an anomaly in time."""
    return f"{_PREFIX}工单{order}（{dept}）逾期未整改：{_matter(event)}"


def order_handed_over(event: AlertEvent, order: str, number: str) -> str:
    """Tell whom the work order of an anomaly was handed to."""
    return f"{_PREFIX}异常{number}的工单{order}已移交给您：{_matter(event)}"


def forwarding(event: AlertEvent, number: str) -> str:
    """Ask a leader to decide."""
    return f"{_PREFIX}异常{number}已整改，请审批：{_matter(event)}"


def rejecting(event: AlertEvent, number: str, reason: str) -> str:
    """Tell who rectified that it was not accepted."""
    return f"{_PREFIX}异常{number}被退回（{reason}），请重新核查：{_matter(event)}"
