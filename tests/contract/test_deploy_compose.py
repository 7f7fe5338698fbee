"""The Compose file is valid, mounts what exists, and publishes nothing to the world."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path(__file__).parent / "schemas" / "compose-spec.json"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def mounts(compose: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = [volume.split(":") for service in compose["services"].values() for volume in service.get("volumes", [])]
    return [(pair[0], pair[1]) for pair in pairs]


def test_it_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(compose)] == []


def test_everything_of_the_first_deployment_is_in_it(compose: dict[str, Any]) -> None:
    assert {"kafka", "connect", "postgres", "worker", "prometheus", "grafana"} <= set(compose["services"])


def test_what_it_mounts_exists(compose: dict[str, Any]) -> None:
    folders = [source for source, _ in mounts(compose) if source.startswith(".")]
    assert folders
    assert [source for source in folders if not (ROOT / source).exists()] == []
    assert {source for source, _ in mounts(compose) if not source.startswith(".")} == set(compose["volumes"])


def test_every_dependency_is_a_service_that_can_say_it_is_healthy(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        wanted = service.get("depends_on", {})
        assert set(wanted) <= set(compose["services"]), name
        for other in wanted if isinstance(wanted, dict) else ():
            assert "healthcheck" in compose["services"][other], f"{name} waits for the health of {other}"


def test_ports_are_published_to_this_host_only(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_every_image_has_a_version(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values() if "image" in service]
    assert [image for image in images if not re.search(r":v?\d+(\.\d+)*$", image)] == []


def test_prometheus_looks_where_the_worker_answers(compose: dict[str, Any]) -> None:
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    discovery = prometheus["scrape_configs"][0]["dns_sd_configs"][0]
    assert discovery["names"] == ["worker"]
    assert str(discovery["port"]) == compose["services"]["worker"]["environment"]["STAGEWATCH_METRICS_PORT"]


def test_grafana_finds_its_dashboards_and_its_source(compose: dict[str, Any]) -> None:
    provisioning = ROOT / "deploy/grafana/provisioning"
    provider = yaml.safe_load((provisioning / "dashboards/stagewatch.yml").read_text(encoding="utf-8"))["providers"][0]
    assert ("./deploy/grafana/dashboards", provider["options"]["path"]) in mounts(compose)
    source = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text(encoding="utf-8"))["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    home = compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "deploy/grafana/dashboards" / Path(home).name).exists()


def test_the_image_is_made_of_every_room() -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    rooms = {package.partition(".")[0] for package in declared}
    assert {room for room in rooms if f"COPY {room}/ {room}/" in dockerfile} == rooms
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {room for room in rooms if f"!{room}" in ignored} == rooms


def test_the_wheel_carries_every_definition_and_template(tmp_path: Path) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    rooms = sorted({package.partition(".")[0] for package in declared})
    source = tmp_path / "source"
    for room in rooms:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", source)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(source),
    ]
    subprocess.run(build, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = set(wheel.namelist())
    needed = {
        str(path.relative_to(ROOT))
        for room in rooms
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    assert needed - packed == set()
