"""The shape of pull definitions (`version: pull/v1`): which endpoint is asked for rows of which table, and how.

Pydantic with `extra="forbid"`: these are our own files. Read by `connectors.web.pulls` only.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.references import Reference

_SPAN = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _span(text: str) -> str:
    if _SPAN.fullmatch(text) is None:
        raise ValueError(f"'{text}' is no span of time; write 30s, 15m, 4h or 1d")
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s@/]+(/\S*)?", text):
        raise ValueError("expected http(s)://host[:port]/path, without user and password")
    return text


Span = Annotated[str, AfterValidator(_span)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$#]*$")]


def seconds(span: str) -> int:
    """Give `15m` in seconds."""
    match = _SPAN.fullmatch(span)
    assert match is not None  # noqa: S101 - the model checked it
    return int(match[1]) * _SECONDS[match[2]]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AuthModel(_Model):
    """How the endpoint knows us; secrets by reference."""

    bearer: Reference | None = Field(default=None, description="token, sent as `Authorization: Bearer`")
    header: Name | None = Field(default=None, description="header that carries `value`", pattern=r"^[A-Za-z0-9-]+$")
    value: Reference | None = None
    user: str | None = Field(default=None, description="basic authentication, with `password`")
    password: Reference | None = None

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        ways = [self.bearer is not None, self.header is not None, self.user is not None]
        if sum(ways) != 1 or (self.header is None) != (self.value is None):
            raise ValueError("auth: either bearer, or header and value, or user and password")
        if (self.user is None) != (self.password is None):
            raise ValueError("auth: user and password belong together")
        return self


class PagingModel(_Model):
    """How the following page is asked for."""

    kind: Literal["page", "offset", "token", "link"] = Field(
        description="page: a number that counts up; offset: rows read so far; token: from the answer; link: a URL there"
    )
    param: Name | None = Field(default=None, description="parameter that takes it; not for link")
    start: int = Field(default=1, ge=0, description="first page's number")
    next: str | None = Field(default=None, description="where token or link stands in the answer: `data.next`")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.kind == "link") != (self.param is None):
            raise ValueError("paging: param belongs to page, offset and token")
        if (self.kind in ("token", "link")) != (self.next is not None):
            raise ValueError("paging: next belongs to token and link")
        return self


class CursorModel(_Model):
    """What has been read, so that only what is newer is asked for."""

    field: str = Field(description="field of a row that only grows: a time, or a number if `start` is one")
    param: Name = Field(description="parameter that takes the last value read")
    start: str = Field(description="value at the first time")
    is_sorted: bool = Field(
        default=False,
        description="the service gives rows in its order: then each page is remembered, else only the whole run",
    )


class PullModel(_Model):
    """One endpoint."""

    version: Literal["pull/v1"]
    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,100}$", description="its cursor is kept under this name")
    table: str = Field(pattern=r"^[^.\s]+\.[^.\s]+$", description="captured table that the rows are of: source.table")
    url: Annotated[str, AfterValidator(_url)]
    interval: Span = Field(default="5m", description="how often it is asked")
    timeout: Span = Field(default="30s", description="longest wait for an answer")
    auth: AuthModel | None = None
    params: dict[str, str] = Field(default={}, description="parameters of every request")
    rows: str = Field(
        default="", description='where the array of rows stands in the answer: `data.items`; "": it is it'
    )
    columns: dict[str, Name] = Field(default={}, description="field of the service to column of the table")
    src_ts: str | None = Field(
        default=None, description="field that says when a row was true; by default the cursor's, if that is a time"
    )
    paging: PagingModel | None = None
    cursor: CursorModel | None = Field(default=None, description="without it everything is read every time")
