"""Dashboards and alert rules: every query parses, uses metrics that exist, and says what it shows."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from bench.java_artifacts import program
from connectors.health import span_ms
from streams.metrics import Metrics
from tests.helpers.dashboards import dashboards, panels, queries
from tests.helpers.decoding import catalog
from tests.helpers.requirements import needs

PROMETHEUS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
RULE_TESTS = ("rules.test.yml", "silence.test.yml")
METRICS: dict[str, dict[str, Any]] = yaml.safe_load((PROMETHEUS / "metrics.yml").read_text(encoding="utf-8"))
FROM_ELSEWHERE: dict[str, list[str]] = {"up": [], "process_start_time_seconds": []}
"""Prometheus itself and its Python client."""
SUFFIXES = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
SERIES = {
    f"{name}{suffix}": [*metric["labels"], *(["le"] if suffix == "_bucket" else [])]
    for name, metric in METRICS.items()
    for suffix in SUFFIXES[metric["type"]]
}
SCRAPE_LABELS = {"job", "instance"}
ALL_DASHBOARDS = dashboards()


def rule_expressions() -> list[str]:
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def recorded() -> set[str]:
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


EXPRESSIONS = [*(str(query.expression) for query in queries()), *rule_expressions()]


def selectors(node: Any) -> Iterator[Any]:
    """Every vector selector below a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "param", "vector_selector", "vs"):
        below = getattr(node, name, None)
        if below is not None and not isinstance(below, str | int | float):
            yield from selectors(below)
    for argument in getattr(node, "args", None) or []:
        yield from selectors(argument)


def outside_quotes(expression: str) -> str:
    return re.sub(r'"[^"]*"', '""', expression)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_parses_and_uses_what_a_worker_exposes(expression: str) -> None:
    found = list(selectors(promql_parser.parse(expression)))
    assert {selector.name for selector in found} >= set(re.findall(r"\bstagewatch[\w:]+", outside_quotes(expression)))
    for selector in found:
        known = {**SERIES, **FROM_ELSEWHERE, **{name: [] for name in recorded()}}
        assert selector.name in known
        labels = {matcher.name for matcher in selector.matchers.matchers} - {"__name__"}
        assert labels <= {*known[selector.name], *SCRAPE_LABELS}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_groups_by_labels_that_exist(expression: str) -> None:
    names = {selector.name for selector in selectors(promql_parser.parse(expression))}
    labels = {label for name in names for label in {**SERIES, **FROM_ELSEWHERE}.get(name, [])} | SCRAPE_LABELS
    labels |= set(re.findall(r', "(\w+)", "\$1", ', expression))  # made by label_replace
    grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
    assert grouped <= labels


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_counter_is_never_shown_bare(expression: str) -> None:
    counters = [name for name, metric in METRICS.items() if metric["type"] == "counter"]
    for name in counters:
        for at in re.finditer(rf"\b{name}\b", expression):
            assert re.search(r"(rate|increase)\($", expression[: at.start()]), expression


def test_metric_names_have_their_unit() -> None:
    endings = {"counter": "_total", "histogram": "_seconds"}
    assert [name for name, metric in METRICS.items() if not name.endswith(endings.get(metric["type"], ""))] == []
    assert [name for name in METRICS if not name.startswith("stagewatch_")] == []


def test_a_worker_exposes_exactly_these_metrics() -> None:
    families = [family for family in Metrics(version="0").registry.collect() if family.name.startswith("stagewatch_")]
    exposed = {f"{family.name}_total" if family.type == "counter" else family.name: family.type for family in families}
    assert exposed == {name: metric["type"] for name, metric in METRICS.items()}


def test_every_metric_is_shown_or_watched() -> None:
    text = "\n".join(EXPRESSIONS)
    assert [name for name in METRICS if not re.search(rf"\b{name}(_bucket)?\b", text)] == []


def test_operations_show_which_source_is_silent_and_how_near_the_others_are() -> None:
    shown = {query.panel: query.expression for query in queries() if query.dashboard == "operations.json"}
    assert shown["Sources running"] == "max by (source) (stagewatch_source_running)"
    assert shown["Silence of sources"] == "min by (source) (stagewatch_source_gap_ratio)"


@pytest.mark.parametrize(("name", "dashboard"), ALL_DASHBOARDS, ids=[name for name, _ in ALL_DASHBOARDS])
class TestDashboard:
    def test_it_can_be_linked_to(self, name: str, dashboard: dict[str, Any]) -> None:
        assert dashboard["uid"] == f"stagewatch-{name.removesuffix('.json')}"
        assert dashboard["title"]
        assert dashboard["description"]

    def test_every_panel_says_what_it_shows_and_in_which_unit(self, name: str, dashboard: dict[str, Any]) -> None:
        for panel in panels(dashboard):
            assert panel["title"], (name, panel["id"])
            assert panel["description"].endswith("."), (name, panel["title"])
            assert panel["fieldConfig"]["defaults"]["unit"], (name, panel["title"])
            assert panel["targets"], (name, panel["title"])

    def test_ids_differ_and_panels_do_not_overlap(self, name: str, dashboard: dict[str, Any]) -> None:
        shown = dashboard["panels"]
        assert len({panel["id"] for panel in shown}) == len(shown), name
        cells = [
            (x, y)
            for position in (panel["gridPos"] for panel in shown)
            for x in range(position["x"], position["x"] + position["w"])
            for y in range(position["y"], position["y"] + position["h"])
        ]
        assert len(set(cells)) == len(cells), name
        assert max(x for x, _ in cells) < 24

    def test_the_data_source_can_be_chosen(self, name: str, dashboard: dict[str, Any]) -> None:
        places = [*panels(dashboard), *(target for panel in panels(dashboard) for target in panel["targets"])]
        places += [variable for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
        assert {place["datasource"]["uid"] for place in places} == {"${datasource}"}, name

    def test_every_variable_is_used_and_every_used_one_exists(self, name: str, dashboard: dict[str, Any]) -> None:
        declared = {variable["name"] for variable in dashboard["templating"]["list"]}
        raw = " ".join(target["expr"] for panel in panels(dashboard) for target in panel["targets"])
        used = {word for word in re.findall(r"\$\{?(\w+)", raw) if not word.startswith("__")} | {"datasource"}
        assert used == declared, name


def test_silence_counts_from_where_each_source_declares_it() -> None:
    found = {
        source: int(hours) * 3_600_000
        for sources, hours in re.findall(r'"cdc\[\.\]\(([a-z|]+)\)[^>]*> (\d+) \* 3600', "\n".join(EXPRESSIONS))
        for source in sources.split("|")
    }
    declared = {file.model.source: file.model.quiet_after for file in catalog().files if file.model.quiet_after}
    assert found == {source: span_ms(quiet) for source, quiet in declared.items()}


def promtool(*arguments: str) -> str:
    with needs("prometheus"):
        tool = program("promtool")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False, cwd=PROMETHEUS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_accepts_its_configuration() -> None:
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", "rules.yml")


def test_alert_rules_fire_when_they_should_and_stay_silent_when_not() -> None:
    assert promtool("test", "rules", *RULE_TESTS).count("SUCCESS") == len(RULE_TESTS)


def test_every_alert_rule_is_shown_to_fire() -> None:
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))["groups"]
    names = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    texts = [(PROMETHEUS / name).read_text(encoding="utf-8") for name in RULE_TESTS]
    tests = [test for text in texts for test in yaml.safe_load(text)["tests"]]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
