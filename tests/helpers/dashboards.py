"""Dashboards as the queries that they make: variables filled in, so that Prometheus can answer."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "dashboards"
FILLED_IN = {"$__rate_interval": "1m", "$__interval": "15s", "$__range": "1h"}


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """One query of one panel, ready to be asked."""

    dashboard: str
    panel: str
    expression: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}: {self.expression}"


def dashboards() -> list[tuple[str, dict[str, Any]]]:
    """File name and content of every dashboard that the deployment ships."""
    return [(path.name, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(FOLDER.glob("*.json"))]


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """All panels with something to show, those inside collapsed rows too."""
    inside = [panel for row in dashboard["panels"] for panel in row.get("panels", [])]
    return [panel for panel in [*dashboard["panels"], *inside] if panel["type"] not in {"row", "text"}]


def queries() -> list[PanelQuery]:
    """Every query of every dashboard; a variable becomes what matches all."""
    return [
        PanelQuery(name, panel["title"], _filled_in(target["expr"], dashboard))
        for name, dashboard in dashboards()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def _filled_in(expression: str, dashboard: dict[str, Any]) -> str:
    for name, value in FILLED_IN.items():
        expression = expression.replace(name, value)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            expression = expression.replace(f"${variable['name']}", variable["allValue"])
    return expression
