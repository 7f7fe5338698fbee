"""Messages that are no alerts, judged with everything else of an instance: each is told once, or not at all.

What was told is in the instance's state (`Instance.told`), so that neither a restart nor a repeat tells it again. Of a
message that comes several times only the newest is told: who was away for a month gets one reminder, not four.
"""

from __future__ import annotations

from bisect import bisect_right

from rules.engine.alerting import Alerting, Telling
from rules.engine.messages import MessageBook, Messages, RowMessage
from rules.engine.partition import Partition, Step
from rules.engine.rows import Rows, SubjectRow
from rules.message_models import Message
from rules.state import Instance, Visit


class MessageJudgement:
    """The messages of all processes, applied to instances."""

    def __init__(self, alerting: Alerting) -> None:
        self._alerting = alerting

    def judge(self, partition: Partition, told: MessageBook, instance: Instance, step: Step) -> None:
        """Tell what of the instance's rows is due; the instance's `due` comes no later than the next of it."""
        rows = Rows(instance, told.entity, partition, told.calendar)
        for each in told.messages.of_rows:
            for row in each.ground.subjects(rows):
                due = self._settle(partition, told, each, rows, row, step)
                if due is not None and (instance.due is None or due < instance.due):
                    instance.due = due
        _forget(told.messages, rows)

    def _settle(  # noqa: PLR0913, PLR0917 - one message about one row
        self, partition: Partition, told: MessageBook, each: RowMessage, rows: Rows, row: SubjectRow, step: Step
    ) -> int | None:
        moments = each.moments(rows, row)
        if not moments:
            return None
        ended_at, now = each.ground.ended_at(rows, row, None), partition.clock
        if ended_at is not None and ended_at <= now:
            return None
        passed = bisect_right(moments, now)
        due, subject = moments[passed - 1], each.subject(row)
        is_news = passed > _number(rows.instance, each.message, subject)
        if is_news and due >= now - each.lapses:
            values = each.values.of_row(rows, row)
            if values is not None:
                telling = Telling(each.message, subject, passed, due, values)
                self._tell(partition, told, rows.instance, telling, step)
        if passed == len(moments) or (ended_at is not None and ended_at <= moments[passed]):
            return None
        return moments[passed]

    def judge_visit(
        self, partition: Partition, told: MessageBook, instance: Instance, visit: Visit, step: Step
    ) -> None:
        """Tell that a visit of a stage began or ended; only called if there are messages about the stage."""
        subject = f"{visit.stage}|{visit.visit or ''}"
        messages = told.messages.of_stages[visit.stage or ""]
        news = [each for each in messages if not _number(instance, each.message, subject)]
        own = Rows(instance, told.entity, partition, told.calendar).main if news else None
        if own is None:
            return
        for each in news:
            due = each.due(instance, visit)
            if due is None or due < partition.clock - each.lapses or not each.is_about(own):
                continue
            values = each.values.of_stage(told.stages, visit.stage or "", instance.key, own)
            if values is not None:
                self._tell(partition, told, instance, Telling(each.message, subject, 1, due, values), step)

    def _tell(self, partition: Partition, told: MessageBook, instance: Instance, telling: Telling, step: Step) -> None:
        if instance.told is None:
            instance.told = {}
        instance.told[f"{telling.message.family}:{telling.subject}"] = telling.number
        self._alerting.inform(partition, instance, told.process, telling, step)


def _number(instance: Instance, message: Message, subject: str) -> int:
    """Give the number of the newest that was told; 0: none was."""
    return (instance.told or {}).get(f"{message.family}:{subject}", 0)


def _forget(messages: Messages, rows: Rows) -> None:
    """Forget what was told about rows that state has let go of: they do not come back."""
    told = rows.instance.told
    if not told:
        return
    entities = {each.message.id: each.message.each for each in messages.of_rows}
    for key in list(told):
        name, _, row = key.partition(":")
        entity = entities.get(name)
        if entity is not None and not rows.holds(entity, row):
            del told[key]
