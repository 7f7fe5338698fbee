"""The command line as a whole: exit codes, unknown names, no tracebacks, and an answer at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from stagewatch.__main__ import ROOT, run
from stagewatch.cli import moment

HEAVY = {
    "faust",
    "aiokafka",
    "kafka",
    "sqlalchemy",
    "pydantic",
    "rich",
    "yaml",
    "aiohttp",
    "requests",
    "rules",
    "streams",
}
NOON = 1_771_992_000_000  # 2026-02-25T12:00+08:00


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from stagewatch.__main__ import run; run(['--help']);"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr.strip() == "[]"
    for name in ROOT.list_commands(None):  # type: ignore[arg-type]
        assert f"\n  {name} " in done.stdout


def test_a_file_that_is_no_recording_is_not_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.jsonl").write_text("hello\n{}\n")
    assert run(["replay", str(tmp_path / "notes.jsonl"), "-o", str(tmp_path / "out")]) == 1
    assert "notes.jsonl is no recording" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_command_lists_the_known_and_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replya"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "did you mean replay?" in said.err
    assert "deadletters" in said.err


@pytest.mark.parametrize("arguments", [["rules", "dif"], ["alerts", "show"], ["instances"], ["replay"], ["bench", "x"]])
def test_misuse_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_missing_file_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "nowhere.jsonl", "-o", "out"]) == 2
    assert "nowhere.jsonl" in capsys.readouterr().err


def test_a_failure_is_one_line_and_one_and_verbose_shows_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STAGEWATCH_PARTITIONS", "many")
    assert run(["settings"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "STAGEWATCH_PARTITIONS" in said
    with pytest.raises(Exception, match="STAGEWATCH_PARTITIONS"):
        run(["settings", "-v"])
    with pytest.raises(Exception, match="STAGEWATCH_PARTITIONS"):
        run(["-v", "settings"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOON),
        ("2026-02-25T12:00:00+08:00", NOON),
        ("2026-02-25T04:00:00Z", NOON),
        ("2026-02-25T12:00", NOON),
        ("2026-02-25 12:00:00.001", NOON + 1),
        ("2026-02-25", NOON + 12 * 3_600_000),
        ("20260225", NOON + 12 * 3_600_000),
        ("20260225T12", NOON),
        ("9999-12-30", 253_402_185_600_000),
    ],
)
def test_times_on_the_command_line(text: str, expected: int) -> None:
    assert moment(text, now_ms=NOON, zone="Asia/Shanghai") == expected


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "12:00", "2026-02-25T25:00"])
def test_what_is_no_time_is_misuse(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("")
    assert run(["replay", str(events), "--until", text, "-o", str(tmp_path / "out")]) == 2
    assert "ISO 8601" in capsys.readouterr().err
