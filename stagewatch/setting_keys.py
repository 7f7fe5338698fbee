"""Every setting: its meaning, unit and default (contract, section 8).

A model only. Where values come from and how they are shown is in `stagewatch.settings`.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
)

import connectors
import rules
from connectors import DialectModel, Reference
from rules import DurationField, QuietHours

EMBEDDED = "embedded"
DAY_S = 86_400
_BROKER = re.compile(r"kafka://(?P<hosts>[^\s/@?#]+)/?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_TOPIC_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _broker(url: str) -> str:
    if url != EMBEDDED:
        match = _BROKER.fullmatch(url)
        hosts = [_HOST.fullmatch(part) for part in match["hosts"].split(",")] if match else [None]
        if not all(host and 0 < int(host["port"]) < 65_536 for host in hosts):  # noqa: PLR2004 - the last port
            raise ValueError(f"expected kafka://host:port[,host:port] or {EMBEDDED}")
    return url


def _one_of_schemes(*schemes: str) -> AfterValidator:
    """Refuse other schemes early, with the place; the rest of the URL is its user's business. Never echoes it."""

    def check(url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if url == "console:" and "console" in schemes:  # as its URL is written elsewhere
            return "console"
        if url in schemes or (separator and rest and scheme in schemes):
            return url
        raise ValueError(f"expected one of {', '.join(s if s == 'console' else f'{s}://...' for s in schemes)}")

    return AfterValidator(check)


def _path(value: object, info: ValidationInfo) -> object:
    """Take a path as relative to the file that says it; from the environment, to the working folder."""
    if not isinstance(value, str | Path) or not str(value):
        return value
    base = (info.context or {}).get("base", Path())
    return Path(os.path.abspath(base / Path(value).expanduser()))  # noqa: PTH100 - resolve() would follow links


def _several(value: object) -> object:
    return [value] if isinstance(value, str | Path) else value


Folder = Annotated[Path, BeforeValidator(_path)]
Folders = Annotated[tuple[Folder, ...], BeforeValidator(_several), Field(min_length=1)]


def shipped(room: str | None) -> tuple[Path, ...]:
    """Give a folder of the data files that come with the program; `room` is a package's `__file__`."""
    return (Path(room or "").parent,)


class MuteChoice(_Model):
    """Silences notices until a time; without rule and unit, all of them."""

    until: AwareDatetime = Field(description="From then on it has no effect; ISO 8601 with zone.")
    rule: str | None = Field(None, description="A rule's code, e.g. R-T03. Left out: every rule.")
    org_no: str | None = Field(None, description="A unit's code, or its beginning and `*`. Left out: every unit.")

    @property
    def until_ms(self) -> int:
        """Give the end in epoch ms."""
        return round(self.until.timestamp() * 1000)


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


class Keys(_Model):
    """All settings. Frozen; made by `stagewatch.settings.load_settings`."""

    # -- where things are
    broker: Annotated[str, AfterValidator(_broker)] = Field(
        EMBEDDED,
        description="Kafka, as kafka://host:port[,host:port]; `embedded`: a broker of its own, for trying out.",
    )
    application_id: str = Field(
        "stagewatch",
        pattern=_TOPIC_NAME,
        description="Name of the consumer groups, transactions and state topics; workers of one name share the work. "
        "A new name starts from the beginning.",
    )
    data_dir: Folder = Field(
        Path(".stagewatch"),
        description="Folder of what the program keeps: the SQLite store, the embedded broker's log.",
    )
    store: Annotated[str, _one_of_schemes("sqlite", "postgresql", "postgresql+psycopg")] = Field(
        "sqlite:///.stagewatch/stagewatch.db",
        description="SQLAlchemy URL of the read model. More than one worker needs a shared one (PostgreSQL).",
    )
    definitions: Folders = Field(
        tuple(folder / "definitions" for folder in shipped(rules.__file__)),
        description="Folders of processes, rules, limits, calendars and templates; they replace those shipped.",
    )
    sources: Folders = Field(
        tuple(folder / "sources" for folder in shipped(connectors.__file__)),
        description="Folders of source mappings (which table and column feeds what); they replace those shipped.",
    )
    connectors: Annotated[tuple[Folder, ...], BeforeValidator(_several)] = Field(
        (),
        description="Folders of connector files (`stagewatch connectors`): what runs in Kafka Connect. []: nothing.",
    )
    connect_url: Annotated[str, _one_of_schemes("http", "https")] | None = Field(
        None,
        description="REST interface of Kafka Connect, http[s]://[user:password@]host:port. Unset: the `connectors` "
        "commands have nobody to ask.",
    )
    dialects: dict[str, DialectModel] = Field(
        {}, description="By topic pattern, e.g. `cdc.mkt.*`: overrules the sources' dialects and zones. {}: nothing."
    )
    schema_registry_url: Annotated[str, _one_of_schemes("http", "https")] | None = Field(
        None,
        description="Registry of Avro schemas, http[s]://[user:password@]host:port[/path]; Confluent's REST interface. "
        "Unset: no topic may be debezium-avro.",
    )
    precedence: dict[str, tuple[str, ...]] = Field(
        {},
        description="Which source is believed where several tell the same, by entity or field, e.g. "
        "`visit: [mkt, lean]`, `negative_item.published_at: [mkt, lean]`. {}: the shipped order.",
    )
    # -- what is judged
    limits: str = Field(
        "default", description="Id of the limit template: `default` (present pledges) or `older`, or one of yours."
    )
    calendar: str = Field("state_council", description="Id of the calendar that counts workdays.")
    orphan_after: DurationField | None = Field(
        None,
        description="How long rows of an unknown application wait before they are reported. Unset: the rule's own.",
    )
    # -- how the stream runs
    partitions: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Partitions of the topics that the worker makes. Unset: as many as the captured topics have, "
        "else 8. Existing topics keep theirs.",
    )
    merge_wait_s: float = Field(
        300,
        ge=0,
        le=DAY_S,
        json_schema_extra=_unit("s"),
        description="How long a source partition that is silent but not at its end holds back the others. Longer is "
        "more exact after an outage, shorter is sooner.",
    )
    max_skew_s: float = Field(
        21_600,
        gt=0,
        json_schema_extra=_unit("s"),
        description="How far one source partition may be read ahead of the others, in their own time; bounds memory "
        "while catching up. Six hours hold a day's peak of a province.",
    )
    session_timeout_s: float = Field(
        10,
        ge=1,
        le=300,
        json_schema_extra=_unit("s"),
        description="After so long without a sign of life a worker's partitions go to another. The contract promises "
        "a take-over within 20 s.",
    )
    transaction_timeout_s: float = Field(
        15,
        ge=1,
        le=900,
        json_schema_extra=_unit("s"),
        description="The broker aborts a transaction that is open for longer; until then it holds up readers.",
    )
    # -- who is told
    smtp_url: Annotated[str, _one_of_schemes("smtp", "smtps", "console")] | None = Field(
        None,
        description="Mail server, smtp[s]://[user:password@]host[:port][?from=a@b][&bounces=MAILDIR]; what comes "
        "back into the maildir makes its messages refused. Unset: no mail is sent.",
    )
    sms_url: Annotated[str, _one_of_schemes("http", "https", "console")] | None = Field(
        None,
        description="SMS gateway that takes HTTP POST; beside `sms_carriers` for numbers whose carrier is not there. "
        "Both unset: no SMS is sent.",
    )
    sms_carriers: dict[
        Literal["mobile", "unicom", "telecom", "broadnet"],
        Annotated[str, _one_of_schemes("cmpp", "sgip", "smgp", "smpp", "http", "https", "console")],
    ] = Field(
        {},
        description="Account by carrier, e.g. `mobile: cmpp://user:secret@gateway:7890?access=10690001` (docs/sms.md); "
        "each number goes through its own. {}: all go to `sms_url`.",
    )
    sms_directory: Folder | None = Field(
        None,
        description="CSV with the columns mobile,carrier: what our own people say of their numbers; believed before "
        "any prefix. Unset: none.",
    )
    sms_is_idempotent: bool = Field(
        default=False,
        description="The SMS gateway drops a repeat of a message id: what a crash left unknown is sent again. "
        "False: it stays unknown until a delivery report comes, so nobody is told twice.",
    )
    mail_domain: str = Field(
        "stagewatch.local",
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
        max_length=253,
        description="People without a known mail address get <number>@<mail_domain>.",
    )
    mail_digest_s: float = Field(
        10,
        ge=0,
        le=DAY_S,
        json_schema_extra=_unit("s"),
        description="A mail waits this long for others to the same person. 0: every notice is a mail of its own.",
    )
    group_wait_s: float = Field(
        2,
        ge=0,
        le=3600,
        json_schema_extra=_unit("s"),
        description="Notices of one group (all applications below one list item) wait this long for the rest of it.",
    )
    mute: tuple[MuteChoice, ...] = Field(
        (), description="What is recorded but not sent: entries with `until`, and `rule` or `org_no`. []: nothing."
    )
    sms_gather_s: float = Field(
        0,
        ge=0,
        le=DAY_S,
        json_schema_extra=_unit("s"),
        description="An SMS waits this long for others to the same person; they become one. 0: only groups do.",
    )
    sms_parts: int = Field(
        6,
        ge=2,
        le=255,
        json_schema_extra=_unit("parts"),
        description="Most parts (67 characters each, the signature counted) of an SMS that stands for several "
        "notices; what does not fit is counted in it and stands in the list. More is paid by the part and not read.",
    )
    quiet_hours: QuietHours | None = Field(
        None,
        description="When what can wait is held until the next working morning, e.g. `{starts: '22:00', ends: "
        "'08:00'}`; also `rest_days`, `always` (severities), `duty` (persons), `channels`. Unset: never.",
    )
    daily_cap: int = Field(
        0,
        ge=0,
        description="Most messages to one person over one channel on one day; the rest become one on the next working "
        "morning. What `quiet_hours` always lets through counts and is not held. 0: any number.",
    )
    inhibit: bool = Field(
        default=False,
        description="What is told of a line or transformer below a substation (or line) that is constrained, too, and "
        "has an alert of its own about the same application is recorded as muted, not sent.",
    )
    # -- what others bring in
    push_host: str = Field("127.0.0.1", min_length=1, description="Address that `ingest serve` listens on.")
    push_port: int = Field(8190, ge=0, le=65_535, description="Port of `ingest serve`. 0: any free one, printed.")
    push_tokens: dict[str, Reference] = Field(
        {},
        description="By source, where its token is: env:NAME or file:PATH. A source without one cannot push. {}: none.",
    )
    push_max_bytes: int = Field(
        1_000_000,
        ge=1_000,
        json_schema_extra=_unit("bytes"),
        description="Largest request that `ingest serve` takes; some thousand rows.",
    )
    push_rows_per_s: float = Field(
        1_000,
        ge=0,
        json_schema_extra=_unit("rows/s"),
        description="What one source may push in the long run; ten seconds' worth may come at once. 0: no limit.",
    )
    pulls: Folder | None = Field(
        None, description="Folder of pull definitions (`version: pull/v1`) for `ingest pull`. Unset: name it there."
    )
    # -- what can be seen
    metrics_port: int = Field(0, ge=0, le=65_535, description="Port of /metrics. 0: any free one, printed at start.")
    log_format: Literal["auto", "text", "json"] = Field(
        "auto", description="Lines for people, or JSON objects for a log store; `auto`: text on a terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged at least.")

    @property
    def bootstrap(self) -> str | None:
        """Give host:port[,host:port] of the broker; None: the embedded one."""
        return None if self.broker == EMBEDDED else self.broker.removeprefix("kafka://").rstrip("/")

    @property
    def dialect_overrides(self) -> dict[str, dict[str, Any]]:
        """Give `dialects` as plain data: topic pattern to what is said for it."""
        return {pattern: choice.model_dump(exclude_none=True) for pattern, choice in self.dialects.items()}
