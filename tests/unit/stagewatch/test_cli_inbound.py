"""`stagewatch inbound`: what a text would mean, and nothing secret shown."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout

import pytest

from stagewatch.__main__ import run


def said(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["inbound", *arguments])
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("ＴＳ 电表太快", "complain", "TS 电表太快"), ("举报东门偷电", "report", "(restricted)"),
        ("DF3301000129", "query", "DF330****29"), ("TD", "subscription", "TD"), ("你好", "unclear", "你好"),
    ],
)  # fmt: skip
def test_try_says_what_a_text_would_be_taken_for(text: str, kind: str, shown: str) -> None:
    code, out, _ = said("try", text, "--from", "13800000129", "-o", "json")
    assert (code, json.loads(out)) == (0, {"from": "138****29", "kind": kind, "text": shown})


def test_a_card_is_not_shown_by_try_nor_by_take() -> None:
    card = "CZ 8800000000001290 483920 3301000129"
    for arguments in (
        ("try", card, "--from", "13800000129"), ("take", "13800000129", card, "--dry-run"),
    ):  # fmt: skip
        _, out, err = said(*arguments)
        assert "8800000000001290" not in out + err
        assert "483920" not in out + err
        assert "13800000129" not in out + err


def test_a_number_that_is_none_is_misuse() -> None:
    code, _, err = said("take", "nobody", "投诉")
    assert code == 2
    assert "13900000001" in err
