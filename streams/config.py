"""What a worker must be told. The front door makes one from its settings."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from rules import QuietHours
from sinks import Mute

DEFAULT_PORT = 9092
PARTS = ("rekey", "track", "totals", "loop", "inbound", "notify", "store")
"""What a worker is made of: the six agents, and the writer of the read model."""


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one worker, checked and with their defaults filled in."""

    broker: str
    """`kafka://host:port[,host:port]`."""
    application_id: str = "stagewatch"
    """Consumer group, and the beginning of changelog names and transactional ids: one per installation."""
    data_dir: str = "data"
    """Where Faust may keep files. Our state is in Kafka."""
    store: str | None = None
    """SQLAlchemy URL of the read model; None: none is written."""
    smtp_url: str | None = None
    sms_url: str | None = None
    sms_carriers: dict[str, str] = {}
    """URL of an account by carrier; with any, each number goes through its own and `sms_url` takes the rest."""
    sms_directory: Path | None = None
    """CSV of the carriers of our own people's numbers."""
    metrics_port: int | None = 0
    """0: any free one; None: no metrics are served."""
    parts: frozenset[str] = frozenset(PARTS)
    """What of it runs here. A group's members must run the same: workers of other parts take another
    application_id, and one that writes state (all but `rekey`) keeps the id that its state is under."""
    partitions: int | None = None
    """Of topics that the worker makes; None: as many as the widest captured topic, else 8."""
    merge_wait_s: float = 300.0
    """How long a silent source partition with unread records is waited for."""
    max_skew_s: float = 6 * 3600.0
    """How far (in data time) one source partition may be read ahead of the slowest."""
    session_timeout_s: float = 10.0
    """A dead worker's partitions move after this; with the transaction timeout, within 20 s."""
    transaction_timeout_s: float = 15.0
    mail_digest_s: float = 10.0
    """A mail waits this long for others to the same person."""
    group_wait_s: float = 2.0
    """Notices of one group wait this long for the rest of it."""
    mail_domain: str = "stagewatch.local"
    """People without a known address get `<no>@<mail_domain>`."""
    sms_is_idempotent: bool = False
    """The gateway drops a repeated `msg_id`: a send of unknown outcome may be repeated."""
    mute: tuple[Mute, ...] = ()
    """What is recorded and not sent."""
    sms_gather_s: float = 0.0
    """An SMS waits this long for others to the same person."""
    sms_parts: int = 6
    """Most parts of an SMS that stands for several notices; what does not fit is counted."""
    quiet_hours: QuietHours | None = None
    """When people are not told of what can wait; None: at any hour."""
    daily_cap: int = 0
    """Most messages to one person over one channel on one day; 0: any number."""
    inhibit: bool = False
    """What is below constrained equipment that has an alert of its own is not told again."""
    log_format: str = "auto"
    """`text`, `json`, or `auto`: text where a terminal looks on."""
    log_level: str = "info"
    rediscover_s: float = 5.0
    """How often new captured topics are looked for; the contract allows 30 s."""
    stall_s: float = 120.0
    """Lag that grows without progress for this long ends the process; 0: never."""
    version: str = "0"

    @property
    def servers(self) -> str:
        """The broker as Kafka clients want it: `host:port,host:port`."""
        hosts = self.broker.split("://", 1)[-1].split("/", 1)[0]
        parts = [host.split("://", 1)[-1] for host in hosts.split(",") if host]
        return ",".join(host if urlsplit(f"//{host}").port else f"{host}:{DEFAULT_PORT}" for host in parts)
