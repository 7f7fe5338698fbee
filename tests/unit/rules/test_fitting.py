"""Whether definition files fit together: faults that no single file can show, each where it is caused."""

from functools import lru_cache
from pathlib import Path

import pytest

from connectors import SHIPPED_SOURCES, load_sources
from rules import SHIPPED, DefinitionSet, Vocabulary, read_definitions
from rules.engine.conditions import compile_condition
from rules.loader import LoadedFile, fit, read_text

FIELDS = load_sources([SHIPPED_SOURCES]).vocabulary()


@lru_cache
def shipped_files() -> tuple[LoadedFile, ...]:
    return tuple(read_definitions([SHIPPED]).files)


def faults_with(room: str, old: str, new: str, vocabulary: Vocabulary | None = None) -> list[str]:
    """Give the faults after a replacement in every shipped file of a room that has the text."""
    loaded = DefinitionSet()
    for file in shipped_files():
        if Path(file.path).parent.name == room and old in file.text:
            read_text(file.text.replace(old, new, 1).encode(), file.path, loaded)
        else:
            loaded.put(file)
    fit(loaded, vocabulary)
    return [f.message for f in loaded.faults]


SURVEY = "stage: SURVEY\n    limit: stage\n    rungs: {WARN: {before: 1wd}, ALARM: {at: deadline}}"
IDLE = "rungs: {WARN: {after: 45d}, ALARM: {after: 60d}}"


@pytest.mark.parametrize(
    ("room", "old", "new", "message"),
    [
        ("processes", "after: [SCHEME]", "after: [LUNCH]", "no stage 'LUNCH'"),
        ("processes", "after: [SCHEME]", "after: [DESIGN]", "comes after itself"),
        ("processes", "code: SURVEY", "code: ACCEPT", "is there twice"),
        ("processes", "connect_stage: CONNECT", "connect_stage: LUNCH", "no stage 'LUNCH'"),
        ("processes", "when: {volt_class: HV}", "when: {volt_class: {like: HV}}", "unknown comparison"),
        ("rules", "stage: SURVEY", "stage: LUNCH", "no stage 'LUNCH'"),
        ("rules", "until_stage: CONNECT", "until_stage: LUNCH", "no stage 'LUNCH'"),
        ("rules", "processes: [hv_connection]", "processes: [nothing]", "no process 'nothing'"),
        ("rules", "text: stage_late", "text: nothing", "no message template 'nothing'"),
        ("rules", "code: R-T03", "code: R-T02", "is there twice"),
        ("rules", SURVEY, SURVEY.replace("{before: 1wd}", "{}"), "exactly one of"),
        ("rules", SURVEY, SURVEY.replace("{before: 1wd}", "{before: 1wd, at: deadline}"), "exactly one of"),
        ("rules", SURVEY, SURVEY.replace("before: 1wd", "before: 50%"), "50% cannot stand here"),
        ("rules", SURVEY, SURVEY.replace("before: 1wd", "share: 1wd"), "1wd cannot stand here"),
        ("rules", SURVEY, SURVEY.replace("at: deadline", "beyond: 1wd"), "1wd cannot stand here"),
        ("rules", SURVEY, SURVEY.replace("limit: stage", "limit: 50%"), "50% cannot stand here"),
        ("rules", SURVEY, SURVEY.replace("limit: stage", "limit: 9d"), "1wd cannot stand here"),
        ("rules", IDLE, IDLE.replace("45d", "45wd"), "45wd cannot stand here"),
        ("rules", IDLE, "rungs: {}", "at least one rung"),
        ("rules", IDLE, "rungs: {WARN: {at: deadline}}", "needs a deadline"),
        ("rules", "max_lag: 72h", "max_lag: 3wd", "3wd cannot stand here"),
        ("rules", "after: 30m", "after: 1wd", "1wd cannot stand here"),
        ("rules", "before: 3d", "before: 3wd", "3wd cannot stand here"),
        ("rules", ", through: customer_project, key: prj_no", "", "`reference` needs `key`"),
        ("rules", "start: accepted_at\n    limit: total", "limit: total", "starts at a field"),
        ("rules", "text: newly_constrained", "text: fix_near", "needs a template fix_near_group"),
        ("limits", "stage: SURVEY, limit: 5wd", "stage: LUNCH, limit: 5wd", "no stage 'LUNCH'"),
        ("limits", "stage: SURVEY, limit: 5wd", "limit: 5wd", "either a `stage` or `total: true`"),
        ("limits", "stage: SURVEY, limit: 5wd", "stage: SURVEY, limit: 50%", "50% cannot stand here"),
        ("limits", "stage: SURVEY, limit: 5wd", "stage: SURVEY, limit: 5d", "1wd cannot stand here"),
        ("limits", "process: hv_connection, stage: ACCEPT", "process: x, stage: ACCEPT", "no process 'x'"),
        ("limits", "{source_count: {ge: 2}}", "{source_count: {about: 2}}", "unknown comparison"),
        ("indicators", "stage: ACCEPT, rule: R-T02", "stage: ACCEPT, rule: R-T99", "no rule 'R-T99'"),
        ("indicators", "rules: [R-T01]", "rules: [R-T99]", "no rule 'R-T99'"),
        ("indicators", ", rules: [R-T01]", "", "needs rule or rules"),
        ("indicators", "stock: true, processes: [rollout]", "processes: [rollout]", "needs field, or else stock"),
        ("indicators", "of: I111C", "of: I000C", "no indicator 'I000C'"),
        ("indicators", "stage: ACCEPT, rule: R-T02", "stage: LUNCH, rule: R-T02", "no stage 'LUNCH'"),
        ("indicators", "stage: ACCEPT, rule: R-T02", "rule: R-T02", "needs stage"),
        ("templates", "{severity}：申请{instance}{stage}{verdict}", "{severity}{nobody}", "nobody fills in {nobody}"),
        ("templates", "{severity}：申请{instance}{stage}{verdict}", "{severity", "braces do not match"),
        ("templates", "{severity}：申请{instance}{stage}{verdict}", "{due:d}", "stands in the text as it is"),
        ("templates", "{severity}：申请{instance}{stage}{verdict}", "{due.hour}", "nobody fills in"),
        ("templates", "{severity}：申请{instance}{stage}{verdict}", "{due:{stage}}", "stands in the text as it is"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_fault(room: str, old: str, new: str, message: str) -> None:
    assert any(old in file.text for file in shipped_files() if Path(file.path).parent.name == room)
    faults = faults_with(room, old, new)
    assert any(message in text for text in faults), faults


@pytest.mark.parametrize(
    ("room", "old", "new", "message"),
    [
        ("processes", "over_when: [archived_at]", "over_when: [archived]", "no field 'archived'; known are arch"),
        ("processes", "entity: application", "entity: applicationn", "no source has an entity 'applicationn'"),
        ("processes", "when: {volt_class", "when: {volt_clas", "no field 'volt_clas'"),
        ("processes", "  app_type: [", "  app_typ: [", "no field 'app_typ'"),
        ("rules", "restarts_on: works_report", "restarts_on: foo", "no source has an entity 'foo'"),
        ("rules", "reference: project_schedule", "reference: nosuchref", "no source has an entity 'nosuchref'"),
        ("rules", "through: customer_project", "through: nosuch", "no source has an entity 'nosuch'"),
        ("rules", "key: prj_no", "key: prj", "customer_project has no field 'prj'"),
        ("rules", "field: plan_finish,", "field: plan_finishh,", "project_schedule has no field 'plan_finishh'"),
        ("rules", "field: plan_finish_at,", "field: plan_finis,", "negative_item has no field 'plan_finis'"),
        ("rules", "start: accepted_at", "start: accepted_att", "application has no field 'accepted_att'"),
        ("rules", "until: [cleared_at]", "until: [x]", "negative_item has no field 'x'"),
        ("rules", "tell: [manager, ", "tell: [managerr, ", "no role 'managerr'; known are manager"),
        ("limits", "{source_count: {ge: 2}}", "{source_cnt: {ge: 2}}", "application has no field 'source_cnt'"),
        ("indicators", "field: accepted_at", "field: accepted", "application has no field 'accepted'"),
        ("indicators", "sum: apply_cap_kva", "sum: apply_cap", "application has no field 'apply_cap'"),
    ],
)  # fmt: skip
def test_a_name_that_no_source_feeds_is_a_fault(room: str, old: str, new: str, message: str) -> None:
    assert any(old in file.text for file in shipped_files() if Path(file.path).parent.name == room)
    faults = faults_with(room, old, new, FIELDS)
    assert any(message in text for text in faults), faults


def test_the_shipped_names_are_all_known() -> None:
    assert read_definitions([SHIPPED], FIELDS).faults == []


def test_a_comparison_with_text_is_refused() -> None:
    with pytest.raises(ValueError, match="compares with a number"):
        compile_condition({"source_count": {"ge": "two"}})
