"""S2-05: the losses of a day from its freezes, by a worker on real Kafka, equal a calculation by hand.

Two districts of one line on one bus section; the freeze of meter M3 is missing until the day has long been published.
"""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from bench.kafka_server import KafkaServer
from schemas import Recorded
from stagewatch.topic_reader import read_topic
from tests.helpers.brokers import make_topics
from tests.helpers.past import Past, alerts_of, at, days_ago, values_of, wait_for
from tests.helpers.replaying import replayed
from tests.helpers.worker import running_worker

YMD = ("ymd_org", "ymd_subs", "ymd_bus", "ymd_bay", "ymd_line", "ymd_tg", "ymd_cons_tg")
METER, FREEZE, GATE = "cdc.mkt.mkt_meter", "cdc.acq.meter_freeze", "cdc.gate.gate_energy"
TOPICS = [*(f"cdc.ymd.{table}" for table in YMD), METER, FREEZE, GATE]
ORG = "3340101"
DAY, EVE = days_ago(2), days_ago(3)
"""The day that is looked at: it was published yesterday at 08:00, whenever the test runs."""
NEXT = DAY + timedelta(days=1)
"""Not `days_ago(1)`: between the collection of the tests and this one a day may end."""
METERS = {"M1": ("C1", "2"), "M2": ("C2", "1"), "M3": ("C3", "1")}
"""Customer and ratio of the current transformers."""
FREEZES = {"M1": ("1000.00", "1046.30"), "M2": ("500.0", "540.0"), "M3": ("70", "78")}
"""At the end of the eve and of the day."""


def grid(past: Past) -> None:
    """The network as it was a week ago."""
    came = at(days_ago(7), "09:00")
    past.rows("cdc.ymd.ymd_org", [{"org_no": ORG, "parent_org_no": "33401"}], came)
    past.rows("cdc.ymd.ymd_subs", [{"subs_no": "S1", "org_no": ORG}], came)
    past.rows("cdc.ymd.ymd_bus", [{"bus_no": "B1", "subs_no": "S1"}], came)
    past.rows("cdc.ymd.ymd_bay", [{"bay_no": "Y1", "bus_no": "B1"}], came)
    past.rows("cdc.ymd.ymd_line", [{"line_no": "L1", "bay_no": "Y1", "org_no": ORG}], came)
    past.rows("cdc.ymd.ymd_tg", [{"tg_no": tg, "line_no": "L1", "org_no": ORG} for tg in ("TG1", "TG2")], came)
    districts = {"C1": "TG1", "C2": "TG2", "C3": "TG2"}
    past.rows("cdc.ymd.ymd_cons_tg", [{"cons_no": c, "tg_no": tg} for c, tg in districts.items()], came)
    meters = [
        {"meter_no": no, "cons_no": cons, "digits": 6, "ct_ratio": ct, "installed_at": f"{EVE}T08:00:00+08:00"}
        for no, (cons, ct) in METERS.items()
    ]
    past.rows(METER, meters, at(EVE, "01:00"))


def energy(past: Past) -> None:
    """What was read of the eve and the day, but for one meter."""
    for number, day in enumerate((EVE, DAY)):
        came = at(day + timedelta(days=1), "00:10")
        for meter, values in FREEZES.items():
            if (meter, day) != ("M3", DAY):
                past.row(FREEZE, freeze(meter, values[number], day.isoformat()), came)
    came = at(NEXT, "01:00")
    for point, into, out in (("TG1", "100.5000", "0.5"), ("TG2", "50", "0"), ("L1", "155.25", "0"), ("B1", "160", "0")):
        past.row(GATE, {"point_no": point, "date": DAY.isoformat(), "in_kwh": into, "out_kwh": out}, came)
    past.flush()


def freeze(meter: str, value: str, day: str) -> dict[str, str]:
    return {"meter_no": meter, "freeze_date": day, "reg_code": "total", "value": value}


def test_s2_05_losses_equal_the_hand_calculation_and_missing_meters_are_listed(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    bootstrap, day = own_kafka.bootstrap, DAY.isoformat()
    make_topics(bootstrap, TOPICS, partitions=2)
    past = Past(bootstrap)
    grid(past)
    energy(past)
    with running_worker(own_kafka.url, tmp_path):
        wait_for(lambda: any(a.instance == f"bus:B1:{day}" for a in alerts_of(bootstrap, "A16")))
        values = values_of(bootstrap)
        by_hand = {  # loss and supply: TG1 100 - 46.3 x 2; TG2 50 - 40, M3 is missing; the line has both below it
            ("I243T", "TG1"): ("7.4", "100"), ("I243T", "TG2"): ("10", "50"), ("I243L", "L1"): ("22.65", "155.25"),
            ("I243", ORG): ("22.65", "155.25"), ("I245B", "B1"): ("4.75", "160"), ("I244", ORG): ("1", "2"),
            ("I245", ORG): ("0", "1"),
        }  # fmt: skip
        for (code, name), (loss, supply) in by_hand.items():
            value = values[code, day, name]
            assert (value.numerator, value.denominator) == (Decimal(loss), Decimal(supply)), code
        missing = [a for a in alerts_of(bootstrap, "A14") if a.raised_at == at(NEXT, "06:00")]
        assert [(a.event, a.instance) for a in missing] == [("raised", "meter:M3")]
        found = {(a.event, a.instance, a.raised_at) for a in alerts_of(bootstrap, "A15", "A16")}
        published = at(NEXT, "08:00")
        assert found == {("raised", f"tg:TG2:{day}", published), ("raised", f"bus:B1:{day}", published)}
        past.row(FREEZE, freeze("M3", "78", day))  # late: 8 kWh more were sold, 4 % are lost
        past.flush()
        wait_for(lambda: ("cleared", f"tg:TG2:{day}") in [(a.event, a.instance) for a in alerts_of(bootstrap, "A15")])
        repaired = values_of(bootstrap)["I243T", day, "TG2"]
        assert (repaired.numerator, repaired.denominator, repaired.value) == (2, 50, 0.04)
        assert ("cleared", "meter:M3") in {(a.event, a.instance) for a in alerts_of(bootstrap, "A14")}
        told = alerts_of(bootstrap, "A15", "A16")
    past.close()
    records = [
        Recorded(topic, r.partition, r.offset, r.timestamp, r.key, r.value, {})
        for topic in TOPICS
        for r in read_topic(bootstrap, topic)
    ]
    ordered = sorted(records, key=lambda r: r.timestamp)
    again = replayed(ordered, ordered[-1].timestamp + 60_000)
    same = [a for a in again.outcome.alerts if a.rule in {"A15", "A16"}]
    assert {(a.alert_id, a.event) for a in same} == {(a.alert_id, a.event) for a in told}, "replay says the same"
