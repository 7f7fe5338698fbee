"""Gateways that are not ours, each a small Java program of `tests/e2e/sms_core_server`, as the contract's peers."""

import asyncio
import base64
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.java_artifacts import classes, jars, program
from bench.server_process import free_ports
from bench.sms_face import Said
from tests.helpers.sms_gateways import account_url, put_together
from tests.helpers.sms_sentences import PATIENCE_S, SECRET, Taken

SOURCES = Path(__file__).resolve().parents[1] / "e2e" / "sms_core_server"
START_S = 90.0
"""Two seconds on a machine of its own; the tests' machines are shared."""
OPENED = ("java.lang", "java.util", "java.util.concurrent", "java.nio")
"""What sms-core looks into, and Java 17 closes."""


@dataclass(slots=True)
class JavaGateway:
    """A running program: what it told, line by line, and its ports by protocol."""

    ports: dict[str, int]
    process: "subprocess.Popen[str]"
    said: list[list[str]] = field(default_factory=list)
    _lines: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)

    def read_on(self) -> None:
        """Collect its lines, in a thread of their own."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def command(self, *words: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    async def until(self, condition: Callable[[list[list[str]]], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait until what it has told fulfils a condition."""
        deadline = time.monotonic() + patience_s
        while True:
            while not self._lines.empty():
                self.said.append(self._lines.get().rstrip("\n").split("\t"))
            if condition(self.said):
                return
            assert time.monotonic() < deadline, f"the gateway told only {len(self.said)} lines"
            await asyncio.sleep(0.01)


@contextmanager
def running_gateway(name: str, protocols: tuple[str, ...], log: Path) -> Iterator[JavaGateway]:
    """The program `name` with a port for each protocol; raises `ToolMissing` without Java, a compiler and Maven."""
    libraries = jars("sms")
    path = f"{classes(SOURCES / f'{name}.java', libraries)}:{libraries}/*"
    ports = dict(zip(protocols, free_ports(len(protocols)), strict=True))
    opens = [word for package in OPENED for word in ("--add-opens", f"java.base/{package}=ALL-UNNAMED")]
    command = [program("java"), "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *opens, "-cp", path, name]
    with log.open("w") as err:
        process = subprocess.Popen(
            [*command, *map(str, ports.values())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True
        )
    gateway = JavaGateway(ports, process)
    reader = threading.Thread(target=gateway.read_on, daemon=True)
    reader.start()
    try:
        asyncio.run(gateway.until(lambda said: ["ready"] in said, START_S))
        yield gateway
    finally:
        process.kill()
        reader.join()
        with process:  # waits for it, and closes its pipes
            pass


@dataclass(frozen=True, slots=True)
class JavaPeer:
    """One protocol of a running program, for one sentence: what came before it does not count."""

    gateway: JavaGateway
    protocol: str
    past: int

    def url(self, secret: str = SECRET) -> str:
        return account_url(self.protocol, self.gateway.ports[self.protocol], secret)

    async def taken(self, count: int) -> list[Taken]:
        await self.gateway.until(lambda _said: len(self._taken()) >= count)
        return self._taken()

    def _taken(self) -> list[Taken]:
        told = [line[2:] for line in self.gateway.said[self.past :] if line[:2] == ["sms", self.protocol]]
        whole = [Taken(_national(to), source, _text(text), int(parts)) for to, source, parts, text in told]
        return whole + put_together(self._parts())

    def _parts(self) -> list[Said]:
        told = [line[2:] for line in self.gateway.said[self.past :] if line[:2] == ["part", self.protocol]]
        return [
            Said("submit", b"", mobile=to, source=source, content=base64.b64decode(content), has_header=header == "1")
            for to, source, header, content in told
        ]

    async def write_in(self, mobile: str, to: str, text: str) -> None:
        self.gateway.command("mo", self.protocol, mobile, to, base64.b64encode(text.encode()).decode())

    async def confirmed(self, count: int) -> None:
        await self.gateway.until(lambda said: said[self.past :].count(["answered", self.protocol]) >= count)


def fresh_peer(gateway: JavaGateway, protocol: str) -> JavaPeer:
    """A peer that begins now."""
    asyncio.run(gateway.until(lambda _said: True))
    return JavaPeer(gateway, protocol, len(gateway.said))


def call_us(gateway: JavaGateway, port: int, name: str, secret: str) -> None:
    """Let the SGIP gateway connect to a port of ours, as carriers do."""
    gateway.command("call", str(port), name, secret)


def _text(data: str) -> str:
    return base64.b64decode(data).decode()


def _national(mobile: str) -> str:
    return mobile.removeprefix("86")
