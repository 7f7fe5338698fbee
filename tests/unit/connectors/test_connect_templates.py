"""The shipped templates: one for each of the eight systems, in order as they are, secrets by reference only."""

import pytest

from connectors import SHIPPED_SOURCES, load_sources
from connectors.connect import TEMPLATES, VERSION, load_connectors, warnings_of
from connectors.debezium import MODELS
from connectors.ogg import VERSION as OGG
from connectors.ogg import load_handler
from connectors.relay import load_relay
from connectors.web import load_pulls

SYSTEMS = {"mkt", "opm", "lean", "ymd", "erp", "mob", "ech", "chn"}
FILES = {path.stem: path for path in TEMPLATES.glob("*.yaml")}
CONNECTORS = [path for path in FILES.values() if f"version: {VERSION}" in path.read_text("utf-8")]
CATALOG = load_sources([SHIPPED_SOURCES])
TABLES = CATALOG.mappings


def test_each_of_the_eight_systems_has_one() -> None:
    assert FILES.keys() >= SYSTEMS
    assert {name.partition("-")[0] for name in FILES} == SYSTEMS


def test_together_they_have_no_fault_and_no_warning() -> None:
    assert [str(fault) for fault in warnings_of(load_connectors(CONNECTORS, CATALOG), CATALOG)] == []


def test_every_connector_class_has_one() -> None:
    found = {desired.config["connector.class"] for desired in load_connectors(CONNECTORS, CATALOG)}
    assert found == MODELS.keys()


@pytest.mark.parametrize("name", sorted(FILES))
def test_its_first_line_says_what_it_is_for(name: str) -> None:
    first = FILES[name].read_text("utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert f"({name.partition('-')[0]})" in first


def test_what_comes_by_web_service_or_across_networks_has_one_of_that_road() -> None:
    pulled = {pull.mapping.source for name in ("opm-pull", "chn-pull") for pull in load_pulls(FILES[name], TABLES)}
    assert pulled == {"opm", "chn"}
    assert load_relay(FILES["ech-relay"], TABLES).topics[0] == "cdc.ech.ech_app"


def test_goldengates_says_which_dialect_the_worker_has_to_be_told() -> None:
    handlers = [path for path in FILES.values() if f"version: {OGG}" in path.read_text("utf-8")]
    assert [path.stem for path in handlers] == ["mkt"]
    _, warnings = load_handler(handlers[0], CATALOG)
    declared = {mapping.dialect for mapping in CATALOG.mappings if mapping.source == "mkt"}
    assert any("dialects:" in str(warning) for warning in warnings) == (declared != {"ogg-json"})
