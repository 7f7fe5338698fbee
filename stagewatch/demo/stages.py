"""Who must have been told of which key stage: the recount of M14 and M15 (domain.md 6.1), from what was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from stagewatch.demo.messages import Directory, Expected, Message
from stagewatch.demo.source import Happening, Row
from stagewatch.demo.workdays import DAY_MS

LAPSES_MS = 3 * DAY_MS
STEPS = {
    "HV": {"SCHEME": ("供电方案编制", "设计", "发展、经研院、营销、运检"),
           "COMPLETE": ("竣工验收", "装接接电", "营销、运检"),
           "CONNECT": ("装接接电", "归档", "营销、运检")},
    "LV": {"SCHEME": ("供电方案编制", "装接接电", "营销"), "COMPLETE": ("竣工验收", "装接接电", "营销"),
           "CONNECT": ("装接接电", "归档", "装接班")},
}  # fmt: skip
"""By voltage and stage: its name, what comes next, who acts."""


def stage_messages(happenings: Sequence[Happening], directory: Directory, started: tuple[int, int]) -> Expected:
    """Give what must and may have been received about key stages; `happenings` are in order of arrival."""
    begun, ready = started
    must: Counter[Message] = Counter()
    may: Counter[Message] = Counter()
    seen: set[tuple[str, str, int]] = set()
    for happening in happenings:
        if happening.garbage is not None or happening.table != "mkt.mkt_app_progress":
            continue
        row = happening.row
        app_no, stage, visit = str(row["app_no"]), str(row["stage_code"]), _number(row["visit_no"])
        is_news = row["finished_at"] is None and happening.at - _number(row["entered_at"]) <= LAPSES_MS
        if stage not in STEPS["HV"] or not is_news or (app_no, stage, visit) in seen:
            continue
        seen.add((app_no, stage, visit))
        if happening.at >= begun:
            told = must if happening.at >= ready else may
            told.update(_told(directory.row(app_no), directory, stage, visit))
    return Expected(must, may)


def _told(app: Row, directory: Directory, stage: str, visit: int) -> Iterator[Message]:
    """Give what the customer and the manager of the district get."""
    name, following, acts = STEPS[str(app["volt_class"])][stage]
    no = app["app_no"]
    yield Message(
        "sms", str(app["cust_mobile"]), f"【国网电力】您的用电申请{no}已进入{name}环节，下一步：{following}。"
    )
    channel, address = directory.manager(str(app["tg_no"]))
    text = f"【业扩管控】申请{no}已进入{name}环节，请{acts}办理。"
    yield Message(channel, address, text if channel == "sms" else f"message:stage_for_staff:{no}:{stage}|{visit}:1")


def _number(cell: object) -> int:
    assert isinstance(cell, int)  # noqa: S101 - the generator wrote it
    return cell
