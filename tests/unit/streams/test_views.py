"""Where the rows of several views are: which topics are read as they stand, and which partition knows whom."""

from msgspec.structs import replace

from schemas import TableMapping
from streams.direct import direct_topics, partitioners_of
from tests.helpers.decoding import table
from tests.helpers.viewing import with_views

COUNTS = {"cdc.x.t": 4, "cdc.x.u": 4, "stagewatch.changes": 4}
KEYED = table(
    {"id": "text", "app_no": "text", "cons_no": "text"}, instance="app_no", message_key="json",
    key_form=b'{"app_no":"%b"}',
)  # fmt: skip
BESIDE = replace(KEYED, topic="cdc.x.u", entity="other", message_key="row", key_form=b"%b")
BILL = {"entity": "bill", "instance": "billing:{cons_no}"}


def mappings(*found: TableMapping) -> dict[str, TableMapping]:
    return {mapping.topic: mapping for mapping in found}


def test_a_topic_with_further_views_is_re_keyed_though_its_messages_have_the_instances_key() -> None:
    assert direct_topics(mappings(KEYED), COUNTS, "stagewatch.changes") == {"cdc.x.t"}
    assert direct_topics(mappings(with_views(KEYED, BILL)), COUNTS, "stagewatch.changes") == frozenset()


def test_rows_of_one_kind_of_instance_are_in_one_partition_whichever_view_tells_them() -> None:
    same = {"entity": "again", "instance": "app_no"}
    found = partitioners_of(mappings(KEYED, with_views(BESIDE, same, BILL)), 4)
    places = [found["cdc.x.t"]["thing"], found["cdc.x.u"]["other"], found["cdc.x.u"]["again"]]
    assert len({tuple(place.of(f"A{n}")[1] for n in range(20)) for place in places}) == 1
    bare, keyed = found["cdc.x.u"]["bill"], places[0]
    assert [bare.of(f"A{n}") for n in range(20)] != [keyed.of(f"A{n}") for n in range(20)]


def test_a_table_whose_own_rows_nobody_holds_is_re_keyed_for_its_views() -> None:
    unheld = replace(KEYED, instance=None, message_key="row", key_form=b"%b")
    assert partitioners_of(mappings(unheld), 4) == {}
    assert partitioners_of(mappings(with_views(unheld, BILL)), 4)["cdc.x.t"].keys() == {"thing", "bill"}
