"""Files as batches on the embedded broker: written once, taken back exactly, and a full load that may delete."""

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors import existing_topics
from connectors.files import Batch, BatchRefused, Journal, Order, TopicLog, Undo, UnreadableFile, file_hash
from connectors.landing import Landing
from schemas import TryLater, iso, read_origin
from stagewatch.__main__ import run
from stagewatch.embedded import EmbeddedBroker
from stagewatch.topic_reader import read_topic
from tests.helpers.decoding import mapping
from tests.helpers.ingesting import TABLE, TOPIC, capture_rows, captured, rows_in, write_csv

Said = pytest.CaptureFixture[str]


def ingest(*arguments: object) -> int:
    return run(["ingest", "file", *map(str, arguments), "--table", TABLE, "--operator", "li"])


def said_json(capsys: Said) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_a_bad_file_is_told_cell_by_cell_and_not_written(broker: EmbeddedBroker, tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "apps.csv"
    path.write_text(
        "申请编号x,app_no,source_count,accepted_at\n,A1,1,2026/3/2\n,A2,zwei,morgen\n,A1,1,\n,,1,\n,A5\n", "utf-8"
    )
    assert ingest(path) == 1
    captured_text = capsys.readouterr()
    assert [line.removeprefix(f"{path}:").split(":")[:2] for line in captured_text.out.splitlines()] == [
        ["3", "source_count"], ["3", "accepted_at"], ["4", "app_no"], ["5", "app_no"], ["6", "-"],
    ]  # fmt: skip
    assert "4 of 5 rows are bad" in captured_text.err
    assert list(read_topic(broker.bootstrap, TOPIC)) == []


def test_a_column_without_a_name_that_holds_something_is_told_with_its_place(
    broker: EmbeddedBroker, tmp_path: Path, capsys: Said
) -> None:
    path = tmp_path / "apps.csv"
    path.write_text("app_no,,source_count,\nA1,,1,\nA2,lost,1,\nA3,lost,1,\n", "utf-8")
    assert ingest(path) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "no name" in line]
    assert len(told) == 1, "of the last column, which is empty, nothing is lost"
    assert f"{path}:3: column 2 has no name in the first row: it is ignored" in told[0]
    assert rows_in(broker.bootstrap)["A2"] == {"app_no": "A2", "source_count": 1}


def test_with_skip_bad_the_rest_is_written_and_the_bad_rows_are_kept(
    broker: EmbeddedBroker, tmp_path: Path, capsys: Said
) -> None:
    path = write_csv(
        tmp_path / "apps.csv", [{"app_no": "A1", "source_count": 1}, {"app_no": "A2", "source_count": "x"}]
    )
    assert ingest(path, "--skip-bad") == 0
    assert rows_in(broker.bootstrap) == {"A1": {"app_no": "A1", "source_count": 1}}
    rejects = path.with_name("apps.csv.rejects.csv").read_text("utf-8-sig").splitlines()
    assert rejects == ["app_no,source_count,_why", "A2,x,row 3: source_count: text instead of a whole number"]


def test_a_row_larger_than_a_record_is_named_before_anything_is_written(
    broker: EmbeddedBroker, tmp_path: Path, capsys: Said
) -> None:
    path = write_csv(
        tmp_path / "apps.csv", [{"app_no": "A1", "cust_name": "x"}, {"app_no": "A2", "cust_name": "户" * 400_000}]
    )
    assert ingest(path) == 1
    assert "a record holds 1000000" in capsys.readouterr().out
    assert ingest(path, "--skip-bad") == 0
    assert list(rows_in(broker.bootstrap)) == ["A1"]


def test_a_row_lands_beside_the_sources_own_and_says_who_brought_it(broker: EmbeddedBroker, tmp_path: Path) -> None:
    capture_rows(broker.bootstrap, [captured("A1", 100, org_no="1")])
    assert ingest(write_csv(tmp_path / "apps.csv", [{"app_no": "A1", "org_no": "2"}])) == 0
    first, second = read_topic(broker.bootstrap, TOPIC)
    assert (first.partition, first.key) == (second.partition, second.key)
    origin = read_origin(second.value or b"")
    assert origin is not None
    assert (origin.src, origin.operator, origin.row_no) == ("manual", "li", 2)


def test_the_same_file_is_not_loaded_twice(broker: EmbeddedBroker, tmp_path: Path, capsys: Said) -> None:
    path = write_csv(tmp_path / "apps.csv", [{"app_no": "A1"}])
    assert ingest(path) == 0
    assert ingest(path) == 1
    assert "was loaded already" in capsys.readouterr().err
    assert len(list(read_topic(broker.bootstrap, TOPIC))) == 1
    assert run(["ingest", "undo", "mkt.mkt_app-" + _hash(path)]) == 0
    assert ingest(path) == 0, "what was taken back can be loaded again"
    assert rows_in(broker.bootstrap) == {"A1": {"app_no": "A1"}}


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def test_undo_makes_every_row_what_it_was(broker: EmbeddedBroker, tmp_path: Path, capsys: Said) -> None:
    capture_rows(
        broker.bootstrap,
        [
            captured(
                "A1", 100, org_no="1", cust_name="张三", accepted_at="2026-03-02T01:00:00Z", apply_cap_kva="12.50"
            ),
            captured("A2", 110, org_no="1", req_energise_at="2026-03-09"),
            captured("A3", 120, org_no="1"),
            captured("A3", 130, op="d"),
            captured("A9", 140, org_no="9"),
        ],
    )
    before = rows_in(broker.bootstrap)
    changes = [{"app_no": f"A{n}", "org_no": "2", "req_energise_at": "2027-01-01"} for n in range(1, 5)]
    assert ingest(write_csv(tmp_path / "apps.csv", changes), "--batch", "b1") == 0
    assert {key: row and row["org_no"] for key, row in rows_in(broker.bootstrap).items()} == {
        "A1": "2", "A2": "2", "A3": "2", "A4": "2", "A9": "9",
    }  # fmt: skip
    capsys.readouterr()
    assert run(["ingest", "undo", "b1", "-o", "json"]) == 0
    assert said_json(capsys) == {"batch": "b1", "restored": 2, "deleted": 2, "left": 0, "unknown": 0}
    after = rows_in(broker.bootstrap)
    # A column that only the batch brought cannot be missing again, it is null.
    assert {key: row and {n: v for n, v in row.items() if v is not None} for key, row in after.items()} == {
        **before, "A4": None,
    }  # fmt: skip


def test_undo_leaves_what_the_source_changed_since_and_does_nothing_twice(
    broker: EmbeddedBroker, tmp_path: Path, capsys: Said
) -> None:
    capture_rows(broker.bootstrap, [captured(f"A{n}", 100 + n, org_no="1") for n in (1, 2)])
    path = write_csv(tmp_path / "apps.csv", [{"app_no": f"A{n}", "org_no": "2"} for n in (1, 2, 3)])
    assert ingest(path, "--batch", "b1") == 0
    # A1 changes at the source; of A2 an old change comes again.
    capture_rows(broker.bootstrap, [captured("A1", 200, org_no="3"), captured("A2", 102, org_no="1")])
    capsys.readouterr()
    assert run(["ingest", "undo", "b1", "-o", "json"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("A1: changed since")
    assert json.loads(out[1]) == {"batch": "b1", "restored": 1, "deleted": 1, "left": 1, "unknown": 0}
    wanted = {"A1": {"app_no": "A1", "org_no": "3"}, "A2": {"app_no": "A2", "org_no": "1"}, "A3": None}
    assert rows_in(broker.bootstrap) == wanted
    size = len(list(read_topic(broker.bootstrap, TOPIC)))
    assert run(["ingest", "undo", "b1", "-o", "json"]) == 0
    assert said_json(capsys) == {"batch": "b1", "restored": 0, "deleted": 0, "left": 1, "unknown": 0}
    assert len(list(read_topic(broker.bootstrap, TOPIC))) == size


def test_an_undo_that_crashed_is_finished_by_the_next(broker: EmbeddedBroker, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "apps.csv", [{"app_no": f"A{n}"} for n in range(5)])
    assert ingest(path, "--batch", "b1") == 0
    journal_file = tmp_path / "data" / "ingest" / "b1.sqlite"
    with Journal(journal_file) as journal, TopicLog(broker.bootstrap, mapping(TOPIC)) as log:
        undo = Undo(mapping(TOPIC), journal, operator="li", src_ts=int(journal["src_ts"]) + 1)
        undo.look(log, lambda _done: None)
        with FailingLanding(broker.bootstrap, after=2) as landing, pytest.raises(TryLater):
            undo.write(landing, lambda _done: None)
    assert run(["ingest", "undo", "b1"]) == 0
    records = list(read_topic(broker.bootstrap, TOPIC))
    assert rows_in(broker.bootstrap) == {f"A{n}": None for n in range(5)}
    assert len(records) == 10


def test_a_row_of_an_earlier_time_does_not_overwrite_what_the_source_said_since(
    broker: EmbeddedBroker, tmp_path: Path, capsys: Said
) -> None:
    capture_rows(broker.bootstrap, [captured("A1", 100, org_no="1")])
    path = write_csv(tmp_path / "apps.csv", [{"app_no": "A1", "org_no": "2"}, {"app_no": "A2", "org_no": "2"}])
    assert ingest(path, "--as-of", "2026-01-01") == 0
    assert "1 rows were not written: the source has said something newer" in capsys.readouterr().err
    rows = rows_in(broker.bootstrap)
    assert {key: row and row["org_no"] for key, row in rows.items()} == {"A1": "1", "A2": "2"}


class FailingLanding(Landing):
    """A broker that goes away after so many records."""

    def __init__(self, bootstrap: str, *, after: int) -> None:
        super().__init__(bootstrap)
        self._left = after

    def put(self, *record: Any) -> None:
        if self._left == 0:
            super().settle()
            raise TryLater("the broker went away")
        self._left -= 1
        super().put(*record)


def full_order(path: Path, rows: int, **more: Any) -> Order:
    now_ms = int(time.time() * 1000)
    order = Order(path=path, mapping=mapping(TOPIC), batch="full", src_ts=now_ms, is_full=True, expected_rows=rows)
    return replace(order, **more)


def load(bootstrap: str, folder: Path, order: Order, *, after: int | None = None) -> Any:
    """The steps of a batch; with `after`, the broker goes away after so many records."""
    landing = Landing(bootstrap) if after is None else FailingLanding(bootstrap, after=after)
    with Journal(folder / "full.sqlite") as journal, TopicLog(bootstrap, order.mapping) as log, landing:
        journal.note(written_as=order.batch, has_past=1)
        batch = Batch(order, journal)
        batch.check(lambda row: None, lambda _done: None)
        batch.look_back(log, lambda _done: None)
        return batch.write(landing, log, lambda _done: None)


def test_a_full_load_deletes_what_it_lacks_once_its_count_is_right(broker: EmbeddedBroker, tmp_path: Path) -> None:
    capture_rows(broker.bootstrap, [captured(f"A{n}", 100 + n, org_no="1") for n in range(4)])
    path = write_csv(tmp_path / "apps.csv", [{"app_no": f"A{n}", "org_no": "2"} for n in (0, 1, 7)])
    written = load(broker.bootstrap, tmp_path, full_order(path, 3))
    assert (written.rows, written.deleted) == (3, 2)
    rows = rows_in(broker.bootstrap)
    assert {key: row and row["org_no"] for key, row in rows.items()} == {
        "A0": "2", "A1": "2", "A2": None, "A3": None, "A7": "2",
    }  # fmt: skip


def test_a_full_load_that_crashed_or_is_short_deletes_nothing(broker: EmbeddedBroker, tmp_path: Path) -> None:
    capture_rows(broker.bootstrap, [captured(f"A{n}", 100 + n, org_no="1") for n in range(4)])
    path = write_csv(tmp_path / "apps.csv", [{"app_no": f"A{n}", "org_no": "2"} for n in (0, 1)])
    with pytest.raises(BatchRefused, match="2 rows, and 3 are expected"):
        load(broker.bootstrap, tmp_path / "short", full_order(path, 3))
    with pytest.raises(TryLater):
        load(broker.bootstrap, tmp_path, full_order(path, 2), after=2)  # the start marker and one row
    assert None not in rows_in(broker.bootstrap).values()
    written = load(broker.bootstrap, tmp_path, full_order(path, 2))  # once more, after the crash
    assert (written.rows, written.before, written.deleted) == (1, 1, 2)
    rows = rows_in(broker.bootstrap)
    assert {key: row and row["org_no"] for key, row in rows.items()} == {"A0": "2", "A1": "2", "A2": None, "A3": None}


def test_a_full_load_leaves_what_was_told_of_after_it_was_true(
    broker: EmbeddedBroker, tmp_path: Path, capsys: Said
) -> None:
    capture_rows(broker.bootstrap, [captured("B1", 100, org_no="1"), captured("B2", 101, org_no="1")])
    path = write_csv(tmp_path / "all.csv", [{"app_no": "B1", "org_no": "1"}])
    assert ingest(path, "--full", "--rows", 1, "--as-of", "2026-01-01", "-o", "json") == 0
    said = capsys.readouterr()
    assert {name: json.loads(said.out)[name] for name in ("older", "kept", "deleted")} == {
        "older": 1, "kept": 1, "deleted": 0,
    }  # fmt: skip
    assert "1 rows that the file lacks were kept" in said.err
    assert rows_in(broker.bootstrap).keys() == {"B1", "B2"}
    assert None not in rows_in(broker.bootstrap).values()


def test_a_full_load_takes_no_bad_rows(broker: EmbeddedBroker, tmp_path: Path, capsys: Said) -> None:
    capture_rows(broker.bootstrap, [captured(f"A{n}", 100 + n, source_count=1) for n in (1, 2)])
    path = write_csv(tmp_path / "all.csv", [{"app_no": "A1", "source_count": 2}, {"app_no": "A2", "source_count": "x"}])
    assert ingest(path, "--full", "--rows", 2, "--skip-bad") == 1
    assert "a full load would delete what bad rows are about" in capsys.readouterr().err
    assert rows_in(broker.bootstrap) == {f"A{n}": {"app_no": f"A{n}", "source_count": 1} for n in (1, 2)}


def test_a_full_load_must_be_told_how_many_rows_it_has(broker: EmbeddedBroker, tmp_path: Path, capsys: Said) -> None:
    capture_rows(broker.bootstrap, [captured(f"A{n}", 100 + n) for n in (1, 2)])
    path = write_csv(tmp_path / "all.csv", [{"app_no": "A1"}])
    assert ingest(path, "--full") == 1
    assert "say how many it must have (--rows 1" in capsys.readouterr().err
    assert len(list(read_topic(broker.bootstrap, TOPIC))) == 2


def test_batches_are_taken_back_in_the_reverse_of_their_order(
    broker: EmbeddedBroker, tmp_path: Path, capsys: Said
) -> None:
    capture_rows(broker.bootstrap, [captured("A1", 100, org_no="A")])
    for batch, org in (("u1", "B"), ("u2", "C")):
        assert ingest(write_csv(tmp_path / f"{batch}.csv", [{"app_no": "A1", "org_no": org}]), "--batch", batch) == 0
    assert run(["ingest", "undo", "u1"]) == 1
    assert "batch 'u2' has changed rows of 'u1' since: `stagewatch ingest undo u2` first" in capsys.readouterr().err
    assert org_of(broker, "A1") == "C"
    assert run(["ingest", "undo", "u2"]) == 0
    assert org_of(broker, "A1") == "B"
    assert run(["ingest", "undo", "u1"]) == 0
    assert org_of(broker, "A1") == "A"


def test_rows_of_a_later_batch_are_left_if_that_is_wanted(broker: EmbeddedBroker, tmp_path: Path) -> None:
    rows = [{"app_no": "A1", "org_no": "B"}, {"app_no": "A2", "org_no": "B"}]
    assert ingest(write_csv(tmp_path / "u1.csv", rows), "--batch", "u1") == 0
    later = write_csv(tmp_path / "u2.csv", [{"app_no": "A1", "org_no": "C"}])
    assert ingest(later, "--batch", "u2", "--no-undo") == 0
    assert run(["ingest", "undo", "u1", "--leave"]) == 0
    assert org_of(broker, "A1") == "C"
    assert rows_in(broker.bootstrap)["A2"] is None


def org_of(broker: EmbeddedBroker, key: str) -> object:
    row = rows_in(broker.bootstrap)[key]
    return row and row["org_no"]


def test_a_row_that_is_true_a_little_later_is_taken_back_too_and_one_of_2099_is_refused(
    broker: EmbeddedBroker, tmp_path: Path, capsys: Said
) -> None:
    soon = iso(int(time.time() * 1000) + 200_000)
    path = write_csv(tmp_path / "a.csv", [{"app_no": "A1", "_src_ts": soon}])
    assert ingest(path, "--batch", "b1") == 0
    assert run(["ingest", "undo", "b1"]) == 0
    assert rows_in(broker.bootstrap) == {"A1": None}
    capsys.readouterr()
    far = write_csv(tmp_path / "b.csv", [{"app_no": "A2", "_src_ts": "2099-01-01T00:00:00Z"}])
    assert ingest(far) == 1
    assert f"{far}:2:_src_ts: in the future" in capsys.readouterr().out
    assert ingest(path, "--batch", "b3", "--as-of", "2099-01-01") == 1
    assert "--as-of 2099-01-01 is in the future" in capsys.readouterr().err


def test_a_title_of_several_columns_is_asked_about(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [{"app_no": "A1", "位置": "中山路1号"}])
    titles = {"位置": ["addr", "org_no"], "申请编号": ["app_no"]}
    order = Order(path=path, mapping=mapping(TOPIC), batch="b", src_ts=0, titles=titles)
    with (
        Journal(tmp_path / "b.sqlite") as journal,
        pytest.raises(UnreadableFile, match=r"a\.csv:1:位置: the title of addr and org_no; write the column's name"),
    ):
        Batch(order, journal).check(lambda row: None, lambda _done: None)


def test_a_dry_run_of_a_full_load_counts_what_it_would_delete(
    broker: EmbeddedBroker, tmp_path: Path, capsys: Said
) -> None:
    path = write_csv(tmp_path / "all.csv", [{"app_no": "A1", "org_no": "9"}])
    assert ingest(path, "--full", "--dry-run", "-o", "json") == 0  # nobody has made the topic
    assert said_json(capsys)["deleted"] == 0
    assert TOPIC not in existing_topics(broker.bootstrap)
    capture_rows(broker.bootstrap, [captured(f"A{n}", n, org_no="1") for n in (1, 2, 3)])
    assert ingest(path, "--full", "--dry-run", "-o", "json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"batch": f"{TABLE}-{file_hash(path)[:12]}", "bad": 0, "rows": 1, "deleted": 2}
    assert "would delete 2 rows of it that the file lacks" in said.err
    assert rows_in(broker.bootstrap).keys() == {"A1", "A2", "A3"}


def test_a_dry_run_of_a_full_load_without_a_broker_says_what_it_cannot_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path / "data"))
    path = write_csv(tmp_path / "all.csv", [{"app_no": "A1", "org_no": "9"}])
    for broker in ("embedded", "kafka://127.0.0.1:1"):
        monkeypatch.setenv("STAGEWATCH_BROKER", broker)
        assert ingest(path, "--full", "--dry-run", "-o", "json") == 0
        said = capsys.readouterr()
        assert json.loads(said.out)["deleted"] is None
        assert "would delete the rows of it that the file lacks (no broker answers: how many is not known)" in said.err


def test_batches_are_listed_with_who_and_what(broker: EmbeddedBroker, tmp_path: Path, capsys: Said) -> None:
    assert ingest(write_csv(tmp_path / "a.csv", [{"app_no": "A1"}]), "--batch", "b1") == 0
    capsys.readouterr()
    assert run(["ingest", "list", "-o", "json"]) == 0
    found = said_json(capsys)
    assert [found[name] for name in ("batch", "table", "state", "rows", "operator")] == ["b1", TABLE, "done", 1, "li"]


def test_without_no_undo_there_is_a_past_and_with_it_none(broker: EmbeddedBroker, tmp_path: Path, capsys: Said) -> None:
    assert ingest(write_csv(tmp_path / "a.csv", [{"app_no": "A1"}]), "--batch", "b1", "--no-undo") == 0
    assert run(["ingest", "undo", "b1"]) == 1
    assert "written with --no-undo" in capsys.readouterr().err


def test_unknown_names_list_the_known(tmp_path: Path, capsys: Said) -> None:
    path = write_csv(tmp_path / "a.csv", [{"app_no": "A1"}])
    assert run(["ingest", "file", str(path), "--table", "mkt.mkt_ap", "--dry-run"]) == 1
    assert "did you mean mkt.mkt_app?" in capsys.readouterr().err
    path = write_csv(tmp_path / "b.csv", [{"ap_no": "A1"}])
    assert run(["ingest", "file", str(path), "--table", TABLE, "--dry-run"]) == 1
    assert "is it 'ap_no'?" in capsys.readouterr().err
