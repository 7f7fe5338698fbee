"""A real schema registry (Apicurio, in memory, with Confluent's REST) and its Avro converter for Kafka Connect."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from bench.java_artifacts import digest, jars, kept, program
from bench.server_process import HOST, ServerProcess, free_ports

START_TIMEOUT_S = 120
"""It takes 4 s alone and half a minute beside Kafka, Connect and PostgreSQL on two cores."""


def _unpacked(name: str) -> Path:
    """Give the folder of one of the two archives; unpacked once."""
    (archive,) = [path for path in jars("apicurio").glob("*.tar.gz") if name in path.name]

    def unpack(target: Path) -> None:
        with tarfile.open(archive) as packed:
            packed.extractall(target, filter="data")

    return kept("java", f"{name}-{digest(archive.name.encode())}", unpack)


def converter_plugin() -> Path:
    """Give the folder for Connect's `plugin.path`. Raises `ToolMissing` without Java or Maven."""
    return _unpacked("connect-converter")


@contextmanager
def running_registry(folder: Path) -> Iterator[str]:
    """Give `http://host:port` of a registry of its own. Raises `ToolMissing` without Java or Maven."""
    port = free_ports(1)[0]
    (jar,) = _unpacked("registry-app").glob("*-runner.jar")
    options = [f"-Dquarkus.http.host={HOST}", f"-Dquarkus.http.port={port}"]
    command = [program("java"), "-Xmx384m", *options, "-jar", str(jar)]
    url = f"http://{HOST}:{port}"
    server = ServerProcess(command, folder / "registry.log", lambda: _answers(url), start_timeout_s=START_TIMEOUT_S)
    server.start()
    try:
        yield url
    finally:
        server.kill()


def confluent_url(url: str) -> str:
    """Give where Confluent's REST interface is."""
    return f"{url}/apis/ccompat/v7"


def converter_settings(url: str) -> dict[str, str]:
    """Give what makes a connector write Avro in Confluent's framing."""
    settings = {
        "": "io.apicurio.registry.utils.converter.AvroConverter",
        ".apicurio.registry.url": f"{url}/apis/registry/v2",
        ".apicurio.registry.auto-register": "true",
        ".apicurio.registry.as-confluent": "true",
        ".apicurio.registry.use-id": "contentId",
        ".apicurio.registry.headers.enabled": "false",
    }
    return {f"{part}.converter{name}": value for part in ("key", "value") for name, value in settings.items()}


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{confluent_url(url)}/subjects", timeout=2).ok
    except requests.RequestException:
        return False
