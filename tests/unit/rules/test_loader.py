"""Definition files: every fault with its file, line and column, whatever is in the file; never a traceback."""

import random
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors import SHIPPED_SOURCES, load_sources
from rules import SHIPPED, Definitions, compiled, load_definitions, read_definitions
from rules.loader import Choice
from rules.testing import run_tests
from schemas import DefinitionError, Fault
from stagewatch.connector_setup import yaml_files
from tests.helpers.builders import World

FILES = sorted(SHIPPED.rglob("*.yaml"))
FUZZED = [path for path in FILES if path.parent.name != "flows" or path.stem.startswith("f30")]
"""One flow stands for the 48: they are alike, and the whole set is read again for every slip."""
ROUNDS = 2
NASTY = (
    b"", b"\x00", b"\xff\xfe", b"[" * 200, b"- - - -", b"&a [*a]", b"!!python/object:os.system x", b"%YAML 3", b"<<: 1",
    b"? {a: 1} : 2", b"\xe4\xb8", b"version: rules/v1\nversion: rules/v1", b"version: [1]", b"version: no/v9", b"null",
    b"5", b"a: !!binary x", b"--- 1\n--- 2", b"version: process/v1\nid: 5", b"\tversion: rules/v1", b"key: 'open",
)  # fmt: skip


def copied(folder: Path, files: list[Path] = FUZZED) -> Path:
    for path in files:
        target = folder / path.relative_to(SHIPPED)
        target.parent.mkdir(exist_ok=True, parents=True)
        target.write_bytes(path.read_bytes())
    return folder


def check_places(faults: list[Fault], folder: Path) -> None:
    for fault in faults:
        assert Path(fault.file).is_relative_to(folder)
        lines = Path(fault.file).read_bytes().splitlines() or [b""]
        assert 1 <= fault.line <= len(lines) + 1
        assert fault.column >= 1
        assert fault.message
        assert "Traceback" not in fault.message


def survives(folder: Path, changed: Path) -> list[Fault]:
    """Read a folder; what has no fault must compile, and the changed file's tests must run without an exception."""
    loaded = read_definitions([folder])
    check_places(loaded.faults, folder)
    if not loaded.faults:
        with suppress(DefinitionError):  # the chosen limits or calendar are gone: told, with their names
            live_through(compiled(loaded))
            run_tests(loaded, only=str(changed))
    return loaded.faults


def live_through(definitions: Definitions) -> None:
    """Judge a life under definitions that have no fault: nothing that is wrong in them may wait until then."""
    w = World(definitions=definitions)
    w.item(plan_finish_at="2026-03-21T00:00")
    w.app(tg_no="TG1")
    for stage in (
        "ACCEPT",
        "SURVEY",
        "SCHEME",
        "DESIGN",
        "DESIGN_REVIEW",
        "BUILD",
        "TEST",
        "COMPLETE",
        "CONNECT",
        "ARCHIVE",
    ):
        w.visit(stage, row=stage)
    w.until("2026-12-01T00:00")
    for stage in ("SURVEY", "DESIGN", "CONNECT"):
        w.visit(stage, row=stage, op="u", entered_at="2026-03-02T09:00", finished_at="2026-12-01T00:00")
    w.document()


def test_the_shipped_definitions_have_no_fault() -> None:
    assert read_definitions([SHIPPED]).faults == []


@pytest.mark.parametrize("content", NASTY, ids=range(len(NASTY)))
def test_a_file_of_anything_gives_faults_with_places(tmp_path: Path, content: bytes) -> None:
    copied(tmp_path)
    (tmp_path / "bad.yaml").write_bytes(content)
    assert survives(tmp_path, tmp_path / "bad.yaml") != []


@pytest.mark.parametrize("path", FUZZED, ids=lambda p: p.stem)
def test_shipped_files_broken_at_random_places_give_faults_or_definitions(path: Path, tmp_path: Path) -> None:
    rng = random.Random(path.name)
    target = copied(tmp_path) / path.relative_to(SHIPPED)
    for _ in range(ROUNDS):
        target.write_bytes(broken(path.read_bytes(), rng))
        survives(tmp_path, target)


def broken(data: bytes, rng: random.Random) -> bytes:
    """Give the file with one to three slips in it."""
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data))
        words = re.findall(rb"[A-Za-z_0-9%-]+", data)
        match rng.randrange(7):
            case 0:
                data = data[:at] + data[at + rng.randrange(1, 40) :]
            case 1:
                data = data[:at] + bytes([rng.randrange(256)]) + data[at:]
            case 2:
                lines = data.splitlines(keepends=True)
                lines.insert(rng.randrange(len(lines)), lines[rng.randrange(len(lines))])
                data = b"".join(lines)
            case 3:
                data = data.replace(rng.choice(words), rng.choice(words), 1)
            case 4:
                values = [
                    b"null",
                    b"[]",
                    b"{}",
                    b"-1",
                    b"0wd",
                    b"5%",
                    b"9999999d",
                    b"true",
                    b"''",
                    b"1e9",
                    b"3wd",
                    b"2h",
                ]
                data = data.replace(rng.choice(words), rng.choice(values), 1)
            case 5:
                data = (
                    data[:at]
                    + rng.choice([b"{", b"}", b"[", b":", b"- ", b"\n", b"#", b'"', b"&x ", b"*x", b"{x}"])
                    + data[at:]
                )
            case _:
                lines = data.splitlines(keepends=True)
                index = rng.randrange(len(lines))
                lines[index] = b" " * rng.randrange(1, 4) + lines[index]
                data = b"".join(lines)
    return data


def test_structured_slips_give_faults_or_definitions(tmp_path: Path) -> None:
    copied(tmp_path)
    rng = random.Random(7)
    for path in FUZZED:
        target = tmp_path / path.relative_to(SHIPPED)
        for _ in range(ROUNDS // 2):
            data = yaml.safe_load(path.read_bytes())
            spoil(data, rng)
            target.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
            survives(tmp_path, target)
        target.write_bytes(path.read_bytes())


def spoil(data: object, rng: random.Random) -> None:
    """Put something else in the place of some part."""
    values = [
        None,
        0,
        -1,
        "",
        "x",
        [],
        {},
        [None],
        {"a": 1},
        True,
        "5wd",
        "50%",
        "2h",
        1.5,
        "ALARM",
        "{x}",
        "9" * 50,
        [["x"]],
    ]
    part: Any = data
    while isinstance(part, dict | list) and part:
        key = rng.choice(list(part) if isinstance(part, dict) else range(len(part)))
        child = part[key]
        if not isinstance(child, dict | list) or not child or rng.random() < 0.2:
            part[key] = rng.choice(values)
            return
        part = child


def test_all_faults_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    copied(tmp_path)
    (tmp_path / "a.yaml").write_text("version: nothing\n")
    (tmp_path / "b.yaml").write_text("version: rules/v1\nid: b\nrules:\n  - {code: R-X, kind: deadline}\n")
    loaded = read_definitions([tmp_path])
    assert {Path(f.file).name for f in loaded.faults} == {"a.yaml", "b.yaml"}


def test_a_fault_stands_where_it_is(tmp_path: Path) -> None:
    copied(tmp_path)
    path = tmp_path / "limits" / "default.yaml"
    text = path.read_text(encoding="utf-8").replace("stage: SURVEY, limit: 5wd", "stage: SURVEY, limit: 5wx")
    path.write_text(text, encoding="utf-8")
    (fault,) = read_definitions([tmp_path]).faults
    line = text.splitlines()[fault.line - 1]
    assert line[fault.column - 1 :].startswith("5wx")


def test_an_unknown_choice_is_refused_with_what_is_known() -> None:
    with pytest.raises(DefinitionError) as caught:
        load_definitions(choice=Choice(limits="none", calendar="moon"))
    assert [f.message for f in caught.value.faults] == [
        "no limits 'none'; known are default, older", "no calendar 'moon'; known are every_day, state_council",
    ]  # fmt: skip


def test_a_mounted_config_map_holds_its_files_once(tmp_path: Path) -> None:
    (tmp_path / "..2026_11_22").mkdir()
    (tmp_path / "..2026_11_22" / "limits.yaml").write_bytes((SHIPPED / "limits" / "default.yaml").read_bytes())
    (tmp_path / "..data").symlink_to("..2026_11_22")
    (tmp_path / "limits.yaml").symlink_to("..data/limits.yaml")
    assert yaml_files(tmp_path) == [tmp_path / "limits.yaml"]
    assert not any("..2026" in str(fault) for fault in read_definitions([tmp_path]).faults)


def test_a_missing_folder_or_file_is_a_fault(tmp_path: Path) -> None:
    (fault,) = read_definitions([tmp_path / "nowhere"]).faults
    assert "cannot be read" in fault.message


def test_a_later_folder_replaces_files_of_the_same_id(tmp_path: Path) -> None:
    text = (SHIPPED / "limits" / "default.yaml").read_text(encoding="utf-8")
    (tmp_path / "ours.yaml").write_text(
        text.replace("stage: SURVEY, limit: 5wd", "stage: SURVEY, limit: 2wd"), encoding="utf-8"
    )
    w = World(definitions=load_definitions([SHIPPED, tmp_path]))
    w.app()
    w.visit("SURVEY")
    assert w.until("2026-04-01T00:00").raised("R-T03")[-1] == ("R-T03", "ALARM", "2026-03-05T00:00")


def test_of_two_files_with_one_id_only_the_later_is_judged(tmp_path: Path) -> None:
    copied(tmp_path, FILES)
    loaded = read_definitions([SHIPPED, tmp_path])
    assert loaded.faults == []
    assert {Path(file.path).is_relative_to(tmp_path) for file in loaded.files} == {True}


def test_two_files_of_one_kind_and_id_beside_one_another_are_a_fault(tmp_path: Path) -> None:
    text = (SHIPPED / "limits" / "default.yaml").read_text(encoding="utf-8")
    for name in ("first.yaml", "second.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (fault,) = read_definitions([SHIPPED, tmp_path]).faults
    assert fault.file.endswith("second.yaml")
    assert "limits 'default' is defined in" in fault.message
    assert "first.yaml as well" in fault.message


@pytest.mark.parametrize(
    ("warn", "alarm", "is_wrong"),
    [
        ("{before: 1wd}", "{at: deadline}", False),
        ("{at: deadline}", "{before: 1wd}", True),
        ("{beyond: 2d}", "{beyond: 24h}", True),
        ("{beyond: 24h}", "{beyond: 2d}", False),
        ("{share: 120%}", "{at: deadline}", True),
        ("{share: 80%}", "{before: 1wd}", False),  # which is first depends on the limit
        ("{after: 9d}", "{at: deadline}", False),  # so does this
    ],
)
def test_a_warning_that_comes_after_its_alarm_is_a_fault(
    tmp_path: Path, warn: str, alarm: str, *, is_wrong: bool
) -> None:
    rule = (
        "{code: X-LATE, kind: deadline, title: t, tell: [manager], text: M05, processes: [hv_connection], "
        f"stage: SURVEY, limit: 5wd, rungs: {{WARN: {warn}, ALARM: {alarm}}}}}"
    )
    (tmp_path / "r.yaml").write_text(f"version: rules/v1\nid: late\nrules:\n  - {rule}\n", encoding="utf-8")
    found = [fault.message for fault in read_definitions([SHIPPED, tmp_path]).faults]
    assert any("WARN is reached after ALARM" in message for message in found) is is_wrong, found


def test_a_broken_file_hides_no_faults_of_the_others_and_makes_up_none(tmp_path: Path) -> None:
    copied(tmp_path)
    (tmp_path / "templates" / "sms.yaml").write_text("version: templates/v1\nid: [\n")
    limits = tmp_path / "limits" / "default.yaml"
    limits.write_text(limits.read_text(encoding="utf-8").replace("stage: SURVEY", "stage: LUNCH", 1), encoding="utf-8")
    faults = read_definitions([tmp_path]).faults
    assert {Path(f.file).name for f in faults} == {"sms.yaml", "default.yaml"}
    assert any("no stage 'LUNCH'" in f.message for f in faults)
    assert not any("no message template" in f.message for f in faults)
    assert faults == sorted(faults, key=lambda f: (f.file, f.line, f.column, f.message))


def test_faults_of_form_and_of_reference_on_one_line_are_both_told(tmp_path: Path) -> None:
    limits = copied(tmp_path, FILES) / "limits" / "default.yaml"
    text, old = limits.read_text(encoding="utf-8"), "stage: SCHEME, limit: 15wd"
    assert old in text
    limits.write_text(text.replace(old, "stage: SCHEMX, limit: 15wx", 1), encoding="utf-8")
    faults = read_definitions([tmp_path]).faults
    assert [fault.message.split(";")[0] for fault in faults] == [
        "no stage 'SCHEMX' in hv_connection",
        "limit: '15wx' is not a duration",
    ]
    assert faults[0].line == faults[1].line


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("processes/billing_cycle.yaml", "optional: true", "optional: maybe"),  # messages look through its links
        ("processes/hv_connection.yaml", "code: SURVEY", "code: [SURVEY]"),
        ("rules/connection.yaml", "rungs: {WARN: {before: 1wd}", "rungs: {WARN: {before: 1wx}"),
        ("indicators/connection.yaml", "kind: ", "kind: x"),
        ("limits/default.yaml", "limit: ", "limit: x"),
    ],
)
def test_a_fault_of_form_makes_up_none_of_reference(file: str, old: str, new: str, tmp_path: Path) -> None:
    changed = copied(tmp_path, FILES) / file
    text = changed.read_text(encoding="utf-8")
    changed.write_text(text.replace(old, new, 1), encoding="utf-8")
    faults = read_definitions([tmp_path], load_sources([SHIPPED_SOURCES]).vocabulary()).faults
    assert {(Path(fault.file), fault.line) for fault in faults} == {(changed, text[: text.index(old)].count("\n") + 1)}


def test_a_calendar_of_every_day_can_be_chosen() -> None:
    w = World(definitions=load_definitions(choice=Choice(calendar="every_day")))
    w.app()
    w.visit("SURVEY")
    assert w.until("2026-04-01T00:00").raised("R-T03")[-1] == ("R-T03", "ALARM", "2026-03-08T00:00")
