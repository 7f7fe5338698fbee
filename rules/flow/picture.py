"""The flow that really was as a picture: stages from top to bottom, ways between them with counts and waits.

Text out, nothing is written here. Where a stage stands comes from the definition (`rules.draw_layout`, turned by a
quarter, since what is written on a way needs the room beside it); which ways there are comes from history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rules.draw import MARGIN, text_at, text_width, xml_text
from rules.draw_layout import lay_out
from rules.flow.durations import By, Taken
from rules.flow.follows import Follow
from rules.flow.totals import Flow
from rules.models import Stage

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, HEAD = 210, 64, 120, 56, 92
"""Pixels: a stage, the room between columns and between rows (a label each), the title and the key."""
ARC = 30
"""Pixels that a way around others bulges for each row that it passes, so that no two of one stage run together."""
LEAST_SHARE = 0.01
"""Of the instances: ways that fewer took are counted below the picture, or one could not see the others."""
THIN, THICK = 1.2, 6.0
"""Pixels: a way that one instance took, and the one that most took."""
DAY_H, SHORT_H = 24, 1
STYLE = """
text{font-family:"Noto Sans CJK SC","Source Han Sans SC","Microsoft YaHei","PingFang SC","WenQuanYi Micro Hei",sans-serif}
.box{fill:#fff;stroke:#2b6ca3;stroke-width:1.4}.never{stroke:#9aa7b3;stroke-dasharray:5 3}.unknown{stroke:#b3261e}
.heat{fill:#e08a1e}.title{font-size:15px;fill:#12283c}.code{font-size:11px;fill:#5a6b7b}.limit{font-size:12px;fill:#8a4b00}
.head{font-size:20px;fill:#12283c}.key{font-size:12px;fill:#5a6b7b}.edge{fill:none;stroke:#2b6ca3}
.back{fill:none;stroke:#b3261e;stroke-dasharray:6 4}
.on{font-size:12px;fill:#12283c}.red{fill:#b3261e}.air{fill:#fff;fill-opacity:.85}
""".strip()  # noqa: E501 - one rule a line


@dataclass(frozen=True, slots=True)
class _Shown:
    """A process as the layout needs it: the definition's stages, and those that only history knows."""

    id: str
    title: str
    stages: Sequence[Stage]


def draw_flow(flow: Flow) -> str:
    """Give the flow as an SVG document."""
    process = flow.process
    taken = {row.stage: row for row in flow.durations.rows(By.STAGE)}
    unknown = [Stage(code=code, title=code, parallel=True) for code in taken if code not in process.stages]
    shown = _Shown(process.id, process.title, [*process.stages.values(), *unknown])
    follows = flow.follows.rows()
    drawn = [row for row in follows if row.count >= LEAST_SHARE * flow.totals.instances]
    canvas = _Canvas(lay_out(shown).cells, drawn)
    parts = [canvas.way(row, max(each.count for each in drawn)) for row in reversed(drawn)]
    parts += [canvas.box(stage, taken.get(stage.code), flow) for stage in shown.stages]
    parts += [canvas.label(row) for row in drawn]
    left_out = len(follows) - len(drawn)
    if left_out:
        parts.append(_key(canvas.height - 14, f"另有 {left_out} 条不足 1% 的路径未画出"))
    return _document(canvas, f"{process.title}　{process.id}　实际流程", flow, parts)


def _document(canvas: _Canvas, head: str, flow: Flow, parts: Sequence[str]) -> str:
    size = f'width="{canvas.width}" height="{canvas.height}"'
    totals = flow.totals
    key = f"{totals.instances} 个流程实例，{totals.over} 个已结束，{totals.events} 次环节办理"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {canvas.width} {canvas.height}" {size} role="img">',
        f"<title>{xml_text(head)}</title>",
        f"<style>{STYLE}</style>",
        f"<defs>{_arrow('arrow', '#2b6ca3')}{_arrow('back', '#b3261e')}</defs>",
        f'<rect {size} fill="#ffffff"/>',
        f'<text class="head" x="{MARGIN}" y="38">{xml_text(head)}</text>',
        _key(60, key),
        _key(
            78,
            "环节中：中位用时，颜色越深占总用时越多；线上：次数与中位等待，红色虚线为返回；时间均为工作日用时，扣除暂停",
        ),
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


class _Canvas:
    """Pixels of the stages, and the SVG of the parts."""

    def __init__(self, cells: Mapping[str, tuple[int, int]], drawn: Sequence[Follow]) -> None:
        self._cells = cells
        self._bulges = {(row.source, row.target): self._bulge(row) for row in drawn}
        left = max((-bulge for bulge in self._bulges.values()), default=0)
        right = max(self._bulges.values(), default=0)
        self._left = MARGIN + max(left, 0) + GAP_X
        lanes = 1 + max((lane for _, lane in cells.values()), default=0)
        rows = 1 + max((row for row, _ in cells.values()), default=0)
        width = self._left + lanes * (BOX_WIDTH + GAP_X) + max(right, 0) + MARGIN
        self.width = max(width, 760)  # the key's sentence
        self.height = HEAD + rows * (BOX_HEIGHT + GAP_Y) + 30

    def _bulge(self, row: Follow) -> int:
        """Give how far a way goes around the rows between, to the left (negative) or right; 0 if it goes straight."""
        (begin, lane), (end, other) = self._cells[row.source], self._cells[row.target]
        rows = end - begin
        if row.source == row.target or (rows < 0 and lane == other):
            return -ARC * (1 - rows)
        return ARC * abs(rows) if rows < 0 or (rows > 1 and lane == other) else 0

    def _corner(self, stage: str) -> tuple[int, int]:
        row, lane = self._cells[stage]
        return self._left + lane * (BOX_WIDTH + GAP_X), HEAD + row * (BOX_HEIGHT + GAP_Y)

    def box(self, stage: Stage, taken: Taken | None, flow: Flow) -> str:
        """Draw one stage with what is known of its visits."""
        x, y = self._corner(stage.code)
        size = f'x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"'
        style = "box never" if taken is None else "box" if stage.code in flow.process.stages else "box unknown"
        center = x + BOX_WIDTH // 2
        parts = [f'<g id="{xml_text(stage.code)}"><rect class="{style}" {size}/>']
        if taken is not None:
            parts.append(f'<rect class="heat" {size} fill-opacity="{taken.share * 0.9:.2f}"/>')
        parts += [
            text_at("title", center, y + 21, stage.title),
            text_at("code", center, y + 37, _begins(stage.code, flow)),
        ]
        if taken is not None:
            open_ = f"，在办 {taken.open}" if taken.open else ""
            visits = taken.worked_h.count + taken.open
            parts.append(text_at("limit", center, y + 54, f"{visits} 次，中位 {said(taken.worked_h.median)}{open_}"))
        return "".join([*parts, "</g>"])

    def way(self, row: Follow, most: int) -> str:
        """Draw a way between two stages, the thicker the more took it."""
        style, arrow = ("back", "back") if row.is_back else ("edge", "arrow")
        width = THIN + (THICK - THIN) * row.count / most
        path = f'd="{self._path(row)}" stroke-width="{width:.1f}"'
        return f'<path class="{style}" {path} marker-end="url(#{arrow})"/>'

    def _path(self, row: Follow) -> str:
        (x, y), (to_x, to_y) = self._corner(row.source), self._corner(row.target)
        bulge, half = self._bulges[row.source, row.target], BOX_HEIGHT // 2
        if bulge:
            side = BOX_WIDTH if bulge > 0 else 0
            begin, end = y + half + 8, to_y + half - 8
            far = max(x, to_x) + side + bulge * 4 // 3 if bulge > 0 else min(x, to_x) + bulge * 4 // 3
            return f"M{x + side} {begin}C{far} {begin} {far} {end} {to_x + side} {end}"
        if y == to_y:
            return self._beside(x, to_x, y)
        begin, end, middle = x + BOX_WIDTH // 2, to_x + BOX_WIDTH // 2, (y + BOX_HEIGHT + to_y) // 2
        return f"M{begin} {y + BOX_HEIGHT}C{begin} {middle} {end} {middle} {end} {to_y}"

    @staticmethod
    def _beside(x: int, to_x: int, y: int) -> str:
        """Lead a way along a row: between neighbours straight, else over the others there, or back below them."""
        if abs(to_x - x) > BOX_WIDTH + GAP_X:
            edge, far = (y, y - GAP_Y // 2) if to_x > x else (y + BOX_HEIGHT, y + BOX_HEIGHT + GAP_Y // 2)
            begin, end = x + BOX_WIDTH * 3 // 4, to_x + BOX_WIDTH // 4
            return f"M{begin} {edge}C{begin} {far} {end} {far} {end} {edge}"
        begin, end, lower = (x + BOX_WIDTH, to_x, 9) if to_x > x else (x, to_x + BOX_WIDTH, -9)
        return f"M{begin} {y + BOX_HEIGHT // 2 + lower}H{end}"

    def label(self, row: Follow) -> str:
        """Write on a way how many took it, and how long they waited before the next stage."""
        wait = f" · {said(row.wait_h.median)}" if row.wait_h.count else ""
        text = f"{row.count}{wait}"
        width = text_width(text, 12)
        x, y = self._middle(row, width)
        air = f'<rect class="air" x="{x - width // 2 - 2}" y="{y - 12}" width="{width + 4}" height="16"/>'
        return air + text_at("on red" if row.is_back else "on", x, y, text)

    def _middle(self, row: Follow, width: int) -> tuple[int, int]:
        """Give where a text of that width stands at a way."""
        (x, y), (to_x, to_y) = self._corner(row.source), self._corner(row.target)
        bulge, half, center = self._bulges[row.source, row.target], BOX_HEIGHT // 2, (x + to_x + BOX_WIDTH) // 2
        if bulge:
            near = max(x, to_x) + BOX_WIDTH if bulge > 0 else min(x, to_x)
            return near + bulge, (y + to_y) // 2 + half
        if y != to_y:
            return center + (8 + width // 2 if x == to_x else 0), (y + BOX_HEIGHT + to_y) // 2 + 4
        if abs(to_x - x) > BOX_WIDTH + GAP_X:
            return center, y - GAP_Y // 3 if to_x > x else y + BOX_HEIGHT + GAP_Y // 2
        return center, y + half + (24 if to_x > x else -14)


def _arrow(name: str, colour: str) -> str:
    """Give an arrow's head that is no larger on a thick way."""
    size = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="13" markerHeight="13" markerUnits="userSpaceOnUse"'
    return f'<marker id="{name}" {size} orient="auto"><path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'


def _begins(code: str, flow: Flow) -> str:
    begins, ends = flow.follows.begins[code], flow.follows.ends[code]
    return code + (f"　▶ {begins}" if begins else "") + (f"　■ {ends}" if ends else "")


def _key(y: int, text: str) -> str:
    return f'<text class="key" x="{MARGIN}" y="{y}">{xml_text(text)}</text>'


def said(hours: float) -> str:
    """Say working hours in Chinese: 3.2天, 5小时, 不足1小时."""
    if hours >= DAY_H:
        return f"{hours / DAY_H:.1f}天"
    return f"{hours:.0f}小时" if hours >= SHORT_H else "不足1小时"
