"""Phone numbers do not leave by a command's output, wherever they stand in a document."""

from stagewatch.phones import without_phones

NUMBER = "13800138001"
MASKED = "138****01"


def test_numbers_are_masked_at_any_depth_and_nothing_else_is() -> None:
    document = {
        "fields": {"cust_mobile": NUMBER, "app_no": NUMBER, "archived_at": None},
        "rows": {"stakeholder:1": {"mobile": 13_800_138_001, "role": "x"}, "y": {"mobile": None}},
        "visits": [{"stage": "SURVEY", "visit": 1}],
    }
    assert without_phones(document) == {
        "fields": {"cust_mobile": MASKED, "app_no": NUMBER, "archived_at": None},
        "rows": {"stakeholder:1": {"mobile": MASKED, "role": "x"}, "y": {"mobile": None}},
        "visits": [{"stage": "SURVEY", "visit": 1}],
    }


def test_what_is_said_of_a_number_is_masked_too() -> None:
    changed = {"field": "cust_mobile", "from": None, "to": NUMBER}
    differs = {"source": "lean", "item": "mobile", "ours": NUMBER, "theirs": "13900139002"}
    other = {"field": "app_no", "from": None, "to": NUMBER}
    assert without_phones([changed, differs, other]) == [
        changed | {"to": MASKED}, differs | {"ours": MASKED, "theirs": "139****02"}, other
    ]  # fmt: skip
