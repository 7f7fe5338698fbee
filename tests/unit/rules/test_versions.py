"""Published sets: what a change makes of the one before, and what is refused."""

from dataclasses import replace

import msgspec
import pytest

from rules import (
    SHIPPED,
    Answer,
    DefinitionSet,
    Ledger,
    Manifest,
    compiled,
    decode_record,
    encode_record,
    field_changes,
    proposed,
    read_definitions,
    rule_versions,
)
from rules.loader import fit, read_text
from rules.versions import Record
from schemas import BadInput, DefinitionError
from tests.helpers.rulebooks import CHOICE, LOOSE, SURVEY, TIGHT, Book, Edit, edited

STAGE: Edit = ("process/hv_connection", "title: 供电方案编制,", "title: 方案编制,")


def test_a_set_says_the_same_after_its_records_were_written_and_read() -> None:
    book, copy = Book(), Ledger()
    definitions = book.publish(TIGHT)
    records: list[Record] = [*book.ledger.texts.values(), *book.ledger.manifests.values()]
    for record in records:
        copy.put(decode_record(encode_record(record)), 7)
    assert copy.current == book.ledger.current
    assert copy.effective_at == {1: 7}
    assert copy.definitions(copy.manifests[1]).digest == definitions.digest


@pytest.mark.parametrize("value", [b"", b"null", b"{}", b'{"record":"manifest"}', b"\xff", b'{"record":"other"}'])
def test_what_is_no_record_of_ours_is_bad_input(value: bytes) -> None:
    with pytest.raises(BadInput):
        decode_record(value)


def test_only_what_changed_for_new_instances_is_held_and_only_until_it_changes_for_all() -> None:
    book = Book()
    old = {file.key: file.digest for file in book.base.files}
    book.publish(STAGE)
    assert book.ledger.manifests[1].holds == {"1": {"process/hv_connection": old["process/hv_connection"]}}
    book.publish(STAGE, LOOSE)
    assert book.ledger.manifests[2].holds == book.ledger.manifests[1].holds
    book.publish(("process/hv_connection", "entity: application\n", "entity: application\napplies_to: running\n"))
    assert book.ledger.manifests[3].holds == {}


def test_a_rollback_brings_back_digest_holds_and_rule_versions() -> None:
    book = Book()
    first = book.publish()
    book.publish(TIGHT, STAGE)
    back = book.roll_back(1)
    assert book.ledger.manifests[3].content == book.ledger.manifests[1].content
    assert (back.digest, back.serial) == (first.digest, 3)


def test_sets_follow_one_another_past_those_that_never_came_into_effect() -> None:
    book = Book()
    book.publish(at=10)
    manifest = proposed(book.ledger, book.base, edited(TIGHT), CHOICE)
    book.ledger.put(manifest, 20)
    book.ledger.put(msgspec.structs.replace(manifest, state="withdrawn"), 21)
    book.publish(LOOSE, at=30)
    assert book.ledger.following(0) == 1
    assert book.ledger.following(1) == 3
    assert book.ledger.following(3) is None
    assert book.ledger.effective_at == {1: 10, 3: 30}


def test_of_each_worker_the_last_word_counts() -> None:
    ledger = Ledger()
    for state in ("accepted", "taken"):
        ledger.put(Answer(serial=1, worker="w", state=state), 0)
    assert [answer.state for answer in ledger.answers[1].values()] == ["taken"]


def test_a_text_that_is_not_there_is_a_fault_and_no_empty_definition() -> None:
    book = Book()
    book.publish()
    manifest = book.ledger.manifests[1]
    lacking = msgspec.structs.replace(manifest, definitions={**manifest.definitions, "limits/default": "gone"})
    with pytest.raises(DefinitionError, match="does not have its text gone"):
        book.ledger.definitions(lacking)


def test_words_that_a_held_rule_needs_must_stay() -> None:
    words: Edit = ("templates/sms", "  stage_idle:", "  stage_still:")
    said: Edit = ("rules/connection", "text: stage_idle", "text: stage_still")
    new: Edit = ("rules/connection", "title: 业扩阶段时限\n", "title: 业扩阶段时限\napplies_to: new\n")
    with pytest.raises(DefinitionError, match="running instances keep this rule: template 'stage_idle' must stay"):
        Book().publish(words, said, new)


def test_fields_are_told_by_the_names_that_people_use() -> None:
    changes = field_changes(edited(), edited(TIGHT, STAGE))
    assert [tuple(change) for change in changes] == [
        ("limits/default", "rows.hv_connection SURVEY.limit", "5wd", "2wd"),
        ("process/hv_connection", "stages.SCHEME.title", "供电方案编制", "方案编制"),
    ]


def test_a_row_that_moves_and_a_comment_are_no_change() -> None:
    row = SURVEY + "\n"
    moved = edited(("limits/default", "  " + row, "")).files
    text = next(file.text for file in moved if file.key == "limits/default").replace("rows:\n", f"rows:\n  {row}# x\n")
    again = edited(("limits/default", next(f.text for f in edited().files if f.key == "limits/default"), text))
    assert field_changes(edited(), again) == []


CITY = """\
version: cascade/v1
id: city
title: 市公司
org: "33401"
thresholds:
  - {indicator: I243T, severity: ALARM, operator: gt, value: VALUE, unit: "%"}
  - {indicator: I122, severity: ALARM, operator: lt, value: VALUE, unit: "%"}
tests:
  - name: nothing
    application: {volt_class: HV, accepted_at: "2026-03-02T09:00+08:00"}
    until: "2026-03-02T10:00+08:00"
    raised: []
"""


def unpublished(serial: int) -> Ledger:
    """Give a ledger in which nothing came into effect, and whose next set has this serial."""
    ledger = Ledger()
    ledger.put(Manifest(serial=serial - 1, state="withdrawn", definitions={}, holds={}, limits="", calendar=""), 0)
    return ledger


def with_city(value: int) -> DefinitionSet:
    loaded = DefinitionSet()
    for file in read_definitions([SHIPPED]).files:
        read_text(file.text.encode(), file.path, loaded)
    read_text(CITY.replace("VALUE", str(value)).encode(), "city.yaml", loaded)
    fit(loaded)
    assert not loaded.faults, loaded.faults
    return loaded


def test_a_threshold_that_a_unit_changes_raises_the_version_of_the_rule_that_judges_it() -> None:
    first, second = with_city(9), with_city(8)
    manifest = proposed(unpublished(7), first, second, CHOICE)
    assert manifest.rule_versions == {"A15": 7, "X-I122": 7}
    judged = compiled(second, replace(CHOICE, rule_versions=manifest.rule_versions)).thresholds
    assert {each.rule.version for each in judged.of("I243T", "3340101")} == {7}
    assert {(each.rule.code, each.rule.version) for each in judged.of("I122", "3340101")} == {("X-I122", 7)}
    assert rule_versions(second, manifest.rule_versions)["X-I122"] == 7
    assert proposed(Ledger(), second, second, CHOICE).rule_versions == {}


def test_a_unit_that_begins_to_set_a_threshold_raises_the_version_too() -> None:
    manifest = proposed(unpublished(7), read_definitions([SHIPPED]), with_city(9), CHOICE)
    assert manifest.rule_versions == {"A15": 7}


def test_a_stage_limit_of_a_flow_raises_the_version_of_the_rule_about_every_stage() -> None:
    base = read_definitions([SHIPPED])
    key = next(file.key for file in base.files if file.path.endswith("f15_rename.yaml"))
    manifest = proposed(unpublished(7), base, edited((key, "limit: 2wd", "limit: 1wd")), CHOICE)
    assert manifest.rule_versions == {"R-T22": 7}
