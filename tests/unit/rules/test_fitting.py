"""Whether definition files fit together: faults that no single file can show, each where it is caused."""

from pathlib import Path

import pytest

from rules import SHIPPED, read_definitions


def faults_with(folder: Path, file: str, old: str, new: str) -> list[tuple[str, str]]:
    """Give (file, message) of the faults after a replacement in a copy of the shipped definitions."""
    for path in SHIPPED.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        target = folder / path.relative_to(SHIPPED)
        target.parent.mkdir(exist_ok=True)
        if path.stem == file:
            assert old in text
            text = text.replace(old, new, 1)
        target.write_text(text, encoding="utf-8")
    return [(Path(f.file).stem, f.message) for f in read_definitions([folder]).faults]


SURVEY = "stage: SURVEY\n    limit: stage\n    rungs: {WARN: {before: 1wd}, ALARM: {at: deadline}}"
IDLE = "rungs: {WARN: {after: 45d}, ALARM: {after: 60d}}"


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("hv_connection", "after: [SCHEME]", "after: [LUNCH]", "no stage 'LUNCH'"),
        ("hv_connection", "after: [SCHEME]", "after: [DESIGN]", "comes after itself"),
        ("hv_connection", "code: SURVEY", "code: ACCEPT", "is there twice"),
        ("hv_connection", "connect_stage: CONNECT", "connect_stage: LUNCH", "no stage 'LUNCH'"),
        ("hv_connection", "when: {volt_class: HV}", "when: {volt_class: {like: HV}}", "unknown comparison"),
        ("connection", "stage: SURVEY", "stage: LUNCH", "no stage 'LUNCH'"),
        ("connection", "until_stage: CONNECT", "until_stage: LUNCH", "no stage 'LUNCH'"),
        ("connection", "processes: [hv_connection]", "processes: [nothing]", "no process 'nothing'"),
        ("connection", "text: stage_late", "text: nothing", "no message template 'nothing'"),
        ("connection", "code: R-T03", "code: R-T02", "is there twice"),
        ("connection", SURVEY, SURVEY.replace("{before: 1wd}", "{}"), "exactly one of"),
        ("connection", SURVEY, SURVEY.replace("{before: 1wd}", "{before: 1wd, at: deadline}"), "exactly one of"),
        ("connection", SURVEY, SURVEY.replace("before: 1wd", "before: 50%"), "50% cannot stand here"),
        ("connection", SURVEY, SURVEY.replace("before: 1wd", "share: 1wd"), "1wd cannot stand here"),
        ("connection", SURVEY, SURVEY.replace("before: 1wd", "beyond: 1wd"), "1wd cannot stand here"),
        ("connection", SURVEY, SURVEY.replace("limit: stage", "limit: 50%"), "50% cannot stand here"),
        ("connection", SURVEY, SURVEY.replace("limit: stage", "limit: 9d"), "1wd cannot stand here"),
        ("connection", IDLE, IDLE.replace("45d", "45wd"), "45wd cannot stand here"),
        ("connection", IDLE, "rungs: {}", "at least one rung"),
        ("connection", IDLE, "rungs: {WARN: {at: deadline}}", "needs a deadline"),
        ("connection", "max_lag: 72h", "max_lag: 3wd", "3wd cannot stand here"),
        ("connection", "after: 30m", "after: 1wd", "1wd cannot stand here"),
        ("connection", "before: 3d", "before: 3wd", "3wd cannot stand here"),
        ("connection", ", through: customer_project, key: prj_no", "", "needs `through` and `key`"),
        ("connection", "start: accepted_at\n    limit: total", "limit: total", "starts at a field"),
        ("negative_list", "text: newly_constrained", "text: fix_near", "needs a template fix_near_group"),
        ("default", "stage: SURVEY, limit: 5wd", "stage: LUNCH, limit: 5wd", "no stage 'LUNCH'"),
        ("default", "stage: SURVEY, limit: 5wd", "limit: 5wd", "either a `stage` or `total: true`"),
        ("default", "stage: SURVEY, limit: 5wd", "stage: SURVEY, limit: 50%", "50% cannot stand here"),
        ("default", "stage: SURVEY, limit: 5wd", "stage: SURVEY, limit: 5d", "1wd cannot stand here"),
        ("default", "process: hv_connection, stage: ACCEPT", "process: x, stage: ACCEPT", "no process 'x'"),
        ("default", "{source_count: {ge: 2}}", "{source_count: {about: 2}}", "unknown comparison"),
        ("connection", "stage: ACCEPT, rule: R-T02", "stage: ACCEPT, rule: R-T99", "no rule 'R-T99'"),
        ("connection", "stage: ACCEPT, rule: R-T02", "stage: LUNCH, rule: R-T02", "no stage 'LUNCH'"),
        ("connection", "stage: ACCEPT, rule: R-T02", "rule: R-T02", "needs stage"),
        ("sms", "{severity}：申请{instance}{stage}{verdict}", "{severity}{nobody}", "nobody fills in {nobody}"),
        ("sms", "{severity}：申请{instance}{stage}{verdict}", "{severity", "braces do not match"),
        ("sms", "{severity}：申请{instance}{stage}{verdict}", "{due:d}", "cannot be filled in"),
        ("sms", "{severity}：申请{instance}{stage}{verdict}", "{due.hour}", "nobody fills in"),
        ("sms", "{severity}：申请{instance}{stage}{verdict}", "{due:{stage}}", "cannot be filled in"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_fault_with_its_file(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    stems = {"connection": ["indicators", "rules"]}.get(file)
    if stems:  # two files of one name: only the one that has the text is changed
        file = next(s for s in stems if old in (SHIPPED / s / "connection.yaml").read_text(encoding="utf-8"))
        faults = faults_in(tmp_path, file, old, new)
    else:
        faults = (
            faults_with(tmp_path, file, old, new) if file != "negative_list" else faults_in(tmp_path, "rules", old, new)
        )
    assert any(message in text for _, text in faults), faults


def faults_in(folder: Path, room: str, old: str, new: str) -> list[tuple[str, str]]:
    """Like `faults_with`, the file being the one of a folder that has the text."""
    for path in SHIPPED.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        target = folder / path.relative_to(SHIPPED)
        target.parent.mkdir(exist_ok=True)
        if path.parent.name == room and old in text:
            text = text.replace(old, new, 1)
        target.write_text(text, encoding="utf-8")
    return [(Path(f.file).stem, f.message) for f in read_definitions([folder]).faults]
