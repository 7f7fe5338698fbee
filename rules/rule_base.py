"""What the models of all definitions rest on: durations, conditions, codes, and the fields that every rule has."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rules.durations import parse_duration

Condition = dict[str, Any]
"""Structured condition: field → value (equal), list (one of), or `{ge|gt|le|lt|ne: value}`; all must hold."""

ProcessId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
RuleCode = Annotated[str, Field(pattern=r"^(R-[TNDC]\d{2}|A\d{2}|X-[A-Z0-9-]{1,20})$")]
"""Codes of the rule book; `X-` and what an integrator likes for rules of their own."""


def _checked_duration(text: str) -> str:
    parse_duration(text)
    return text


DurationText = Annotated[str, AfterValidator(_checked_duration)]
"""`15m`, `24h`, `60d`, `5wd` (workdays), `80%` (share of the limit)."""


class Model(BaseModel):
    """Our own files: a typing error must be a fault with its place."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleBase(Model):
    """What every rule says."""

    code: RuleCode
    version: int = Field(default=1, ge=1)
    title: str
    processes: list[ProcessId]
    tell: list[str] = Field(default=["manager"], description="roles that get a notice, in order of fallback first")
    text: str = Field(description="template id of the sentence")
    enabled: bool = True
