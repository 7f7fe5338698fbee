"""Pictures of processes: what must be in them, and that nothing in a definition can break them."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rules.draw import draw_svg, draw_text, limit_lines
from rules.draw_layout import lay_out

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Stage:
    code: str
    title: str = "环节"
    after: tuple[str, ...] = ()
    back_to: tuple[str, ...] = ()
    parallel: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Process:
    stages: tuple[Stage, ...]
    id: str = "hv_connection"
    title: str = "高压业扩"


@dataclass(frozen=True)
class Limit:
    stage: str | None
    limit: str
    process: str = "hv_connection"
    when: Mapping[str, object] = field(default_factory=dict)


CONNECTION = Process(
    (
        Stage("ACCEPT", "业务受理"),
        Stage("SURVEY", "现场勘查", ("ACCEPT",)),
        Stage("SCHEME", "供电方案编制", ("ACCEPT",), parallel=True),
        Stage("BUILD", "施工", ("SCHEME",)),
        Stage("SUPERVISE", "监理", ("SCHEME",), parallel=True, optional=True),
        Stage("TEST", "试验", ("BUILD",), ("BUILD",)),
        Stage("COMPLETE", "竣工验收", ("BUILD", "TEST", "SUPERVISE"), ("BUILD", "TEST")),
    )
)

codes = st.sampled_from([f"S{n}" for n in range(9)])
links = st.lists(codes, max_size=3).map(tuple)
stages = st.builds(Stage, codes, st.text(max_size=8), links, links, st.booleans(), st.booleans())
processes = st.lists(stages, max_size=9, unique_by=lambda stage: stage.code).map(
    lambda found: Process(tuple(found), title="x")
)


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter(f"{SVG}text")]


def test_every_stage_and_limit_is_in_the_picture() -> None:
    found = texts(draw_svg(CONNECTION, {"SCHEME": "15个工作日\n双电源 30个工作日", "COMPLETE": "5个工作日"}))
    assert {stage.title for stage in CONNECTION.stages} <= set(found)
    assert {stage.code for stage in CONNECTION.stages} <= set(found)
    assert {"15个工作日", "双电源 30个工作日", "5个工作日"} <= set(found)


def test_ways_back_are_dashed_paths_of_their_own() -> None:
    root = ET.fromstring(draw_svg(CONNECTION))
    ways = [node for node in root.iter(f"{SVG}path") if node.get("class") == "back"]
    assert len(ways) == 3 + 1  # the key has one
    assert "stroke-dasharray" in draw_svg(CONNECTION)


def test_the_longest_way_is_the_first_row_and_columns_follow_the_order() -> None:
    cells = lay_out(CONNECTION).cells
    assert [cells[code] for code in ("ACCEPT", "SCHEME", "BUILD", "TEST", "COMPLETE")] == [(n, 0) for n in range(5)]
    assert cells["SURVEY"] == (1, 1)
    assert cells["SUPERVISE"] == (2, 1)


def test_a_link_that_another_way_implies_is_not_drawn() -> None:
    pairs = [(edge.source, edge.target) for edge in lay_out(CONNECTION).edges]
    assert ("BUILD", "COMPLETE") not in pairs
    assert ("TEST", "COMPLETE") in pairs


def test_a_way_past_an_optional_stage_runs_around_it() -> None:
    process = Process((Stage("A"), Stage("B", after=("A",), optional=True), Stage("C", after=("A", "B"))))
    layout = lay_out(process)
    past = next(edge for edge in layout.edges if (edge.source, edge.target) == ("A", "C"))
    assert layout.cells["B"] == (1, 0)
    assert past.row == 1
    assert layout.rows == 2


def test_stages_that_name_no_predecessor_follow_the_one_listed_before() -> None:
    layout = lay_out(Process((Stage("A"), Stage("B"), Stage("C", parallel=True), Stage("D"))))
    assert [layout.cells[code][0] for code in "ABCD"] == [0, 1, 1, 2]


def test_limits_are_said_in_words_with_their_conditions() -> None:
    rows = [
        Limit("SCHEME", "30wd", when={"source_count": {"ge": 2}}),
        Limit("SCHEME", "15wd", when={"cons_type": "large", "code": ["a", "b"]}),
        Limit(None, "46wd"),
        Limit("SCHEME", "7wd", process="lv_connection"),
    ]
    lines = limit_lines(rows, "hv_connection")
    assert lines == {"SCHEME": "30个工作日（source_count ≥ 2）\n15个工作日（cons_type = large，code ∈ a/b）"}


def test_the_terminal_tree_names_stages_limits_and_ways_back() -> None:
    console = Console(width=100, record=True, file=None, color_system=None, quiet=False)
    with console.capture() as captured:
        console.print(draw_text(CONNECTION, {"COMPLETE": "5个工作日"}))
    shown = captured.get()
    assert "高压业扩 hv_connection" in shown
    assert "竣工验收 COMPLETE  ⏱ 5个工作日" in shown
    assert "↩ 退回 施工、试验" in shown
    assert "监理 SUPERVISE [可选] [并行]" in shown


def test_hostile_titles_stay_text() -> None:
    title = "</text><script>alert(1)</script>&\x00\ud800\ufffe"
    found = texts(draw_svg(Process((Stage("A", title),)), {"A": '"<b>"'}))
    assert "</text><script>alert(1)</script>&???" in found
    assert '"<b>"' in found


@given(processes)
def test_any_definition_gives_a_picture_in_which_no_two_stages_overlap(process: Process) -> None:
    layout = lay_out(process)
    assert len(set(layout.cells.values())) == len(process.stages) == len(layout.cells)
    assert all(layout.cells[edge.source][0] < layout.cells[edge.target][0] for edge in layout.edges)
    for edge in layout.edges:
        lane = {(column, edge.row) for column in range(layout.cells[edge.source][0] + 1, layout.cells[edge.target][0])}
        assert not lane & set(layout.cells.values())
    assert len(texts(draw_svg(process))) == 2 * len(process.stages) + 4
    assert draw_text(process).children is not None
