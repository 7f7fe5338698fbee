"""Decoding Debezium JSON: what each kind of record becomes, and what is refused."""

from contextlib import suppress
from decimal import Decimal

import pytest

from schemas import BadInput, Broken, Change, Decoder
from tests.helpers.debezium_schema import INT, LONG, TEXT, wrap, wrap_key
from tests.helpers.decoding import AT, decode, decoded, mapping, refusal, table
from tests.helpers.hostile_wire import (
    APP,
    FINDING,
    HOSTILE,
    OK,
    PROGRESS,
    SILENT,
    Hostile,
    app,
    dump,
    envelope,
    progress,
)
from tests.helpers.records import Record

UNAVAILABLE = "__debezium_unavailable_value"


@pytest.mark.parametrize("record", HOSTILE, ids=lambda record: record.name)
def test_hostile_record_becomes_what_the_contract_says(record: Hostile) -> None:
    if record.expect in (OK, FINDING):
        assert decode(record.value, record.key, topic=record.topic) is not None
    elif record.expect == SILENT:
        assert decode(record.value, record.key, topic=record.topic) is None
    else:
        assert refusal(record.value, record.key, topic=record.topic) == record.expect


def test_the_record_after_each_hostile_one_is_decoded() -> None:
    decoders = {topic: Decoder(mapping(topic)) for topic in (APP, PROGRESS)}
    for record in HOSTILE:
        with suppress(BadInput):
            decode(record.value, record.key, topic=record.topic, decoder=decoders[record.topic])
        assert decoded(envelope(app()), decoder=decoders[APP]).instance == "A1"


def test_created_row() -> None:
    change = decoded(envelope(progress(), lsn=77), {"progress_id": 1}, topic=PROGRESS)
    assert change == Change(
        "visit", "A1", "1", "c", 77, AT, PROGRESS, 3, 7,
        {
            "app_no": "A1", "stage": "SURVEY", "visit": 1, "dept": "MKT", "handler": "H1",
            "entered_at": AT, "finished_at": None, "result": None, "suspend_from": None, "suspend_to": None,
            "suspend_reason": None, "remark": None,
        },
    )  # fmt: skip


def test_three_states_of_a_column_stay_apart() -> None:
    fields = decoded(envelope({"app_no": "A1", "cust_name": "甲", "mgr_no": None, "addr": UNAVAILABLE})).fields
    assert fields == {"app_no": "A1", "cust_name": "甲", "mgr_no": None}


def test_unavailable_value_is_missing_inside_the_before_image_too() -> None:
    change = decoded(envelope(None, op="d", before={"app_no": "A1", "addr": UNAVAILABLE, "mgr_no": None}))
    assert change.fields == {"app_no": "A1", "mgr_no": None}


def test_text_that_contains_the_placeholder_is_text() -> None:
    assert decoded(envelope(app(addr=f"x{UNAVAILABLE}"))).fields["addr"] == f"x{UNAVAILABLE}"


def test_delete_takes_its_fields_from_before() -> None:
    change = decoded(envelope(None, op="d", before=app(), lsn=9), {"app_no": "A1"})
    assert (change.op, change.row, change.instance, change.position) == ("d", "A1", "A1", 9)
    assert change.fields["cust_name"] == "浙江甲有限公司"


def test_delete_whose_image_lacks_the_instance_goes_to_every_partition() -> None:
    change = decoded(envelope(None, op="d", before={"progress_id": 1, "app_no": None}), topic=PROGRESS)
    assert (change.op, change.row, change.instance) == ("d", "1", "")


def test_delete_whose_key_carries_the_instance_goes_there() -> None:
    key = {"progress_id": 1, "app_no": "A1"}
    assert decoded(envelope(None, op="d", before={"progress_id": 1}), key, topic=PROGRESS).instance == "A1"


def test_moved_primary_key_is_a_plain_delete_and_a_plain_create() -> None:
    decoder = Decoder(mapping())
    gone = decoded(
        envelope(None, op="d", before=app(), lsn=5), {"app_no": "A1"}, decoder=decoder,
        headers=[("__debezium.newkey", b'{"app_no":"A2"}')],
    )  # fmt: skip
    tombstone = decode(None, {"app_no": "A1"}, decoder=decoder)
    come = decoded(
        envelope(app(app_no="A2"), lsn=5), {"app_no": "A2"}, decoder=decoder,
        headers={"__debezium.oldkey": '{"app_no":"A1"}'},
    )  # fmt: skip
    assert (gone.op, gone.row, gone.instance) == ("d", "A1", "A1")
    assert tombstone is None
    assert (come.op, come.row, come.instance) == ("c", "A2", "A2")
    assert decoder.moved == 1


def test_snapshot_row_keeps_its_letter() -> None:
    assert decoded(envelope(app(), op="r")).op == "r"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (envelope(None, op="t"), "truncate"),
        ({"op": "m", "message": {"prefix": "x", "content": ""}}, "message"),
        ({"ts_ms": 1}, "heartbeat"),
        ({"schema": {"type": "struct"}, "payload": {"ts_ms": 1}}, "heartbeat"),
        ({"status": "END", "id": "1", "ts_ms": 1}, "transaction"),
        ({"databaseName": "x", "ddl": "", "tableChanges": [], "ts_ms": 1}, "schema-change"),
        ({"id": "7", "aggregate_type": "Initial Snapshot", "type": "STARTED", "additional_data": {}}, "notification"),
        ({"status": "END", "id": "1", "event_count": 2, "data_collections": [], "ts_ms": 1}, "transaction"),
        (
            {"source": {}, "ts_ms": 1, "databaseName": "x", "schemaName": None, "ddl": "", "tableChanges": []},
            "schema-change",
        ),
    ],
)
def test_records_that_say_nothing_are_counted(value: object, reason: str) -> None:
    decoder = Decoder(mapping())
    assert decode(value, decoder=decoder) is None
    assert decode(value, decoder=decoder) is None
    assert decoder.skipped == {reason: 2}


def test_an_envelope_without_operation_is_refused_as_such_also_among_usual_ones() -> None:
    usual = envelope(app())
    lost = {name: part for name, part in usual.items() if name != "op"}
    records = [Record(n, AT, b"", dump(value)) for n, value in enumerate([usual, lost, {"payload": lost}, usual])]
    changes, refused, _ = Decoder(mapping()).decode_run(records, topic=APP, partition=0, high=0)
    assert len(changes) == 2
    assert [(r.record.offset, str(r.why)) for r in refused] == [
        (n, "unknown-operation: an envelope without `op`") for n in (1, 2)
    ]


def test_a_row_of_a_table_that_is_like_debeziums_own_records_is_refused() -> None:
    decoder = Decoder(table({"id": "text", "status": "text"}))
    assert refusal({"id": "1", "status": "open"}, decoder=decoder) == "unknown-operation"
    assert refusal({"ts_ms": 1}, decoder=Decoder(table({"id": "text", "ts_ms": "int"}))) == "unknown-operation"


@pytest.mark.parametrize("spelling", [str.upper, str.lower, str.title, str.swapcase])
def test_column_names_are_matched_without_regard_to_case(spelling: object) -> None:
    assert callable(spelling)
    row = {spelling(name): value for name, value in progress().items()}
    key = {spelling("progress_id"): 1}
    expected = decoded(envelope(progress()), {"progress_id": 1}, topic=PROGRESS)
    assert decoded(envelope(row), key, topic=PROGRESS) == expected
    row.pop(spelling("progress_id"))
    assert decoded(envelope(row), key, topic=PROGRESS) == expected


def test_row_key_comes_from_the_records_key_where_the_row_lacks_it() -> None:
    assert decoded(envelope(progress(progress_id=...)), {"progress_id": 8}, topic=PROGRESS).row == "8"


def test_row_key_is_the_same_with_and_without_schema() -> None:
    row = envelope(progress(progress_id=...))
    wrapped = wrap_key({"progress_id": 8}, {"progress_id": LONG})
    assert decoded(row, wrapped, topic=PROGRESS) == decoded(row, {"progress_id": 8}, topic=PROGRESS)


def test_key_of_several_columns_is_joined_without_collision() -> None:
    decoder = Decoder(table({"a": "text"}, key=("a", "b")))
    assert decoded(envelope({"a": "x", "b": 2}), decoder=decoder).row == "x|2"
    one = decoded(envelope({"a": "x|y", "b": "z"}), decoder=decoder).row
    assert one != decoded(envelope({"a": "x", "b": "y|z"}), decoder=decoder).row
    assert refusal(envelope({"a": "x"}), decoder=decoder) == "missing-key"


def test_numeric_key_is_the_same_however_it_is_written() -> None:
    decoder = Decoder(table({"id": "decimal"}))
    rows = {decoded(envelope({"id": value}), decoder=decoder).row for value in (7, "7", "7.0", 7.00)}
    assert rows == {"7"}


def test_embedded_schema_changes_nothing_for_plain_types() -> None:
    columns = {name: (INT if isinstance(value, int) else TEXT) for name, value in app().items()}
    decoder = Decoder(mapping())
    for lsn in (1, 2, 3):  # the first compiles the schema, the others recognise its bytes
        wrapped = wrap(envelope(app(), lsn=lsn), columns)
        assert decoded(wrapped, decoder=decoder) == decoded(envelope(app(), lsn=lsn))


def test_known_schema_does_not_hide_a_broken_end() -> None:
    decoder = Decoder(mapping())
    good = wrap(envelope(app()), {"app_no": TEXT})
    decoded(good, decoder=decoder)
    assert refusal(good[:-1], decoder=decoder) == "not-json"
    assert refusal(good[:-1] + b"]", decoder=decoder) == "not-json"
    assert refusal(good + b"}", decoder=decoder) == "not-json"
    assert decoded(good[:-1] + b',"more":1}', decoder=decoder) == decoded(good, decoder=decoder)


def test_schema_may_follow_the_payload_and_be_spaced() -> None:
    spaced = b' { "payload" : ' + dump(envelope(app())) + b' , "schema" : { "type" : "struct" } } '
    assert decoded(spaced) == decoded(envelope(app()))


def test_many_schemas_are_forgotten_not_hoarded() -> None:
    decoder = Decoder(mapping())
    for number in range(100):
        decoded(wrap(envelope(app()), {"app_no": TEXT}, table=f"t{number}"), decoder=decoder)
    assert len(decoder._json._wrapped) <= 16  # noqa: SLF001 - memory is the promise


def test_invented_column_names_are_not_hoarded() -> None:
    decoder = Decoder(mapping())
    for number in range(20):
        decoded(envelope(app(**{f"x{number}_{i}": 1 for i in range(1000)})), decoder=decoder)
    assert len(decoder._json._plain._columns) <= 5_000  # noqa: SLF001 - memory is the promise


def test_constants_are_fields_of_every_row() -> None:
    topic = "cdc.lean.lean_neg_trans"
    assert decoded(envelope({"nl_no": "N1"}), topic=topic).fields == {"nl_type": "PUB_TRANS", "nl_no": "N1"}


def test_size_limit_is_exact() -> None:
    value = dump(envelope(app()))
    assert decoded(value, decoder=Decoder(mapping(), max_bytes=len(value))).row == "A1"
    assert refusal(value, decoder=Decoder(mapping(), max_bytes=len(value) - 1)) == "too-big"


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_depth_limit_is_exact() -> None:
    assert decoded(envelope(app(extra=nested(62)))).row == "A1"  # and two levels for envelope and row
    assert refusal(envelope(app(extra=nested(63)))) == "too-deep"


def test_depth_limit_is_the_same_once_the_schema_is_known() -> None:
    decoder = Decoder(mapping())
    for _ in range(2):
        assert refusal(wrap(envelope(app(extra=nested(62))), {"app_no": TEXT}), decoder=decoder) == "too-deep"
        assert decoded(wrap(envelope(app(extra=nested(61))), {"app_no": TEXT}), decoder=decoder).row == "A1"


def test_parsed_json_gives_the_same_as_bytes() -> None:
    value, key = envelope(app(apply_cap_kva=Decimal("1.50"))), {"app_no": "A1"}
    decoder = Decoder(mapping())
    change = decoder.decode_json(key=key, value=value, timestamp=AT, topic=APP, partition=3, offset=7)
    assert change is not None
    assert change.fields["apply_cap_kva"] == Decimal("1.50")
    assert str(change.fields["apply_cap_kva"]) == "1.50"
    assert decoder.decode_json(key=None, value=None, timestamp=AT, topic=APP, partition=3, offset=7) is None
    with pytest.raises(BadInput, match="lone-surrogate"):
        decoder.decode_json(key=None, value={"op": "\ud800"}, timestamp=AT, topic=APP, partition=3, offset=7)


def test_fractions_never_pass_through_binary_floating_point() -> None:
    value = dump(envelope(app())).replace(b"2752", b"0.1000000000000000055511151231257827")
    assert str(decoded(value).fields["apply_cap_kva"]) == "0.1000000000000000055511151231257827"


def test_error_names_the_column_and_not_the_value() -> None:
    with pytest.raises(BadInput) as caught:
        decode(envelope(app(source_count="13800138000x")))
    assert "source_count" in str(caught.value)
    assert "13800138000" not in str(caught.value)


def test_what_a_dialect_lacks_is_our_fault() -> None:
    with pytest.raises(Broken, match="schema_registry_url"):
        Decoder(table({"id": "text"}, dialect="debezium-avro"))
    with pytest.raises(Broken, match="columns"):
        Decoder(table({"id": "text"}, dialect="ogg-delimited"))


@pytest.mark.parametrize(("before", "left"), [("A12", "A12"), ("A1", ""), (None, "")])
def test_an_update_that_moves_a_row_names_the_instance_it_left(before: str | None, left: str) -> None:
    old = None if before is None else {"progress_id": 7, "app_no": before}
    change = decoded(envelope({"progress_id": 7, "app_no": "A1"}, op="u", before=old), topic=PROGRESS)
    assert (change.instance, change.left) == ("A1", left)


def test_the_instance_that_a_row_left_sees_it_deleted() -> None:
    old = {"progress_id": 7, "app_no": "A12"}
    gone = decoded(envelope({"progress_id": 7, "app_no": "A1"}, op="u", before=old), topic=PROGRESS).leaving()
    assert (gone.op, gone.instance, gone.row, gone.left) == ("d", "A12", "7", "")


@pytest.mark.parametrize("far", [AT * 1000, 253_402_214_400_000, 7_258_118_400_000])
def test_a_record_whose_timestamp_is_no_arrival_is_refused_and_moves_no_clock(far: int) -> None:
    records = [Record(n, ms, b"", dump(envelope(app()))) for n, ms in enumerate([AT, far, AT + 1])]
    changes, refused, high = Decoder(mapping()).decode_run(records, topic=APP, partition=0, high=0)
    assert [(change.offset, change.at) for change in changes] == [(0, AT), (2, AT + 1)]
    assert [(r.record.offset, r.why.reason) for r in refused] == [(1, "unreadable-date")]
    assert high == AT + 1
