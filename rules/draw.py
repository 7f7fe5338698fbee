"""Pictures of a process: an SVG for documents, a tree for the terminal (`stagewatch rules draw`).

Text in, text out: nothing is written or printed here. The SVG needs no program, font or script but a viewer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol
from unicodedata import category, east_asian_width

from rich.text import Text
from rich.tree import Tree

from rules.draw_layout import Edge, Layout, ProcessLike, StageLike, lay_out, predecessors
from rules.durations import parse_duration
from rules.models import Process

BOX_HEIGHT, GAP, ROW_GAP, MARGIN, HEAD = 52, 46, 26, 24, 58
"""Pixels: a box, the way between columns and between rows, the border, the title's height."""
LANE_HEIGHT = 18
"""Pixels of a row that only edges use."""
LINE = 17
"""Pixels between lines of limits below a box."""
CHANNEL = 16
"""Pixels between ways back, which run above the boxes."""
TITLE_SIZE, SMALL_SIZE = 15, 11
PATIENCE = 12
"""Pixels of air left and right of a box's text: fonts differ from machine to machine."""

STYLE = """
text{font-family:"Noto Sans CJK SC","Source Han Sans SC","Microsoft YaHei","PingFang SC","WenQuanYi Micro Hei",sans-serif}
.box{fill:#eef5fb;stroke:#2b6ca3;stroke-width:1.4}.optional{stroke-dasharray:5 3}.parallel{fill:#f3f0fa;stroke:#6a4fa3}
.title{font-size:15px;fill:#12283c}.code{font-size:11px;fill:#5a6b7b}.limit{font-size:12px;fill:#8a4b00}
.head{font-size:20px;fill:#12283c}.edge{fill:none;stroke:#2b6ca3;stroke-width:1.4}
.back{fill:none;stroke:#b3261e;stroke-width:1.2;stroke-dasharray:5 4}.key{font-size:12px;fill:#5a6b7b}
""".strip()  # noqa: E501 - one rule a line


class LimitLike(Protocol):
    """A row of a limit template, as far as a drawing needs it."""

    @property
    def process(self) -> str:
        """The process that it is for."""

    @property
    def stage(self) -> str | None:
        """The stage's code; None: a limit of the whole process."""

    @property
    def when(self) -> Mapping[str, Any]:
        """The instances that it holds for."""

    @property
    def limit(self) -> str:
        """A duration, e.g. `5wd`."""


def limit_lines(rows: Iterable[LimitLike], process: str) -> dict[str, str]:
    """Give the limits of each stage in words, a line a row: `30个工作日（source_count ≥ 2）`."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        if row.process == process and row.stage is not None:
            when = "，".join(_condition(field, wanted) for field, wanted in row.when.items())
            words = parse_duration(row.limit).words
            lines.setdefault(row.stage, []).append(f"{words}（{when}）" if when else words)
    return {stage: "\n".join(texts) for stage, texts in lines.items()}


def stage_lines(process: Process, rows: Iterable[LimitLike]) -> dict[str, str]:
    """Give what stands below each stage in a picture: its limits, who does it, the documents it needs."""
    limits = limit_lines(rows, process.id)
    lines: dict[str, str] = {}
    for stage in process.stages:
        own = parse_duration(stage.limit).words if stage.limit else ""
        acts = "办理：" + "、".join(stage.acts) if stage.acts else ""
        found = [limits.get(stage.code, own), acts, *(f"资料：{name}" for name in stage.documents)]
        lines[stage.code] = "\n".join(line for line in found if line)
    return lines


def draw_text(process: ProcessLike, limits: Mapping[str, str] | None = None) -> Tree:
    """Give the process as a tree for rich: a line a stage in order of succession, ways back below theirs."""
    titles = {stage.code: stage.title for stage in process.stages}
    before = predecessors(process.stages)
    columns = lay_out(process).cells
    tree = Tree(Text.assemble((process.title, "bold"), " ", (process.id, "dim")))
    for stage in sorted(process.stages, key=lambda stage: columns[stage.code][0]):
        marks = [word for word, is_set in (("可选", stage.optional), ("并行", stage.parallel)) if is_set]
        line = Text.assemble((stage.title, "cyan"), " ", (stage.code, "dim"))
        line.append("".join(f" [{mark}]" for mark in marks), "magenta")
        line.append("".join(f"  ⏱ {text}" for text in (limits or {}).get(stage.code, "").splitlines()), "yellow")
        branch = tree.add(line)
        follows = [titles[code] for code in before[stage.code]]
        if follows:
            branch.add(Text(f"← {'、'.join(follows)}", "dim"))
        back = [titles.get(code, code) for code in stage.back_to]
        if back:
            branch.add(Text(f"↩ 退回 {'、'.join(back)}", "red"))
    return tree


def draw_svg(process: ProcessLike, limits: Mapping[str, str] | None = None) -> str:
    """Give the process as an SVG document: boxes from left to right, limits below them, ways back dashed.

    `limits` has what stands below each stage, by code; a line break begins a new line.
    """
    limits = limits or {}
    layout = lay_out(process)
    canvas = _Canvas(process, layout, limits)
    parts = [canvas.edge(edge) for edge in layout.edges]
    parts += [canvas.way_back(number, *pair) for number, pair in enumerate(canvas.nested_back())]
    parts += [canvas.box(stage, limits.get(stage.code, "")) for stage in process.stages]
    head = f"{process.title}　{process.id}"
    width = max(canvas.width, MARGIN * 2 + text_width(head, 20), 420)
    size = f'width="{width}" height="{canvas.height}"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {canvas.height}" {size} role="img">'
    arrows = _arrow("arrow", "#2b6ca3") + _arrow("back", "#b3261e")
    lines = [
        opening,
        f"<title>{xml_text(head)}</title>",
        f"<style>{STYLE}</style>",
        f"<defs>{arrows}</defs>",
        f'<rect {size} fill="#ffffff"/>',
        f'<text class="head" x="{MARGIN}" y="38">{xml_text(head)}</text>',
        *parts,
        _key(canvas.height - 14),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Box:
    """Edges of a drawn box in pixels."""

    left: int
    top: int
    width: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def middle(self) -> int:
        return self.top + BOX_HEIGHT // 2

    @property
    def center(self) -> int:
        return self.left + self.width // 2


class _Canvas:
    """Pixels of a layout, and the SVG of its parts."""

    def __init__(self, process: ProcessLike, layout: Layout, limits: Mapping[str, str]) -> None:
        self._layout = layout
        self._top = HEAD + CHANNEL * len(layout.back) + (10 if layout.back else 0)
        heights = [LANE_HEIGHT] * layout.rows
        widths = [90] * layout.columns
        for stage in process.stages:
            column, row = layout.cells[stage.code]
            limit = limits.get(stage.code, "")
            widths[column] = max(widths[column], _box_width(stage, limit))
            heights[row] = max(heights[row], BOX_HEIGHT + LINE * len(limit.splitlines()) + ROW_GAP)
        self._tops = [self._top + sum(heights[:n]) for n in range(layout.rows + 1)]
        self._lefts = [MARGIN + sum(widths[:n]) + GAP * n for n in range(layout.columns)]
        self._boxes = {
            code: _Box(self._lefts[column], self._tops[row], widths[column])
            for code, (column, row) in layout.cells.items()
        }
        self.width = MARGIN * 2 + sum(widths) + GAP * max(layout.columns - 1, 0)
        self.height = self._tops[-1] + 30

    def nested_back(self) -> Sequence[tuple[str, str]]:
        """Give the ways back, the shortest first, so that longer ones run above them."""
        cells = self._layout.cells
        return sorted(self._layout.back, key=lambda pair: cells[pair[0]][0] - cells[pair[1]][0])

    def box(self, stage: StageLike, limit: str) -> str:
        """Draw one stage with its limits."""
        box = self._boxes[stage.code]
        classes = "box" + (" optional" if stage.optional else "") + (" parallel" if stage.parallel else "")
        parts = [
            f'<g id="{xml_text(stage.code)}">',
            f'<rect class="{classes}" x="{box.left}" y="{box.top}" width="{box.width}" height="{BOX_HEIGHT}" rx="6"/>',
            text_at("title", box.center, box.top + 23, stage.title),
            text_at("code", box.center, box.top + 41, stage.code),
        ]
        for number, line in enumerate(limit.splitlines(), 1):
            parts.append(text_at("limit", box.center, box.top + BOX_HEIGHT + LINE * number, line))
        return "".join([*parts, "</g>"])

    def edge(self, edge: Edge) -> str:
        """Draw a way forward: along its lane, then up or down in the gap before its target."""
        source, target = self._boxes[edge.source], self._boxes[edge.target]
        lane = source.middle if edge.row == self._layout.cells[edge.source][1] else self._lane(edge.row)
        out, back_in = source.right + GAP // 3, self._lefts[self._layout.cells[edge.target][0]] - GAP // 2
        path = f"M{source.right} {source.middle}"
        if lane != source.middle:
            path += f"H{out}V{lane}"
        path += f"H{back_in}V{target.middle}H{target.left}"
        return f'<path class="edge" d="{path}" marker-end="url(#arrow)"/>'

    def _lane(self, row: int) -> int:
        has_boxes = any(used == row for _, used in self._layout.cells.values())
        return self._tops[row] + (BOX_HEIGHT // 2 if has_boxes else 0)

    def way_back(self, number: int, source_code: str, target_code: str) -> str:
        """Draw a way back: over the boxes, up and down only where no box stands."""
        source, target = self._boxes[source_code], self._boxes[target_code]
        shift = number * 6
        height = self._top - 10 - CHANNEL * number
        if self._layout.cells[source_code][1] == 0:
            path = f"M{source.center + source.width // 4 - shift % 24} {source.top}V{height}"
        else:
            path = f"M{source.right} {source.middle + 10}H{source.right + 6 + shift % 12}V{height}"
        if self._layout.cells[target_code][1] == 0:
            path += f"H{target.center - target.width // 4 + shift % 24}V{target.top}"
        else:
            path += f"H{target.left - 6 - shift % 12}V{target.middle - 10}H{target.left}"
        return f'<path class="back" d="{path}" marker-end="url(#back)"/>'


def _arrow(name: str, colour: str) -> str:
    size = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"'
    return f'<marker id="{name}" {size}><path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'


def _key(y: int) -> str:
    x = MARGIN
    return (
        f'<path class="back" d="M{x} {y - 4}h34" marker-end="url(#back)"/>'
        f'<text class="key" x="{x + 42}" y="{y}">退回</text>'
        f'<rect class="box optional" x="{x + 92}" y="{y - 12}" width="26" height="15" rx="3"/>'
        f'<text class="key" x="{x + 126}" y="{y}">可选</text>'
        f'<rect class="box parallel" x="{x + 176}" y="{y - 12}" width="26" height="15" rx="3"/>'
        f'<text class="key" x="{x + 210}" y="{y}">并行</text>'
    )


def _condition(field: str, wanted: object) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "ne": "≠"}
    if isinstance(wanted, Mapping):
        return "，".join(f"{field} {signs.get(str(sign), sign)} {value}" for sign, value in wanted.items())
    if isinstance(wanted, list | tuple):
        return f"{field} ∈ {'/'.join(str(value) for value in wanted)}"
    return f"{field} = {wanted}"


def _box_width(stage: StageLike, limit: str) -> int:
    inside = max(text_width(stage.title, TITLE_SIZE), text_width(stage.code, SMALL_SIZE))
    below = max((text_width(line, 12) for line in limit.splitlines()), default=0)
    return max(inside + 2 * PATIENCE, below)


def text_width(text: str, size: int) -> int:
    """Estimate pixels: a Chinese character is as wide as the font is high, a Latin one two thirds of that."""
    return sum(size if east_asian_width(char) in "WF" else size * 2 // 3 for char in text)


def text_at(kind: str, x: int, y: int, text: str) -> str:
    """Give an SVG text of a class of `STYLE`, centred on `x`."""
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="middle">{xml_text(text)}</text>'


def xml_text(text: str) -> str:
    """Escape for XML; characters that no XML document may hold (control, lone surrogates) become `?`."""
    return escape("".join("?" if category(char) in {"Cc", "Cs"} or char in "\ufffe\uffff" else char for char in text))
