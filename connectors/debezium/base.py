"""What all Debezium connectors have in common: their settings as types, and the traps that production found in them.

A model holds the settings that we have something to say about; all others pass through untouched (`extra="allow"`),
because the connector's own validation knows them. A trap is a warning, never a fault: Connect would take it, and
somebody would pay for it later. Sources: Debezium's connector documentation (tables of properties) and its issues.
Used by `connectors.connect`; does no I/O.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator

REFERENCE = re.compile(r"\$\{[^{}:\s]+:[^{}]+\}")
"""A value that a configuration provider of the worker fills in: `${env:NAME}`, `${file:/path:key}`. Without a provider
(`${NAME}`) nobody fills it in."""


def _or_reference(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    """Let a reference stand where a number or a word is due: what it holds is known on the worker only."""
    return value if isinstance(value, str) and REFERENCE.fullmatch(value) else validate(value)


OrReference = WrapValidator(_or_reference)
Whole = Annotated[int, OrReference]
Flag = Annotated[bool, OrReference]
Milliseconds = Annotated[int, Field(ge=0), OrReference]


ADAPTIVE = frozenset({"adaptive", "adaptive_time_microseconds"})
"""Values of `time.precision.mode` by which a time's unit follows from its column; they differ for times of day only."""


@dataclass(frozen=True, slots=True)
class Trap:
    """Something that works today and hurts later. `name` is what a file's `accepted` calls it."""

    name: str
    setting: str
    text: str


M = TypeVar("M", bound="Debezium")


@dataclass(frozen=True, slots=True)
class Check(Generic[M]):
    """When a model has fallen into a trap."""

    name: str
    setting: str
    is_caught: Callable[[M], bool]
    text: str


def traps_of(model: M, checks: Iterable[Check[M]]) -> Iterator[Trap]:
    """Give the traps that the model is caught in."""
    for check in checks:
        if check.is_caught(model):
            yield Trap(check.name, check.setting, check.text)


class Debezium(BaseModel):
    """Settings that every Debezium connector for a relational database has. A field's `_` is the setting's `.`."""

    model_config = ConfigDict(extra="allow", frozen=True, alias_generator=lambda name: name.replace("_", "."))

    NAMES_ARE_UPPER: ClassVar[bool] = False
    """The database stores unquoted names in upper case, and the connector compares them so."""

    connector_class: str
    tasks_max: Annotated[int, Field(ge=1), OrReference] = 1
    topic_prefix: str = Field(
        pattern=r"^[A-Za-z0-9._-]+$",
        description="begins the names of topics, offsets and schema history: a new one is a new start",
    )
    snapshot_mode: Annotated[
        Literal[
            "always", "initial", "initial_only", "no_data", "when_needed", "recovery", "configuration_based", "custom",
            "schema_only", "schema_only_recovery", "never", "exported",
        ],
        OrReference,
    ] = "initial"  # fmt: skip
    table_include_list: str | None = None
    schema_include_list: str | None = None
    database_include_list: str | None = None
    table_exclude_list: str | None = None
    message_key_columns: str | None = None
    decimal_handling_mode: Annotated[Literal["precise", "double", "string"], OrReference] = "precise"
    time_precision_mode: str = "adaptive"
    value_converter_schemas_enable: Flag | None = None
    """None: the worker's own default, which no file tells."""
    tombstones_on_delete: Flag = True
    heartbeat_interval_ms: Milliseconds = 0
    heartbeat_action_query: str | None = None
    event_processing_failure_handling_mode: Annotated[Literal["fail", "warn", "skip", "ignore"], OrReference] = "fail"
    errors_tolerance: Annotated[Literal["none", "all"], OrReference] = "none"
    signal_data_collection: str | None = None
    signal_enabled_channels: str = "source"
    signal_kafka_topic: str | None = None
    signal_kafka_bootstrap_servers: str | None = None
    read_only: Flag = False
    transforms: str = ""

    def traps(self) -> Iterator[Trap]:
        """Give every trap that the settings of this connector are caught in."""
        yield from traps_of(self, _CHECKS)
        yield from self._unwrapping()

    def unique(self) -> Iterator[tuple[str, str]]:
        """Give what no two connectors may share: the setting, and its value with what bounds it."""
        yield "topic.prefix", self.topic_prefix

    def table_topic(self, schema: str, table: str) -> str:
        """Give the topic of a table before any router has renamed it."""
        return f"{self.topic_prefix}.{schema}.{table}"

    def collection(self, schema: str, table: str) -> str:
        """Give a table's name as signals have it."""
        return f"{schema}.{table}"

    @property
    def signal_table(self) -> str | None:
        """Give the signal table as SQL has it; None if there is none."""
        return self.signal_data_collection

    @property
    def has_no_schema(self) -> bool:
        """Tell whether the records are known to come without a schema."""
        return self.value_converter_schemas_enable is False

    @property
    def channels(self) -> frozenset[str]:
        """The ways in which signals are heard."""
        return frozenset(part.strip() for part in self.signal_enabled_channels.split(","))

    @property
    def signal_topic(self) -> str:
        """The topic of the Kafka channel; Debezium's default is the prefix and `-signal`."""
        return self.signal_kafka_topic or f"{self.topic_prefix}-signal"

    def setting(self, key: str) -> str | None:
        """Give a setting that the model does not name, as text; None if it is not set."""
        value = (self.model_extra or {}).get(key)
        return None if value is None else str(value)

    def _unwrapping(self) -> Iterator[Trap]:
        for name in filter(None, (part.strip() for part in self.transforms.split(","))):
            prefix = f"transforms.{name}"
            kept = {part.strip() for part in (self.setting(f"{prefix}.add.fields") or "").split(",")}
            is_unwrapped = (self.setting(f"{prefix}.type") or "").endswith(".ExtractNewRecordState")
            if is_unwrapped and not {"op", "source.ts_ms"} <= kept:
                yield Trap(
                    "unwrap",
                    f"{prefix}.type",
                    "unwrapped records lose operation and time of the change, so deletes and deadlines go wrong; "
                    f"leave the envelope, or set {prefix}.add.fields to op,source.ts_ms",
                )


def _has_no_filter(model: Debezium) -> bool:
    return not (model.table_include_list or model.schema_include_list or model.database_include_list)


_CHECKS: tuple[Check[Debezium], ...] = (
    Check(
        "heartbeat", "heartbeat.interval.ms", lambda m: m.heartbeat_interval_ms == 0,
        "no heartbeat: while its tables are quiet the connector confirms nothing, the source keeps its log, and "
        "nobody sees whether capture is alive; set 10000",
    ),
    Check(
        "decimals", "decimal.handling.mode", lambda m: m.decimal_handling_mode != "string",
        "decimals arrive as bytes without their scale (precise) or rounded (double); set string",
    ),
    Check(
        "tombstones", "tombstones.on.delete", lambda m: m.tombstones_on_delete is False,
        "without tombstones a compacted topic keeps deleted rows for ever",
    ),
    Check(
        "snapshot-mode", "snapshot.mode",
        lambda m: m.snapshot_mode in {"schema_only", "schema_only_recovery", "never", "exported"},
        "this mode is gone or deprecated; no_data and recovery are its successors",
    ),
    Check(
        "snapshot-mode", "snapshot.mode", lambda m: m.snapshot_mode == "always",
        "every restart reads all tables again; initial does it once",
    ),
    Check(
        "snapshot-mode", "snapshot.mode", lambda m: m.snapshot_mode == "initial_only",
        "the connector stops after the snapshot and captures no change",
    ),
    Check(
        "filter", "table.include.list", _has_no_filter,
        "captures every table of the database, new ones too; name those that are declared",
    ),
    Check(
        "skipped-errors", "errors.tolerance", lambda m: m.errors_tolerance == "all",
        "records that fail are dropped, and Connect has no dead letters for sources; set none",
    ),
    Check(
        "skipped-errors", "event.processing.failure.handling.mode",
        lambda m: m.event_processing_failure_handling_mode != "fail",
        "changes that cannot be processed are passed over and lost; set fail",
    ),
    Check(
        "signals", "signal.data.collection",
        lambda m: "kafka" in m.channels and not m.signal_data_collection and m.read_only is False,
        "an incremental snapshot writes its watermarks into the signal table, whichever channel asks for it; "
        "name the table, or set read.only where the connector has it",
    ),
    Check(
        "signals", "signal.kafka.bootstrap.servers",
        lambda m: "kafka" in m.channels and not m.signal_kafka_bootstrap_servers,
        "the Kafka channel needs its brokers",
    ),
    Check(
        "tasks", "tasks.max", lambda m: m.tasks_max != 1 and not m.connector_class.endswith("SqlServerConnector"),
        "this connector runs one task, whatever is set here",
    ),
)  # fmt: skip
