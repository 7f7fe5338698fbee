"""The shape of `messages/v1`: what customers and staff are told that is no alert, such as a bill or a stage entered.

A message is about rows of an instance (`each` and `at`), or about its stages (`stages`). Docs: docs/rules.md.
"""

from typing import Any, Literal

from pydantic import Field

from rules.row_models import RowTime, RowTimes
from rules.rule_base import Condition, DurationText, Model, ProcessId

MOST_TIMES = 60
"""Of one message about one row: five years, month by month."""


class Message(Model):
    """One message: when it is sent, to whom, and what fills in its sentence."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="unique among all messages; part of what keeps it single")
    code: str = Field(description="template id of the sentence: M01 to M17")
    title: str
    processes: list[ProcessId]
    to: list[str] = Field(min_length=1, description="roles; `customer` is who the instance's own row names")
    stages: list[str] = Field(default=[], description="told of each visit of these stages, instead of a row's time")
    on: Literal["entered_at", "finished_at"] = Field(default="entered_at", description="of `stages`: beginning or end")
    each: str | None = Field(default=None, description="entity: about each of its rows; none: about the instance")
    when: Condition = Field(default={}, description="which of these rows (or which instances) it is about")
    at: str | RowTime | None = Field(default=None, description="time field of the row, or the times of other rows")
    before: DurationText | None = Field(default=None, description="so long before that time")
    after: DurationText | None = Field(default=None, description="so long after it")
    every: DurationText | None = Field(default=None, description="again, so long after the last one")
    times: int = Field(default=1, ge=1, le=MOST_TIMES, description="so often, with `every`")
    until: list[str] = Field(default=[], description="time fields of the row: not told any more once one is reached")
    until_row: RowTimes = Field(default=[], description="times of other rows: not told any more from the first on")
    lapses: DurationText = Field(default="31d", description="not told later than so long after its time")
    once_per: list[str] = Field(
        default=[],
        description="fields of the row that say what it is about: messages of one code about the same are told once; "
        "none: each row",
    )
    values: dict[str, str] = Field(
        default={}, description="parameter of the sentence -> field of the row, or of the instance's own row"
    )
    words: dict[str, dict[str, str]] = Field(default={}, description="parameter -> what is said for a code")
    constants: dict[str, str] = Field(default={}, description="parameter -> what is always said")
    enabled: bool = True

    @property
    def family(self) -> str:
        """Name the messages of which one is enough: itself, or all of its code that are told once per something."""
        return self.code if self.once_per else self.id

    @property
    def row_times(self) -> list[tuple[tuple[str | int, ...], RowTime]]:
        """Give the times that other rows tell, each with its place."""
        told: list[tuple[tuple[str | int, ...], RowTime]] = [
            (("until_row", number), each) for number, each in enumerate(self.until_row)
        ]
        return [(("at",), self.at), *told] if isinstance(self.at, RowTime) else told

    @property
    def entities(self) -> frozenset[str]:
        """Give the entities whose rows it reads beside the instance's own."""
        return frozenset([*(told.entity for _, told in self.row_times), *([self.each] if self.each else [])])


class MessageFile(Model):
    """A file of messages."""

    version: Literal["messages/v1"]
    id: str
    title: str = ""
    messages: list[Message]
    tests: list[dict[str, Any]] = Field(default=[])
