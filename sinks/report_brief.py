"""A report as a text message: the figures of its unit, how many anomalies, and where most of them are. Pure."""

from schemas.notice import Notice
from sinks.report import Line, Tables, shown
from sinks.wording import SIGNATURE

_LONGEST = 201
"""Three parts of 67 characters: a digest is read at a glance, and costs by the part."""


def report_brief(tables: Tables, notice: Notice) -> str:
    """Give one message of at most three parts; units that do not fit are left out, the fewest anomalies first."""
    order, (own, *below) = tables.order, tables.units
    figures = [
        f"{each.title}{shown(value, each)}{'' if value is None or each.unit == '%' else each.unit}"
        for value, each in zip(own.values, order.indicators, strict=True)
    ]
    what = "未结异常" if order.anomalies == "open" else "异常"
    late = "（补发）" if notice.is_late else ""
    said = f"{SIGNATURE}{order.title}{late} {order.place}：" + "，".join([*figures, f"{what}{own.anomalies}条"])
    return said + _listed(below, _LONGEST - len(said) - 2) + "。"


def _listed(below: list[Line], room: int) -> str:
    """Name the units of the first level that have anomalies, the most first."""
    found: list[str] = []
    for line in sorted(below, key=lambda line: -line.anomalies):
        named = f"{line.label}{line.anomalies}条"
        if line.level == 1 and line.anomalies and len(named) + 1 <= room:
            found.append(named)
            room -= len(named) + 1
    return f"（{'、'.join(found)}）" if found else ""
