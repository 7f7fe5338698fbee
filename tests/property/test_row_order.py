"""Which row of a key counts, over all interleavings of roads, repeats and skewed clocks (`schemas.ingested`'s law).

The law is told here a second time, from the whole topic at once: every record either counts or is a repeat, and the
last that counts holds. Then the ways to learn it one by one (an instance's row, a visit, reference data, what the
connectors read back) must all agree with it, however much of the topic is read twice.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from hypothesis import assume, example, given
from hypothesis import strategies as st

from connectors.files.topic_log import RowImage, Told, fused
from rules.engine.fusion import fuse_row, fuse_visit, new_row, new_visit
from rules.reference import Reference
from schemas import Change, Decoder, Origin, RowForm, decode_change, encode_change, encode_ingested
from schemas.ingested import INGEST_HEADER
from schemas.record import Raw
from tests.helpers.decoding import AT, table
from tests.helpers.hostile_wire import dump

MAPPING = table({"id": "text", "stage": "text", "handler": "text"}, instance="id", entity="visit")
FORM = RowForm(MAPPING)


class Said(NamedTuple):
    """One record of the row: its road, its place in the source's log or its time, and what it says."""

    road: str
    """`log`; `dated`: a row that says its time; `undated`: one that does not, with the clock of who took it."""
    at: int
    """Place in the log; a time, ms about `AT`."""
    handler: str


def counts(topic: Sequence[Said]) -> list[bool]:
    """Tell of every record whether it counts."""
    found: list[bool] = []
    for n, each in enumerate(topic):
        before = topic[:n]
        if each.road == "undated":
            found.append(True)
            continue
        known = [one.at for one in before if one.road == each.road]
        last = next((one for one, counted in zip(reversed(before), reversed(found), strict=True) if counted), None)
        is_same = last is not None and last.road == each.road and last.at == each.at
        found.append(not known or each.at > max(known) or (is_same and each.at == max(known)))
    return found


def holds(topic: Sequence[Said]) -> str:
    """Give what the row is at the end."""
    return [each.handler for each, counted in zip(topic, counts(topic), strict=True) if counted][-1]


def decoded(topic: Sequence[Said]) -> list[Change]:
    decoder, found = Decoder(MAPPING), list[Change]()
    for offset, each in enumerate(topic):
        row: dict[str, Any] = {"id": "1", "stage": "ACCEPT", "handler": each.handler}
        origin = Origin(
            connector="stagewatch-push", src="web", src_ts=AT + each.at, by_arrival=each.road == "undated"
        )  # fmt: skip
        captured = dump({"op": "u", "after": row, "source": {"lsn": each.at}})
        found += decoder.decode_all(
            key=None, value=captured if each.road == "log" else encode_ingested("u", row, origin),
            headers=[] if each.road == "log" else [(INGEST_HEADER, b"push")], timestamp=AT + offset,
            topic=MAPPING.topic, partition=0, offset=offset,
        )  # fmt: skip
    return [decode_change(encode_change(change)) for change in found]


def learned(changes: Sequence[Change]) -> set[Any]:
    """Give what the row is at the end, in every place that learns it one by one."""
    row, visit, reference = new_row(changes[0]), new_visit(changes[0]), Reference(frozenset({"visit"}))
    reference.add(changes[0])
    for change in changes[1:]:
        fuse_row(row, change)
        fuse_visit(visit, change)
        reference.add(change)
    held = reference.get("visit", "1", 1 << 60) or {}
    return {row.fields["handler"], visit.handler, held["handler"]}


def read_back(changes: Sequence[Change]) -> Any:
    image: RowImage | None = None
    for change in changes:
        image, _ = fused(image, Told(change, cast("Raw", None), None), FORM)  # the record itself is not looked at
    assert image is not None
    assert image.columns is not None
    return image.columns["handler"]


@st.composite
def topics(draw: st.DrawFn) -> list[Said]:
    """Topics of one row: a source's log in order, times and clocks that go back and forth, and anything sent again."""
    told: list[Said] = []
    place = 0
    for n in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["log", "dated", "undated", "again"]))
        again = [each for each in told if each.road != "undated"]
        if kind == "again" and again:
            told.append(draw(st.sampled_from(again)))
            continue
        road = "dated" if kind == "again" else kind
        place += draw(st.integers(0, 2)) if road == "log" else 0
        told.append(Said(road, place if road == "log" else draw(st.integers(-3, 3)), f"M{n}"))
    return told


AHEAD = [Said("dated", 60_000, "PULL"), Said("undated", 0, "PUSH"), Said("dated", 60_000, "PULL")]
BEHIND = [Said("undated", 500, "PUSH"), Said("undated", 200, "FILE")]
OVER_THE_SOURCE = [Said("dated", 5, "PULL"), Said("log", 9, "SOURCE"), Said("dated", 5, "PULL")]


@given(topics())
@example(AHEAD)
@example(BEHIND)
@example(OVER_THE_SOURCE)
def test_the_last_that_is_no_repeat_holds(topic: list[Said]) -> None:
    changes = decoded(topic)
    assert learned(changes) == {holds(topic)}
    assert read_back(changes) == holds(topic)


@given(topics(), st.data())
def test_a_part_of_the_topic_read_again_changes_nothing(topic: list[Said], data: st.DataObject) -> None:
    end = data.draw(st.integers(1, len(topic)))
    start = data.draw(st.integers(0, end - 1))
    changes = decoded(topic)
    assert learned([*changes[:end], *changes[start:]]) == {holds(topic)}


@given(topics(), st.data())
def test_what_says_its_place_or_its_time_may_be_sent_again_at_any_later_moment(
    topic: list[Said], data: st.DataObject
) -> None:
    ordered = [n for n, each in enumerate(topic) if each.road != "undated"]
    assume(ordered)
    again = data.draw(st.sampled_from(ordered))
    before = topic[: data.draw(st.integers(again + 1, len(topic)))]
    *_, last = (each for each, counted in zip(before, counts(before), strict=True) if counted)
    assume((last.road, last.at) != (topic[again].road, topic[again].at))  # of one moment the later in the topic holds
    assert learned(decoded([*before, topic[again]])) == learned(decoded(before))
