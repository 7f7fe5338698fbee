"""Notices: who should be told what over which channel. Intents, not yet sent.

The tracking agent writes them to `stagewatch.notices` (key: recipient) in the transaction of the
alert; the notifying agent keeps them in its outbox and sends each once.
"""

from typing import Literal

import msgspec

from schemas.report import ReportOrder

Channel = Literal["sms", "mail", "online", "none"]
"""`none`: nobody could be found for it (unroutable); it is recorded and counted, not sent."""


class Recipient(msgspec.Struct, frozen=True, gc=False):
    """A person as the source tables name them; `mobile` and `mail` may be unknown."""

    no: str
    name: str | None = None
    mobile: str | None = None
    mail: str | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message to one person over one channel about one rung of one alert."""

    alert_id: str
    rule: str
    severity: str
    process: str
    instance: str
    org_no: str | None
    recipient: Recipient
    channel: Channel
    text: str
    """What a single message says (SMS wording; the line of a mail digest)."""
    at: int
    """When the alert fired, epoch ms."""
    due_at: int | None
    is_late: bool = False
    """Fell due while no worker ran."""
    group: str | None = None
    """Notices of one group to one recipient become one message (R-N04: all applications below one item)."""
    group_text: str | None = None
    """Wording of the grouped message; `{count}` and `{list}` are filled in."""
    task: str = ""
    """Number of the supervision task that it opens, if it opens one."""
    rung: str = ""
    """Tells apart what is said about one alert after its first message: reminders, escalations, answers."""
    object_no: str = ""
    """Number of the grid equipment that it is about, if it is about one."""
    below: str = ""
    """The constrained equipment above that one (`main_subs S1`), of which the same instance has an alert of its own."""
    outlives: bool = False
    """Of the long loop, which goes on when the data no longer show the fault: its alert's end does not cancel it."""
    report: ReportOrder | None = None
    """What a mail of figures is to show; `text` is then its title."""

    def is_about(self, task: str) -> bool:
        """Tell whether it is about a supervision task: it opens it, or says more of it."""
        return self.task == task or self.rung.endswith(f":{task}")

    @property
    def key(self) -> str:
        """The idempotency key: one send per (alert rung, recipient, channel)."""
        key = f"{self.alert_id}:{self.recipient.no}:{self.channel}"
        return f"{key}:{self.rung}" if self.rung else key


class Instruction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a person wants done with a notice, in the topic of the notices: `cancel` before it left, `retry` after.

    `refuse` and `confirm` are what somebody learnt of its message elsewhere: it did not arrive, or it did. `withdraw`
    is the loop's: a task is over while its alert is not, so what is held about it need not be told.
    """

    instruction: Literal["cancel", "retry", "refuse", "confirm", "withdraw"]
    key: str
    """Of the notice; of a `withdraw` the id of the alert."""
    by: str
    """Number of the person."""
    reason: str = ""
    to: str = ""
    """Of a `withdraw`: whose notices."""
    task: str = ""
    """Of a `withdraw`: the number of the task."""
    at: int = 0
    """Of a `withdraw`: until when they were asked for, epoch ms."""


def message_text(notices: "list[Notice]") -> str:
    """Give the wording of one message for notices of one group (or of a single notice)."""
    first = notices[0]
    if first.group_text is None or len(notices) == 1:
        return first.text
    return first.group_text.replace("{count}", str(len(notices))).replace(
        "{list}", "、".join(n.instance for n in notices)
    )
