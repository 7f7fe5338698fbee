"""SQLite and PostgreSQL pass the same sentences."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from schemas.alert import AlertEvent, AlertObject, Evidence
from schemas.errors import TryLater
from schemas.indicator import IndicatorValue
from schemas.loop import Act, TaskView
from sinks.store import (
    AlertEventRow,
    IndicatorRow,
    InstanceRow,
    NotificationRow,
    Store,
    StoreBatch,
    StoreSettingError,
    StoreVersionError,
    TaskRow,
)
from tests.helpers.notices import NOW
from tests.helpers.postgres import Postgres
from tests.helpers.reports import TAKEN, order, value

TOPIC = "stagewatch.alerts"


def task(number: str = "10000001", *, position: int = 1, state: str = "SENT", person_no: str = "M1") -> TaskRow:
    view = TaskView(
        number=number, kind="task", state=state, version=1, updated_at=NOW, instance="APP1", person_no=person_no,
        text="督办", acts=(Act(NOW, "clock", "SENT"),),
    )  # fmt: skip
    return TaskRow(task=view, position=position)


def instance(key: str = "APP1", **changes: Any) -> InstanceRow:
    fields: dict[str, Any] = {
        "process": "hv_connection",
        "instance": key,
        "org_no": "33401",
        "status": "running",
        "stages": ("SURVEY", "SCHEME"),
        "entered_at": NOW,
        "state": '{"客户":"王五"}',
        "updated_at": NOW,
        "position": 10,
    }
    return InstanceRow(**(fields | changes))


def event(alert: str = "a1", kind: str = "raised", *, offset: int = 1, at: int = NOW, **changes: Any) -> AlertEventRow:
    fields: dict[str, Any] = {
        "alert_id": alert,
        "event": kind,
        "rule": "R-T03",
        "rule_version": 1,
        "severity": "WARN",
        "process": "hv_connection",
        "instance": "APP1",
        "stage": "SURVEY",
        "visit": 1,
        "raised_at": NOW,
        "due_at": None,
        "org_no": "33401",
        "dept": None,
        "person": "M001",
        "object": AlertObject("pub_trans", "T1", "NL1"),
        "text": "勘查将到期",
        "evidence": (Evidence("cdc.mkt.mkt_app", 0, 17),),
    }
    return AlertEventRow(event=AlertEvent(**(fields | changes)), topic=TOPIC, partition=0, offset=offset, at=at)


def notification(key: str = "k1", **changes: Any) -> NotificationRow:
    fields: dict[str, Any] = {
        "key": key,
        "alert_id": "a1",
        "rule": "R-T03",
        "severity": "WARN",
        "process": "hv_connection",
        "instance": "APP1",
        "org_no": None,
        "recipient_no": "M001",
        "recipient_name": "王五",
        "channel": "sms",
        "text": "勘查将到期",
        "is_late": False,
        "at": NOW,
        "due_at": None,
        "state": "sending",
        "attempt": 1,
        "msg_id": "m1",
        "receipt": "",
        "reason": "",
        "added_at": NOW,
        "updated_at": NOW,
        "version": 2,
    }
    return NotificationRow(**(fields | changes))


def indicator(numerator: int = 1, *, position: int = 1, at: str = "2026-03-02T01:00:00.000Z") -> IndicatorRow:
    value = IndicatorValue(
        indicator="accepted",
        org_no="33401",
        date="2026-03-02",
        dims={"volt": "HV", "process": "hv_connection"},
        numerator=numerator,
        denominator=0,
        value=float(numerator),
        at=at,
    )
    return IndicatorRow(value=value, position=position)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/data/stagewatch.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as database:
        yield database.dsn


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()
    store.close()


def test_what_was_written_is_read_back(store: Store) -> None:
    batch = StoreBatch(
        instances=[instance()], alerts=[event()], notifications=[notification()], indicators=[indicator()]
    )
    store.write(batch)
    assert store.instance("APP1") == instance()
    assert [row.event for row in store.alerts()] == [event().event]
    assert store.alert_events("a1") == [event()]
    assert store.notifications() == [notification()]
    assert store.indicators() == [indicator()]


def test_it_is_still_there_when_the_store_is_opened_again(url: str) -> None:
    for _ in range(2):
        store = Store(url)
        store.write(StoreBatch(instances=[instance()]))
        assert store.instance("APP1") is not None
        store.close()


def test_a_repeated_batch_changes_nothing(store: Store) -> None:
    batch = StoreBatch(
        instances=[instance(), instance()],
        alerts=[event(), event(), event(kind="cleared", offset=2)],
        notifications=[notification(), notification(state="delivered", version=3)],
        indicators=[indicator()],
        positions={(TOPIC, 0): 3},
    )
    store.write(batch)
    before = (store.instances(), store.alerts(), store.alert_events("a1"), store.notifications(), store.positions())
    store.write(batch)
    assert before == (
        store.instances(),
        store.alerts(),
        store.alert_events("a1"),
        store.notifications(),
        store.positions(),
    )
    assert store.alerts()[0].state == "cleared"
    assert store.notifications()[0].state == "delivered"


def test_an_event_repeated_at_a_later_offset_does_not_bring_an_alert_back(store: Store) -> None:
    store.write(StoreBatch(alerts=[event(offset=1), event(kind="cleared", offset=2)]))
    store.write(StoreBatch(alerts=[event(offset=3, at=NOW + 9, evidence=())]))
    assert store.alerts()[0].state == "cleared"
    assert len(store.alert_events("a1")) == 2


def test_a_second_writer_that_is_behind_changes_nothing(store: Store) -> None:
    store.write(StoreBatch(alerts=[event(kind="cleared", offset=2, at=NOW + 5)]))
    store.write(StoreBatch(alerts=[event(kind="raised", offset=1, at=NOW)]))
    store.write(StoreBatch(instances=[instance(status="archived", position=20)]))
    store.write(StoreBatch(instances=[instance(position=10)]))
    store.write(StoreBatch(notifications=[notification(state="delivered", version=3), notification(version=2)]))
    store.write(StoreBatch(indicators=[indicator(5, position=9), indicator(4, position=8)]))
    assert store.alerts()[0].state == "cleared"
    assert store.instance("APP1") == instance(status="archived", position=20)
    assert store.notifications()[0].state == "delivered"
    assert store.indicators()[0].value.numerator == 5


def test_a_topic_that_counts_from_0_again_is_followed_by_its_times(store: Store) -> None:
    store.write(StoreBatch(alerts=[event(offset=900)], instances=[instance(position=900)]))
    later = NOW + 60_000
    store.write(StoreBatch(alerts=[event(kind="cleared", offset=3, at=later)]))
    store.write(StoreBatch(instances=[instance(status="archived", position=3, updated_at=later)]))
    assert store.alerts()[0].state == "cleared"
    assert store.instances()[0].status == "archived"


def test_two_escalations_of_one_rung_are_two_events(store: Store) -> None:
    rows = [event(kind="escalated", offset=number, person=f"M{number}") for number in range(2)]
    store.write(StoreBatch(alerts=rows))
    assert len(store.alert_events("a1")) == 2
    assert store.alerts()[0].event.person == "M1"


def test_alerts_are_found_by_rule_unit_state_and_severity_newest_first(store: Store) -> None:
    rows = [
        event("a1", raised_at=NOW, offset=1),
        event("a2", raised_at=NOW + 1, offset=2, rule="R-T04", org_no="33402"),
        event("a3", raised_at=NOW + 2, offset=3, severity="ALARM"),
        event("a3", "cleared", raised_at=NOW + 2, offset=4, severity="ALARM"),
    ]
    store.write(StoreBatch(alerts=rows))

    def found(**filters: Any) -> list[str]:
        return [row.event.alert_id for row in store.alerts(**filters)]

    assert found() == ["a3", "a2", "a1"]
    assert found(rule="R-T04") == ["a2"]
    assert found(org_no="33401") == ["a3", "a1"]
    assert found(state="raised", org_no="33401") == ["a1"]
    assert found(severity="ALARM") == ["a3"]
    assert found(limit=1) == ["a3"]
    assert found(rule="R-X") == []


def test_notifications_and_indicators_are_found(store: Store) -> None:
    store.write(
        StoreBatch(
            notifications=[notification("k1"), notification("k2", channel="mail", state="no_channel")],
            indicators=[indicator()],
        )
    )
    assert [row.key for row in store.notifications(state="no_channel")] == ["k2"]
    assert [row.key for row in store.notifications(channel="sms", alert_id="a1")] == ["k1"]
    assert len(store.indicators(indicator="accepted", date="2026-03-02")) == 1
    assert store.indicators(org_no="other") == []
    assert store.instance("nobody") is None


def test_a_report_finds_its_unit_with_all_below_its_period_and_what_has_no_date(store: Store) -> None:
    wanted = order(indicators=(TAKEN,), begin=NOW, end=NOW + 10)
    alerts = [
        event("in", at=NOW, org_no="3340101"), event("info", at=NOW, severity="INFO"),
        event("before", raised_at=NOW - 1), event("after", raised_at=NOW + 10), event("other", org_no="3340"),
        event("nobodys", org_no=None),
    ]  # fmt: skip
    values = [
        value("I111", "3340101", "2026-03-02", 1), value("I111", "33401", "", 2),
        value("I111", "33401", "2026-03-09", 4), value("I122", "33401", "2026-03-02", 8),
        value("I111", "33402", "2026-03-02", 16),
    ]  # fmt: skip
    rows = [IndicatorRow(value=each, position=number) for number, each in enumerate(values)]
    store.write(StoreBatch(alerts=alerts, indicators=rows))
    found = store.findings(wanted, limit=5)
    assert sorted(each.numerator for each in found.figures) == [1, 2]
    assert (found.places, [each.alert_id for each in found.anomalies]) == ((("3340101", NOW),), ["in"])


def test_a_report_of_what_is_open_counts_all_and_lists_the_last(store: Store) -> None:
    alerts = [event(f"a{number}", raised_at=NOW + number) for number in range(3)]
    store.write(StoreBatch(alerts=[*alerts, event("a2", "cleared", offset=9, at=NOW + 9, raised_at=NOW + 2)]))
    found = store.findings(order(anomalies="open", begin=0, end=1), limit=1)
    assert (len(found.places), [each.alert_id for each in found.anomalies]) == (2, ["a1"])


def test_the_order_of_dimensions_does_not_make_another_indicator(store: Store) -> None:
    value = indicator(2, position=2).value
    turned = IndicatorRow(
        value=IndicatorValue(
            indicator=value.indicator,
            org_no=value.org_no,
            date=value.date,
            dims=dict(reversed(value.dims.items())),
            numerator=2,
            denominator=0,
            value=2.0,
            at=value.at,
        ),
        position=2,
    )
    store.write(StoreBatch(indicators=[indicator()]))
    store.write(StoreBatch(indicators=[turned]))
    assert [row.value.numerator for row in store.indicators()] == [2]


def test_hostile_values_are_stored_as_well_as_can_be(store: Store) -> None:
    hostile = "a\x00b\ud800c'; drop table alerts; --"
    store.write(
        StoreBatch(
            instances=[instance(org_no=hostile, state='{"x":"\\u0000"}', position=10**30)],
            notifications=[notification(text=hostile, reason="%s {0} :name")],
        )
    )
    assert store.instances()[0].org_no == "a\ufffdb?c'; drop table alerts; --"
    assert store.instances()[0].position == (1 << 63) - 1
    assert store.notifications()[0].reason == "%s {0} :name"


def test_a_hostile_alert_is_stored(store: Store) -> None:
    hostile = event(text="a\x00b\U00020bb7", org_no="\x00")
    store.write(StoreBatch(alerts=[hostile]))
    assert store.alerts()[0].event == hostile.event


def test_an_empty_batch_is_written(store: Store) -> None:
    store.write(StoreBatch())
    assert store.positions() == {}


def test_positions_only_grow(store: Store) -> None:
    store.write(StoreBatch(positions={(TOPIC, 0): 5, (TOPIC, 1): 7}))
    store.write(StoreBatch(positions={(TOPIC, 0): 4, (TOPIC, 1): 8}))
    assert store.positions() == {(TOPIC, 0): 5, (TOPIC, 1): 8}


def test_a_batch_that_fails_leaves_no_trace(store: Store) -> None:
    broken = StoreBatch(instances=[instance()], positions={(None, 0): 1})  # type: ignore[dict-item]
    with pytest.raises(IntegrityError) as caught:
        store.write(broken)
    assert store.instances() == []
    assert "王五" not in str(caught.value)


def test_a_store_of_a_newer_version_is_refused(url: str) -> None:
    store = Store(url)
    with store._begin(is_write=True) as connection:  # noqa: SLF001 - nothing else can make a newer one
        connection.exec_driver_sql("UPDATE schema_version SET version = 99")
    store.close()
    with pytest.raises(StoreVersionError, match="version 99"):
        Store(url)


def test_a_store_of_version_1_gets_what_is_new(url: str) -> None:
    store = Store(url)
    with store._begin(is_write=True) as connection:  # noqa: SLF001 - as the version before made it
        connection.exec_driver_sql("DROP TABLE tasks")
        connection.exec_driver_sql("UPDATE schema_version SET version = 1")
    store.write(StoreBatch(instances=[instance()]))
    store.close()
    store = Store(url)
    store.write(StoreBatch(tasks=[task()]))
    assert (store.tasks(), len(store.instances())) == ([task()], 1)
    store.close()


def test_tasks_are_found_by_person_and_an_older_state_changes_nothing(store: Store) -> None:
    store.write(StoreBatch(tasks=[task(), task("20000001", person_no="M2")]))
    store.write(StoreBatch(tasks=[task(state="CLOSED", position=3)]))
    store.write(StoreBatch(tasks=[task(position=2)]))
    assert [(row.task.number, row.task.state) for row in store.tasks(person_no="M1")] == [("10000001", "CLOSED")]
    assert [row.task.number for row in store.tasks(state="SENT")] == ["20000001"]


def test_many_workers_may_open_a_new_store_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: Store(url), range(4)))
    for number, store in enumerate(stores):
        store.write(StoreBatch(instances=[instance(f"APP{number}")]))
    assert len(stores[0].instances()) == 4
    for store in stores:
        store.close()


def test_a_reader_does_not_wait_for_a_writer(url: str) -> None:
    store, reader = Store(url), Store(url)
    store.write(StoreBatch(instances=[instance()]))
    with store._begin(is_write=True):  # noqa: SLF001 - a transaction that stays open
        assert len(reader.instances()) == 1
    store.close()
    reader.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:secret@h/d", "postgresql://u:secret@h:x/d"])
def test_a_store_of_another_kind_is_refused_without_repeating_its_url(url: str) -> None:
    with pytest.raises(StoreSettingError) as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_away_is_for_later() -> None:
    with pytest.raises(TryLater) as caught:
        Store("postgresql://watch:secret@127.0.0.1:1/none?connect_timeout=2")
    assert "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_for_later(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(TryLater):
        Store(f"sqlite:///{tmp_path}/folder")


def test_a_batch_costs_a_fraction_of_its_rows_one_by_one(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/stagewatch.db")

    def cost(batches: list[StoreBatch]) -> float:
        begun = time.process_time()
        for batch in batches:
            store.write(batch)
        return time.process_time() - begun

    def batch(first: int, size: int) -> StoreBatch:
        numbers = range(first, first + size)
        return StoreBatch(
            instances=[instance(f"APP{number}") for number in numbers],
            alerts=[event(f"a{number}", offset=number) for number in numbers],
            notifications=[notification(f"k{number}") for number in numbers],
        )

    size = 300
    cost([batch(0, 1)])  # the tables are made, statements compiled
    one_by_one = cost([batch(number, 1) for number in range(1, size + 1)])
    at_once = cost([batch(size + 1, size)])
    store.close()
    assert at_once < one_by_one / 5
