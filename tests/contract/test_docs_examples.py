"""The files that the pages show: as they stand there, `stagewatch check` finds no fault in them."""

import re
from pathlib import Path

import pytest

from stagewatch.__main__ import run

PAGES = Path(__file__).resolve().parents[2] / "docs"
WHOLE = re.compile(r"```yaml\n(version: .*?)```", re.DOTALL)
"""An example that is a whole file; others are parts of one."""


def examples(page: str) -> list[str]:
    return WHOLE.findall((PAGES / page).read_text(encoding="utf-8"))


def test_every_road_from_outside_has_its_example() -> None:
    assert [text.splitlines()[0] for text in examples("ingest.md")] == ["version: pull/v1", "version: relay/v1"]


@pytest.mark.parametrize("number", [0, 1], ids=["pull", "relay"])
def test_an_example_of_the_ingest_page_is_without_fault(
    number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(examples("ingest.md")[number], encoding="utf-8")
    assert run(["check", str(file)]) == 0, capsys.readouterr().out
