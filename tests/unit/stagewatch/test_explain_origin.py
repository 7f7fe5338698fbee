"""`alerts explain` says where a limit was set: which unit's template, which line, since when, in the set that judged.

The same as `rules explain --org` says of it.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rules import SHIPPED, Choice, DefinitionSet, Ledger, compiled, proposed, read_definitions, texts_of
from schemas import alert_id
from stagewatch.__main__ import run
from stagewatch.explain import Book, live, threshold_of
from stagewatch.in_effect import Texts, published_at
from stagewatch.travel import Travel
from tests.helpers.builders import World, ms
from tests.helpers.replaying import sources
from tests.helpers.rulebooks import SURVEY, edited
from tests.helpers.thresholds import Court, delta

Said = pytest.CaptureFixture[str]
CITY = (
    "version: cascade/v1\nid: city\ntitle: T\norg: '33401'\nlimits:\n"
    "  - {process: hv_connection, stage: SURVEY, limit: LIMIT}\n"
)
ALERT = alert_id("R-T03", "hv_connection", "A1", "SURVEY", 1, None, "ALARM")
FIRST, SECOND = "2026-02-02T00:00:00+08:00", "2026-03-03T00:00:00+08:00"
FOR_NEW = ("limits/default", "title: 现行承诺时限\n", "title: 现行承诺时限\napplies_to: new\n")


def with_city(tmp_path: Path, limit: str) -> DefinitionSet:
    (tmp_path / "units").mkdir(exist_ok=True)
    (tmp_path / "units" / "city.yaml").write_text(CITY.replace("LIMIT", limit), encoding="utf-8")
    return read_definitions([SHIPPED, tmp_path / "units"])


class Published:
    """Sets that come into effect one after the other."""

    def __init__(self) -> None:
        self.ledger = Ledger()

    def put(self, loaded: DefinitionSet, at: str) -> None:
        current = self.ledger.current
        base = self.ledger.read(current.definitions) if current else read_definitions([SHIPPED])
        manifest = proposed(self.ledger, base, loaded, Choice())
        for text in (*texts_of(base, manifest.serial), *texts_of(loaded, manifest.serial)):
            self.ledger.put(text, ms(at))
        self.ledger.put(msgspec.structs.replace(manifest, state="effective", at=at), ms(at))

    def explained(self, org: str) -> dict[str, Any]:
        """Give the deadline of a survey that is never finished, as `alerts explain` gives it."""
        world = World()
        changes = [world.app("A1", org_no=org), world.visit("SURVEY")]
        began = changes[0].at
        found = published_at(self.ledger, ms("2026-03-20"))
        assert found is not None
        judged_by = found.as_begun(found.compiled(), began)
        texts = found.texts_for("hv_connection", began)
        travel = Travel(judged_by, sources(), "A1", mail_domain="stagewatch.local")
        book = Book(judged_by, texts, found.choice.calendar)
        life = live(travel, changes, ms("2026-04-20"), ALERT, book)
        assert life.deadline is not None
        return life.deadline


def test_a_limit_of_a_unit_s_template_is_told_with_unit_line_and_since_when(tmp_path: Path) -> None:
    book = Published()
    book.put(with_city(tmp_path, "3wd"), FIRST)
    deadline = book.explained("3340102")
    assert deadline["limit"] == "3wd"
    assert deadline["limit_from"] == f"cascade/city of unit 33401, line 6, since {FIRST} (rules 1)"
    assert deadline["limit_set"] == {
        "definition": "cascade/city", "unit": "33401", "line": 6, "since": f"{FIRST} (rules 1)",
    }  # fmt: skip
    elsewhere = book.explained("3340201")
    assert (elsewhere["limit"], elsewhere["limit_set"]["definition"]) == ("5wd", "limits/default")
    assert elsewhere["limit_set"]["unit"] is None


def test_since_when_is_when_the_template_changed_last(tmp_path: Path) -> None:
    book = Published()
    book.put(with_city(tmp_path, "4wd"), FIRST)
    book.put(with_city(tmp_path, "3wd"), SECOND)
    assert book.explained("3340102")["limit_from"].endswith(f"since {SECOND} (rules 2)")
    book.put(edited(base=with_city(tmp_path, "3wd")), "2026-03-10T00:00:00+08:00")
    assert book.explained("3340102")["limit_from"].endswith(f"since {SECOND} (rules 2)")


def test_an_application_that_keeps_what_it_began_with_is_told_where_that_stood() -> None:
    book = Published()
    book.put(edited(FOR_NEW), FIRST)
    changed = ("limits/default", SURVEY, f"# tighter\n  {SURVEY.replace('5wd', '2wd')}")
    book.put(edited(FOR_NEW, changed), SECOND)
    kept = book.explained("3340102")
    assert kept["limit"] == "5wd", "it began before the change for new ones"
    line = _line_of(edited(FOR_NEW), SURVEY)
    assert kept["limit_from"] == f"limits/default, line {line}, since {FIRST} (rules 1)"


def _line_of(loaded: DefinitionSet, text: str) -> int:
    file = next(file for file in loaded.files if file.key == "limits/default")
    return next(number for number, line in enumerate(file.text.splitlines(), 1) if text in line)


def test_both_explanations_say_the_same(tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    with_city(tmp_path, "3wd")
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STAGEWATCH_DEFINITIONS", f"{SHIPPED}:{tmp_path / 'units'}")
    events = ("--events", str(_capture(tmp_path)), "--until", "2026-03-20T00:00:00+08:00")
    assert run(["alerts", "explain", ALERT, *events, "-o", "json"]) == 0
    (document,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert run(["rules", "explain", "R-T03", "--org", "3340102", "-o", "json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (counts,) = [r for r in rows if r["what"] == "hv_connection SURVEY" and r["counts"]]
    told = document["deadline"]["limit_set"]
    assert (told["definition"], told["unit"], told["line"]) == (counts["from"], counts["unit"], counts["line"])
    assert (told["since"], document["deadline"]["limit"]) == (counts["since"], counts["value"])
    assert run(["alerts", "explain", ALERT, *events]) == 0
    assert "limit 3wd (cascade/city of unit 33401, line 6)" in capsys.readouterr().out


def _capture(tmp_path: Path) -> Path:
    """One application whose survey begins on Monday 2 March and has no end, as Debezium writes it."""
    rows: list[tuple[str, dict[str, Any]]] = [
        ("mkt_app", {"app_no": "A1", "org_no": "3340102", "volt_class": "HV", "status_code": "running",
                     "accepted_at": "2026-03-02T01:00:00Z"}),
        ("mkt_app_progress", {"progress_id": 1, "app_no": "A1", "stage_code": "SURVEY", "visit_no": 1,
                              "entered_at": "2026-03-02T01:00:00Z"}),
    ]  # fmt: skip
    lines = []
    for number, (table, row) in enumerate(rows):
        value = {"before": None, "after": row, "op": "c", "source": {"lsn": number + 1}}
        name = next(iter(row))
        place = {"topic": f"cdc.mkt.{table}", "partition": 0, "offset": 0, "timestamp": ms("2026-03-02T09:00") + number}
        lines.append(json.dumps({**place, "key": {name: row[name]}, "value": value}))
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_an_alert_about_a_value_says_whose_threshold_it_breached(tmp_path: Path) -> None:
    template = (
        "version: cascade/v1\nid: city\ntitle: T\norg: '33401'\nthresholds:\n"
        "  - {indicator: I111, operator: gt, value: 2, unit: 户}\n"
    )
    folder = tmp_path / "units"
    folder.mkdir()
    (folder / "city.yaml").write_text(template, encoding="utf-8")
    loaded = read_definitions([SHIPPED, folder])
    court = Court(compiled(loaded))
    court.take([delta("I111", 3, at="03-02T09:00", org="3340102")])
    court.until("03-02T10:00")
    book = Book(court.rules, Texts(loaded, None), Choice().calendar)
    told = threshold_of(next(a for a in court.alerts if a.instance == "org:3340102"), book)
    assert told is not None
    assert (told["says"], told["says_from"]) == ("gt 2户", "cascade/city of unit 33401, line 6")
    assert threshold_of(msgspec.structs.replace(court.alerts[0], rule="R-T03"), book) is None
