"""Several views of a row: read in runs as one by one, and whatever the order, the state that they lead to."""

import random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from rules import Engine, Partition, Reference, Step, describe
from schemas import BadInput, Change, decoder_of
from tests.helpers.builders import shipped
from tests.helpers.decoding import AT, catalog
from tests.helpers.hostile_wire import dump, envelope
from tests.helpers.records import Record
from tests.helpers.viewing import with_views
from tests.property.test_whole_rows import FIRST, MAPPING, OTHER, TOPIC, values

VIEWS = (
    {"entity": "all", "instance": "all:{app_no}"},
    {"entity": "some", "instance": "some:{app_no}", "when": {"stage_code": ["S", "勘查", None]}, "columns": ["due"]},
    {"entity": "few", "instance": "stage_code", "when": {"visit_no": 1, "is_public": True}},
    {"entity": "both", "instance": "both:{app_no}:{stage_code}", "row": ["app_no", "stage_code"], "is_lasting": True},
)
MAPPINGS = [with_views(MAPPING, *VIEWS), with_views(OTHER, *VIEWS), with_views(MAPPING, VIEWS[1])]


@given(
    found=st.lists(st.tuples(st.integers(0, 9), values), max_size=8), first=st.sampled_from([[FIRST], []]),
    mapping=st.sampled_from(MAPPINGS),
)  # fmt: skip
def test_a_run_gives_what_record_by_record_gives(
    found: list[tuple[int, bytes | None]], first: list[bytes], mapping: Any
) -> None:
    found = [*((0, value) for value in first), *found]
    records = [Record(offset, at, b'{"id":1,"app_no":"A9"}', value) for offset, (at, value) in enumerate(found)]
    one_by_one: list[Change] = []
    refused: list[tuple[int, str]] = []
    high = 0
    for record in records:
        high = max(high, record.timestamp)
        try:
            one_by_one += decoder_of(mapping).decode_all(
                key=record.key, value=record.value, timestamp=high, topic=TOPIC, partition=3, offset=record.offset
            )
        except BadInput as why:
            refused.append((record.offset, why.reason))
    changes, bad, last = decoder_of(mapping).decode_run(records, topic=TOPIC, partition=3, high=0)
    assert changes == one_by_one
    assert [(each.record.offset, each.why.reason) for each in bad] == refused
    assert last == high


@given(st.lists(values, max_size=6), st.sampled_from(MAPPINGS))
def test_places_in_a_record_grow_and_its_own_view_does_not_depend_on_the_others(
    found: list[bytes | None], mapping: Any
) -> None:
    records = [Record(offset, 0, b'{"id":1,"app_no":"A9"}', value) for offset, value in enumerate([FIRST, *found])]
    changes, bad, _ = decoder_of(mapping).decode_run(records, topic=TOPIC, partition=3, high=0)
    places = [(change.offset, change.part) for change in changes]
    assert places == sorted(set(places))
    alone = msgspec.structs.replace(mapping, also=())
    own, refused, _ = decoder_of(alone).decode_run(records, topic=TOPIC, partition=3, high=0)
    lost = {each.record.offset for each in bad}
    assert [c for c in changes if c.entity == mapping.entity] == [c for c in own if c.offset not in lost]
    assert {each.record.offset for each in refused} <= lost


# -- what the views lead to

CUSTOMERS, TABLES = ("C1", "C2"), ("cdc.mkt.mkt_payment", "cdc.mkt.arrears", "cdc.acq.term_cmd", "cdc.mkt.mkt_bill")
FOLLOWED = {"stop_account", "restore_account", "dunning_case", "billing_account"}
rows = st.fixed_dictionaries({
    "cons_no": st.sampled_from((*CUSTOMERS, None)), "bill_no": st.sampled_from(("B1", "B2", None)),
    "cmd_type": st.sampled_from(("open", "close", "read")), "amount": st.sampled_from(("1.50", "2")),
    "paid_at": st.sampled_from((None, 1_772_413_200_000_000)),
})  # fmt: skip
KEYS = {"mkt_payment": "pay_no", "arrears": "cons_no", "term_cmd": "cmd_no", "mkt_bill": "bill_no"}
lives = st.lists(st.tuples(st.sampled_from(TABLES), st.sampled_from("12"), st.none() | rows), max_size=12)


def _records(life: list[tuple[str, str, Any]]) -> list[tuple[str, Record]]:
    """Write a life of rows as a capture with the row before writes it; each topic's records in their order."""
    known: dict[tuple[str, str], Any] = {}
    records, offsets = [], dict.fromkeys(TABLES, 0)
    for lsn, (topic, number, row) in enumerate(life, start=1):
        table = topic.rpartition(".")[2]
        before = known.get((topic, number))
        image = None if row is None else {**row, KEYS[table]: f"{table}-{number}"}
        if row is not None and table == "arrears":
            image = {"cons_no": CUSTOMERS[int(number) - 1], "owed_amt": row["amount"]}
        if image is None and before is None:
            continue
        op = "d" if image is None else "c" if before is None else "u"
        value = dump(envelope(image, op=op, before=before, lsn=lsn * 100))
        records.append((topic, Record(offsets[topic], AT, None, value)))
        known[topic, number], offsets[topic] = image, offsets[topic] + 1
    return records


def _state(records: list[tuple[str, Record]]) -> dict[str, Any]:
    """Judge one record after the other; give what is kept of each instance, without places and what came of it."""
    sources = catalog().told(FOLLOWED)
    decoders = {topic: decoder_of(mapping) for topic in TABLES if (mapping := sources.mapping_for(topic)) is not None}
    engine = Engine(shipped(), Reference(frozenset()))
    partition: Partition = engine.new_partition(0)
    engine.finish_recovery(partition)
    for topic, record in records:
        changes = decoders[topic].decode_all(
            key=record.key, value=record.value, timestamp=record.timestamp, topic=topic, partition=0,
            offset=record.offset,
        )  # fmt: skip
        for change in changes:
            left = [change.leaving()] if change.left and not change.instance else []
            named = [change] if change.instance or change.op == "d" else left
            engine.apply(partition, named, Step())
    kept: dict[str, Any] = {}
    for key in sorted(partition.instances):
        document = describe(partition.instances[key])
        kept[key] = (document["rows"], document.get("fields"))
    return {key: found for key, found in kept.items() if any(found)}


@given(lives, st.randoms(use_true_random=False))
def test_any_interleaving_and_any_repeat_leads_to_the_same_state(
    life: list[tuple[str, str, Any]], rng: random.Random
) -> None:
    records = _records(life)
    expected = _state(records)
    queues = {topic: [record for name, record in records if name == topic] for topic in TABLES}
    mixed = []
    while any(queues.values()):
        topic = rng.choice([name for name, queue in queues.items() if queue])
        mixed.append((topic, queues[topic].pop(0)))
        if rng.random() < 0.3:  # now and then what came comes again
            mixed.append(mixed[rng.randrange(len(mixed))])
    assert _state(mixed) == expected
