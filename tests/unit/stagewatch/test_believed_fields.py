"""A field may be believed of another source than its row's: what marketing says of publication counts."""

from itertools import permutations
from typing import Any

import msgspec
import pytest

from connectors import SHIPPED_SOURCES, load_sources
from rules import describe_golden
from rules.state import Row
from schemas import Recorded, epoch_ms
from stagewatch.replay import Replay
from tests.helpers.builders import shipped
from tests.helpers.replaying import sources

PUBLISHED = "2026-03-04T09:00:00+08:00"
LEAN = {
    "nl_no": "N1", "org_no": "3340101", "trans_no": "T1", "tg_no": "TG1", "limit_level": "2",
    "determined_at": "2026-03-02T08:00:00+08:00", "plan_finish_at": "2026-12-01", "published_at": None,
}  # fmt: skip
MKT = {"nl_no": "N1", "nl_type": "PUB_TRANS", "org_no": "3340101", "equip_no": "T1", "published_at": PUBLISHED}
ORDER: dict[str, object] = {"negative_item": ["mkt", "lean"]}


def record(topic: str, at: str, row: dict[str, Any], offset: int, op: str = "c") -> Recorded:
    images = {"before": row, "after": None} if op == "d" else {"before": None, "after": row}
    value = msgspec.json.encode({"op": op, **images, "source": {"lsn": offset}})
    return Recorded(topic, 0, offset, epoch_ms(f"2026-{at}:00+08:00"), None, value, {})


def lean(at: str, op: str = "c", **fields: Any) -> Recorded:
    return record("cdc.lean.lean_neg_trans", at, {**LEAN, **fields}, epoch_ms(f"2026-{at}:00Z"), op)


def mkt(at: str, op: str = "c", **fields: Any) -> Recorded:
    return record("cdc.mkt.mkt_neg_list", at, {**MKT, **fields}, epoch_ms(f"2026-{at}:00Z"), op)


def app(at: str) -> Recorded:
    row = {"app_no": "A1", "volt_class": "HV", "tg_no": "TG1", "org_no": "3340101", "accepted_at": None}
    return record("cdc.mkt.mkt_app", at, row, 1)


def replay(
    *records: Recorded, until: str = "2026-03-10T00:00:00+08:00", order: dict[str, object] | None = None
) -> Replay:
    catalog = load_sources([SHIPPED_SOURCES], None, order) if order else sources()
    run = Replay(shipped(), catalog, mail_domain="stagewatch.local")
    tg = {"tg_no": "TG1", "trans_no": "T1", "org_no": "3340101"}
    run.feed([record("cdc.ymd.ymd_tg", "01-01T00:00", tg, 1), *records])
    run.advance(epoch_ms(until))
    return run


def raised(run: Replay, *rules: str) -> list[tuple[str, str]]:
    return [(a.rule, a.event) for a in run.outcome.alerts if a.rule in (rules or ("R-N01", "R-N04", "R-N07"))]


def published(run: Replay) -> object:
    return next(each for each in run.instances() if each["instance"] == "N1")["fields"].get("published_at")


def test_publication_told_by_marketing_alone_counts_whichever_row_came_first() -> None:
    first = replay(lean("03-02T09:00"), mkt("03-04T09:00"), app("03-05T09:00"))
    last = replay(mkt("03-04T09:00"), lean("03-04T10:00"), app("03-05T09:00"))
    assert raised(first) == raised(last) == [("R-N01", "raised")]
    assert published(first) == published(last) == "2026-03-04T01:00:00.000Z"


def test_publication_told_by_marketing_opens_the_item_over_running_applications() -> None:
    assert raised(replay(lean("03-02T09:00"), app("03-03T09:00"), mkt("03-04T09:00"))) == [("R-N04", "raised")]


def test_late_news_of_publication_takes_back_that_there_was_none() -> None:
    run = replay(lean("03-02T09:00"), mkt("03-07T09:00"))
    assert raised(run, "R-N07") == [("R-N07", "raised"), ("R-N07", "cleared")]


def test_null_of_the_believed_source_counts_for_nothing() -> None:
    run = replay(lean("03-02T09:00", published_at=PUBLISHED), mkt("03-03T09:00", published_at=None))
    assert (raised(run, "R-N07"), published(run)) == ([], "2026-03-04T01:00:00.000Z")


def test_delete_of_the_believed_row_gives_the_field_back() -> None:
    run = replay(lean("03-02T09:00"), app("03-03T09:00"), mkt("03-04T09:00"), mkt("03-04T12:00", "d"))
    assert raised(run) == [("R-N04", "raised"), ("R-N04", "cleared"), ("R-N07", "raised")]
    assert published(run) is None


def test_what_each_source_said_is_still_compared() -> None:
    run = replay(lean("03-02T09:00"), mkt("03-04T09:00"))
    assert raised(run, "R-N10") == [("R-N10", "raised")]  # lean never told of the publication
    instance = run._partition.instances["N1"]  # noqa: SLF001 - what the store is made from
    names = {m.topic: m.source for m in sources().mappings}
    document: dict[str, Any] = describe_golden(
        instance, "negative_item", precedence=sources().precedence, source_of=names.__getitem__
    )
    assert document["fields"]["published_at"] == "2026-03-04T01:00:00.000Z"
    (origin,) = [each for each in document["lineage"] if "published_at" in each["columns"]]
    assert origin["source"] == "mkt"


@pytest.mark.parametrize("order", [None, ORDER])
def test_item_that_marketing_alone_tells_of_is_open_over_its_equipment(order: dict[str, object] | None) -> None:
    assert raised(replay(mkt("03-04T09:00"), app("03-05T09:00"), order=order)) == [("R-N01", "raised")]


def test_any_interleaving_of_the_two_sources_ends_in_the_same_state() -> None:
    ours: list[tuple[str, dict[str, Any]]] = [("lean", {}), ("lean", {"published_at": "2026-03-03T09:00:00+08:00"})]
    theirs: list[tuple[str, dict[str, Any]]] = [
        ("mkt", {"published_at": None}),
        ("mkt", {}),
        ("mkt", {"published_at": None}),
    ]
    ends = set()
    for choice in set(permutations([0, 0, 1, 1, 1])):
        told = iter(ours), iter(theirs)
        records = []
        for hour, which in enumerate(choice, 9):
            source, fields = next(told[which])
            records.append({"lean": lean, "mkt": mkt}[source](f"03-04T{hour:02}:00", **fields))
        run = replay(*records)
        ends.add((published(run), run._partition.instances["N1"].main.told is None))  # type: ignore[union-attr]  # noqa: SLF001
    assert ends == {("2026-03-03T01:00:00.000Z", True)}


def test_row_kept_by_an_earlier_version_is_read() -> None:
    kept = msgspec.msgpack.encode([5, {"nl_no": "N1"}, ["t", 0, 1], False, None, 0, 0])
    assert msgspec.msgpack.decode(kept, type=Row).told is None
