"""`stagewatch connectors` from end to end over the stand-in: what it prints, what it refuses, how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stagewatch.__main__ import run
from tests.helpers.connect_front import Front, running_front
from tests.helpers.connect_standin import StandIn

Said = pytest.CaptureFixture[str]
SECRET = "hunter2"
FILE = """\
version: connector/v1
name: mkt
accepted: {filter: all of it}
config:
  connector.class: io.debezium.connector.postgresql.PostgresConnector
  database.hostname: db
  database.user: capture
  database.password: ${env:PASSWORD}
  database.dbname: mkt
  topic.prefix: cdc
  plugin.name: pgoutput
  slot.name: mkt
  publication.name: mkt
  publication.autocreate.mode: filtered
  replica.identity.autoset.values: mkt\\..*:FULL
  heartbeat.interval.ms: 10000
  heartbeat.action.query: select 1
  decimal.handling.mode: string
  signal.data.collection: mkt.signal
"""


@pytest.fixture
def standin() -> StandIn:
    return StandIn()


@pytest.fixture
def front(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    folder = tmp_path / "connectors"
    folder.mkdir()
    (folder / "mkt.yaml").write_text(FILE, encoding="utf-8")
    with running_front(standin.answer) as front:
        monkeypatch.setenv("STAGEWATCH_CONNECT_URL", front.url)
        monkeypatch.setenv("STAGEWATCH_CONNECTORS", str(folder))
        monkeypatch.setenv("STAGEWATCH_SOURCES", str(_small_source(tmp_path)))
        yield front


def _small_source(folder: Path) -> Path:
    """A source that is read in no time; none of these connectors names it."""
    path = folder / "x.yaml"
    table = "{entity: application, key: [app_no], instance: app_no, columns: {app_no: text}}"
    path.write_text(f"version: source/v1\nsource: x\ntables: {{x_app: {table}}}\n", encoding="utf-8")
    return path


def at_once(*command: str) -> int:
    """Run a command that waits for states, which the stand-in changes at once."""
    return run(["connectors", *command, "--settle", "0"])


def writes(front: Front) -> list[str]:
    return [each for each in front.asked if not each.startswith("GET") and "/validate" not in each]


def lines(capsys: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_plan_shows_what_and_changes_nothing(front: Front, capsys: Said) -> None:
    assert run(["connectors", "plan"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "+ mkt: create"
    assert "    + database.password = ***" in said.out.splitlines()
    assert said.err == "create: 1\n"
    assert at_once("apply", "--dry-run") == 0
    assert capsys.readouterr().out == said.out
    assert writes(front) == []


def test_apply_says_what_it_did_and_does_it_once(front: Front, capsys: Said) -> None:
    assert at_once("apply") == 0
    assert capsys.readouterr().err == "created connector mkt\n"
    asked = len(writes(front))
    assert at_once("apply") == 0
    assert capsys.readouterr().err == "nothing to do: 1 connectors are as they shall be\n"
    assert len(writes(front)) == asked


def test_the_difference_is_redacted(front: Front, standin: StandIn, capsys: Said) -> None:
    assert at_once("apply") == 0
    standin.connectors["mkt"].config |= {"database.password": SECRET, "slot.name": "other"}
    capsys.readouterr()
    assert run(["connectors", "plan"]) == 0
    out = capsys.readouterr().out
    assert "    ~ database.password = *** -> *** (another value)" in out.splitlines()
    assert "    ~ slot.name = other -> mkt" in out.splitlines()
    for command in (["plan", "-o", "json"], ["describe", "mkt"], ["describe", "mkt", "-o", "json"], ["get"]):
        assert run(["connectors", *command]) == 0
        said = capsys.readouterr()
        assert SECRET not in said.out + said.err


def test_a_refused_setting_stops_all_before_the_first_change(front: Front, tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "connectors" / "mkt.yaml"
    path.write_text(FILE.replace("hostname: db", "hostname: closed"), encoding="utf-8")
    assert at_once("apply") == 1
    assert "connector mkt: database.password: Invalid value *** for configuration" in capsys.readouterr().err
    assert writes(front) == []
    assert run(["connectors", "validate"]) == 1
    assert capsys.readouterr().out.startswith(f"{path}:8:3: database.password: Invalid value ***")


@pytest.mark.usefixtures("front")
def test_a_failure_is_seen_shown_and_mended(standin: StandIn, capsys: Said) -> None:
    assert at_once("apply") == 0
    standin.fail("mkt", "org.example.Broken: gone\n\tat org.example.A.b(A.java:1)\nCaused by: org.example.Why: so")
    capsys.readouterr()
    assert run(["connectors", "get", "-o", "json"]) == 1
    assert lines(capsys)[0]["failure"] == "task 0 of mkt failed: org.example.Broken: gone"
    assert run(["connectors", "describe", "mkt"]) == 0
    assert "    Caused by: org.example.Why: so" in capsys.readouterr().out.splitlines()
    assert at_once("restart", "mkt", "--failed") == 0
    assert standin.connectors["mkt"].restarts == 1


@pytest.mark.usefixtures("front")
def test_pause_resume_stop_and_delete(standin: StandIn, capsys: Said) -> None:
    assert at_once("apply") == 0
    for verb, state in (("pause", "PAUSED"), ("resume", "RUNNING"), ("stop", "STOPPED")):
        assert at_once(verb, "mkt", "--dry-run") == 0
        assert standin.connectors["mkt"].state != state
        assert at_once(verb, "mkt") == 0
        assert standin.connectors["mkt"].state == state
    assert run(["connectors", "delete", "mkt"]) == 0
    assert standin.connectors == {}
    assert capsys.readouterr().err.splitlines()[-1] == "deleted connector mkt"


@pytest.mark.usefixtures("front")
def test_somebody_elses_connector_is_left_alone_until_it_is_adopted(standin: StandIn, capsys: Said) -> None:
    theirs = {"name": "mkt", "connector.class": "org.example.Theirs"}
    standin.answer("POST", "/connectors", {"name": "mkt", "config": theirs})
    for command in (["apply"], ["delete", "mkt"], ["pause", "mkt"], ["offsets", "reset", "mkt"]):
        assert run(["connectors", *command]) == 1
    assert standin.connectors["mkt"].config == theirs
    assert "it carries no mark of ours" in capsys.readouterr().err
    assert at_once("apply", "--adopt", "mkt") == 0
    assert standin.connectors["mkt"].config["stagewatch.owner"] == "stagewatch"


@pytest.mark.usefixtures("front")
def test_only_what_is_ours_is_pruned(standin: StandIn, tmp_path: Path) -> None:
    standin.answer("POST", "/connectors", {"name": "theirs", "config": {"connector.class": "org.example.Theirs"}})
    assert at_once("apply") == 0
    (tmp_path / "connectors" / "mkt.yaml").write_text(FILE.replace("name: mkt", "name: new"), encoding="utf-8")
    assert at_once("apply") == 0
    assert standin.connectors.keys() == {"theirs", "mkt", "new"}
    assert at_once("apply", "--prune") == 0
    assert standin.connectors.keys() == {"theirs", "new"}


@pytest.mark.usefixtures("front")
def test_nothing_is_pruned_by_a_part_of_the_files(standin: StandIn, tmp_path: Path, capsys: Said) -> None:
    folder = tmp_path / "connectors"
    (folder / "new.yaml").write_text(FILE.replace("name: mkt", "name: new"), encoding="utf-8")
    assert at_once("apply") == 0
    (tmp_path / "empty").mkdir()
    for part in (folder / "new.yaml", tmp_path / "empty", folder):
        assert run(["connectors", "plan", str(part), "--prune"]) == 1
        assert "leave the PATHs out" in capsys.readouterr().err
    (folder / "new.yaml").write_text(FILE.replace("connector/v1", "connectors/v1"), encoding="utf-8")
    assert at_once("apply", "--prune") == 1  # a slip in a file is no wish to be rid of it
    assert "new.yaml:1:" in capsys.readouterr().err
    (folder / "new.yaml").write_text("version: [", encoding="utf-8")
    assert at_once("apply", "--prune") == 1
    for file in folder.iterdir():
        file.unlink()
    assert at_once("apply", "--prune") == 1
    assert "would delete all" in capsys.readouterr().err
    assert standin.connectors.keys() == {"mkt", "new"}


@pytest.mark.usefixtures("front")
def test_offsets_are_set_only_while_stopped_and_come_back(standin: StandIn, tmp_path: Path, capsys: Said) -> None:
    assert at_once("apply") == 0
    pair = ["--partition", '{"server":"cdc"}', "--offset", '{"lsn":7}']
    assert run(["connectors", "offsets", "set", "mkt", *pair]) == 1
    assert "stagewatch connectors stop mkt" in capsys.readouterr().err
    assert at_once("stop", "mkt") == 0
    assert run(["connectors", "offsets", "set", "mkt", *pair, "--dry-run"]) == 0
    assert standin.connectors["mkt"].offsets == []
    assert run(["connectors", "offsets", "set", "mkt", *pair]) == 0
    capsys.readouterr()
    assert run(["connectors", "offsets", "export", "mkt"]) == 0
    saved = tmp_path / "offsets.json"
    saved.write_text(capsys.readouterr().out, encoding="utf-8")
    assert run(["connectors", "offsets", "reset", "mkt"]) == 0
    assert run(["connectors", "offsets", "import", "mkt", str(saved)]) == 0
    capsys.readouterr()
    assert run(["connectors", "offsets", "get", "mkt", "-o", "json"]) == 0
    assert lines(capsys) == [{"partition": {"server": "cdc"}, "offset": {"lsn": 7}}]
    assert run(["connectors", "offsets", "set", "mkt", "--partition", "{", "--offset", "{}"]) == 2


@pytest.mark.usefixtures("front")
def test_the_signal_tables_statement_goes_to_stdout_alone(capsys: Said) -> None:
    assert run(["connectors", "snapshot", "mkt.mkt_app", "--connector", "mkt"]) == 0
    assert capsys.readouterr().out.startswith("insert into mkt.signal (id, type, data) values ('stagewatch-")
    assert run(["connectors", "snapshot", "mkt.mkt_app", "--connector", "mtk"]) == 2
    assert "did you mean mkt?" in capsys.readouterr().err


@pytest.mark.usefixtures("front")
def test_unknown_names_list_the_known(capsys: Said) -> None:
    assert at_once("apply") == 0
    for command in (["describe", "mtk"], ["pause", "mtk"], ["get", "mtk"], ["offsets", "get", "mtk"]):
        capsys.readouterr()
        assert run(["connectors", *command]) == 2
        assert "no connector 'mtk' (did you mean mkt?); known: mkt" in capsys.readouterr().err


def test_without_an_address_or_files_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.delenv("STAGEWATCH_CONNECT_URL", raising=False)
    assert run(["connectors", "get"]) == 1
    assert "STAGEWATCH_CONNECT_URL=http://host:8083" in capsys.readouterr().err
    assert run(["connectors", "plan"]) == 1
    assert "STAGEWATCH_CONNECTORS" in capsys.readouterr().err


def test_a_worker_that_is_not_there_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setenv("STAGEWATCH_CONNECT_URL", f"http://user:{SECRET}@127.0.0.1:9")
    assert run(["connectors", "get"]) == 1
    assert capsys.readouterr().err == "no Kafka Connect answers at http://***@127.0.0.1:9\n"
    assert run(["settings"]) == 0
    assert SECRET not in capsys.readouterr().out


def test_templates_are_listed_and_printed_as_they_are(capsys: Said) -> None:
    assert run(["connectors", "template", "-o", "json"]) == 0
    assert {"mkt", "opm", "lean", "ymd", "erp", "mob", "ech", "chn"} <= {each["template"] for each in lines(capsys)}
    assert run(["connectors", "template", "ymd"]) == 0
    assert "connector.class: io.debezium.connector.mariadb.MariaDbConnector" in capsys.readouterr().out
    assert run(["connectors", "template", "yms"]) == 2


def test_goldengates_properties_are_made_and_checked(tmp_path: Path, capsys: Said) -> None:
    assert run(["connectors", "template", "mkt"]) == 0
    path = tmp_path / "mkt.yaml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert run(["connectors", "ogg", str(path)]) == 0
    properties = tmp_path / "mkt.props"
    properties.write_text(capsys.readouterr().out, encoding="utf-8")
    assert run(["connectors", "ogg", str(properties), "--source", "mkt"]) == 0
    properties.write_text(properties.read_text("utf-8").replace("mode=op", "mode=tx"), encoding="utf-8")
    assert run(["connectors", "ogg", str(properties), "--source", "mkt"]) == 1
    assert capsys.readouterr().out.startswith(f"{properties}:4:1: gg.handler.mkt.mode: tx puts")
    assert run(["connectors", "ogg", str(path), "--producer"]) == 0
    assert "enable.idempotence=true" in capsys.readouterr().out


def test_check_lints_connector_files(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "mkt.yaml"
    path.write_text(FILE.replace("${env:PASSWORD}", SECRET), encoding="utf-8")
    assert run(["check", str(path)]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{path}:8:22: database.password: a secret in the clear")
    assert SECRET not in said.out + said.err
    path.write_text(FILE.replace("  heartbeat.interval.ms: 10000\n", ""), encoding="utf-8")
    assert run(["check", str(path)]) == 0
    said = capsys.readouterr()
    assert f"warning: {path}:4:1: heartbeat.interval.ms: no heartbeat" in said.err
    assert said.out == ""
