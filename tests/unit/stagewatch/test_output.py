"""The terminal: data on stdout, talk on stderr, nothing that a terminal would obey."""

import io
import json
import os
import subprocess
import sys

import pytest

from schemas import Fault
from stagewatch.output import Output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def make(*, is_json: bool = False) -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Output(is_json=is_json, out=out, err=err), out, err


def test_a_table_in_a_pipe_is_plain_and_not_cut() -> None:
    output, out, err = make()
    output.table(["alert", "text"], [["a1", "长" * 200], ["a2", None]])
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["alert", "text"]
    assert lines[1].endswith("长" * 200)
    assert lines[2] == "a2"
    assert "\x1b" not in out.getvalue()
    assert err.getvalue() == ""


def test_json_is_an_object_a_line() -> None:
    output, out, _ = make(is_json=True)
    output.table(["a", "b"], [["一", 1], [None, [True, {"c": 2}]]])
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"a": "一", "b": 1},
        {"a": None, "b": [True, {"c": 2}]},
    ]
    assert "一" in out.getvalue()


def test_nothing_found_is_talk_not_data() -> None:
    output, out, err = make()
    output.table(["a"], [])
    assert out.getvalue() == ""
    assert err.getvalue() == "nothing found\n"
    output, out, err = make(is_json=True)
    output.table(["a"], [])
    assert (out.getvalue(), err.getvalue()) == ("", "")


def test_talk_goes_to_stderr_also_with_json() -> None:
    output, out, err = make(is_json=True)
    output.say("ready: 8 partitions")
    output.warn("odd")
    output.error("x" * 300)
    output.done("created connector mkt")
    assert out.getvalue() == ""
    assert err.getvalue() == f"ready: 8 partitions\nwarning: odd\n{'x' * 300}\ncreated connector mkt\n"


def test_records() -> None:
    output, out, _ = make()
    output.record({"id": 1, "ok": True, "tags": ["甲"]})
    assert [line.split() for line in out.getvalue().splitlines()] == [["id", "1"], ["ok", "yes"], ["tags", '["甲"]']]
    output, out, _ = make(is_json=True)
    output.record({"id": 1})
    assert out.getvalue() == '{"id": 1}\n'


def test_colour_only_on_a_terminal() -> None:
    out, err = Terminal(), Terminal()
    output = Output(out=out, err=err)
    output.error("no")
    assert "no" in err.getvalue()
    plain, _, plain_err = make()
    plain.error("no")
    assert plain_err.getvalue() == "no\n"


def test_hostile_data_reaches_the_terminal_as_text() -> None:
    output, out, err = make()
    output.table(["a"], [["\x1b[2J[bold]x[/bold]\r\n\ud800"]])
    output.line("a\x1b]0;title\x07")
    output.say("[red]a\x1b[0m")
    output.error("line 1\nline 2")
    shown = out.getvalue() + err.getvalue()
    assert "\x1b" not in shown
    assert "[bold]x[/bold]" in shown
    assert "[red]a" in shown
    assert "line 1\nline 2\n" in shown
    shown.encode()


def test_lone_surrogates_are_escaped_in_json() -> None:
    output, out, _ = make(is_json=True)
    output.record({"a": "\ud800一"})
    out.getvalue().encode()
    assert json.loads(out.getvalue()) == {"a": "\ud800一"}


def test_a_fault_is_its_place_and_its_message_in_both_forms() -> None:
    fault = Fault("limits.yaml", 3, 7, "no stage 'SCHEMX'")
    output, out, _ = make()
    output.fault(fault)
    assert out.getvalue() == "limits.yaml:3:7: no stage 'SCHEMX'\n"
    output, out, _ = make(is_json=True)
    output.fault(fault)
    assert json.loads(out.getvalue()) == {
        "file": "limits.yaml", "line": 3, "column": 7, "message": "no stage 'SCHEMX'",
    }  # fmt: skip


@pytest.mark.parametrize("arguments", [["rules", "draw", "hv_connection"], ["templates", "list"]])
def test_a_locale_that_cannot_write_a_name_ends_no_command(arguments: list[str]) -> None:
    surroundings = os.environ | {"PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(
        [sys.executable, "-m", "stagewatch", *arguments], env=surroundings, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert b"\\u" in ran.stdout
