"""A real Kafka that workers reach over a bad line, while the harness itself reads and writes over a good one."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.kafka_server import KafkaServer
from bench.server_process import HOST, free_ports
from tests.fault.proxy import Proxy

QUICK_RETURN = {"broker.session.timeout.ms": "4000", "broker.heartbeat.interval.ms": "500"}
"""After a kill the controller waits for the old broker's session to end (9 s by default) before it takes the new."""
START_S = 180.0
"""A broker that was killed reads its logs again, on a machine that does other things as well."""


class KafkaBehindALine(KafkaServer):
    """One broker with two listeners: `bootstrap` is the good one, `line_url` goes through the proxy `line`.

    Clients of the line are told the proxy's address for everything, so nothing of theirs goes round it.
    """

    def __init__(self, folder: Path, properties: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, properties={**QUICK_RETURN, **(properties or {})})
        self._line_port = free_ports(1)[0]
        self.line = Proxy(self._line_port)
        self._turns = 0
        self.process.start_timeout_s = START_S

    @property
    def line_url(self) -> str:
        """The setting `broker` of a worker that uses the line."""
        return f"kafka://{self.line.address}"

    @property
    def every_other_url(self) -> str:
        """The line for the first who asks, the good listener for the second, and so on."""
        self._turns += 1
        return self.line_url if self._turns % 2 else self.url

    def __enter__(self) -> Self:
        self.line.__enter__()
        return super().__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        self.line.__exit__(kind, error, at)

    def _properties(self) -> dict[str, str]:
        own = super()._properties()
        return {
            **own,
            "listeners": f"{own['listeners']},LINE://{HOST}:{self._line_port}",
            "advertised.listeners": f"{own['advertised.listeners']},LINE://{self.line.address}",
            "listener.security.protocol.map": f"{own['listener.security.protocol.map']},LINE:PLAINTEXT",
        }
