"""Hostile records: what every kind of test that takes bytes in must survive.

Each is one record of `cdc.mkt.mkt_app` or `cdc.mkt.mkt_app_progress` in Debezium JSON, with what must become of
it (contract, section 9): the reason of its dead letter, or one of the three words below. A payload that ever broke
something is added here, so that unit, property, simulation and end-to-end tests all meet it.
"""

import json
from typing import Any, NamedTuple

APP = "cdc.mkt.mkt_app"
PROGRESS = "cdc.mkt.mkt_app_progress"

OK = "ok"
"""A proper change, however odd it looks."""
FINDING = "finding"
"""A proper change whose content is wrong: state is kept, the rules report it, no dead letter."""
SILENT = "silent"
"""Says nothing: no change, no dead letter."""


class Hostile(NamedTuple):
    """One hostile record."""

    name: str
    topic: str
    key: bytes | None
    value: bytes | None
    expect: str
    """`OK`, `FINDING`, `SILENT`, or the reason of the dead letter."""


def dump(value: Any) -> bytes:
    """Write JSON as Debezium does."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def envelope(after: Any, *, op: Any = "c", before: Any = None, lsn: int = 1000) -> dict[str, Any]:
    """Give a Debezium envelope around a row image."""
    source = {
        "version": "3.2.0.Final",
        "connector": "postgresql",
        "name": "src",
        "ts_ms": 1_770_053_049_279,
        "snapshot": "false",
        "sequence": f'["{lsn}","{lsn}"]',
        "lsn": lsn,
        "xmin": None,
    }
    return {"before": before, "after": after, "source": source, "transaction": None, "op": op, "ts_ms": 1}


def app(**columns: Any) -> dict[str, Any]:
    """Give a row of `mkt_app`; an argument `...` leaves the column out."""
    row = {
        "app_no": "A1", "cons_no": "C1", "cust_name": "浙江甲有限公司", "org_no": "3340101", "app_type": "new",
        "volt_class": "HV", "source_count": 1, "apply_cap_kva": 2752, "tg_no": "TG1", "line_no": "L1", "mgr_no": "M1",
        "accepted_at": "2026-03-02T01:00:00.000000Z", "status_code": "running", "archived_at": None,
    }  # fmt: skip
    return {name: value for name, value in {**row, **columns}.items() if value is not ...}


def progress(**columns: Any) -> dict[str, Any]:
    """Give a row of `mkt_app_progress`; an argument `...` leaves the column out."""
    row = {
        "progress_id": 1, "app_no": "A1", "stage_code": "SURVEY", "visit_no": 1, "dept_code": "MKT",
        "handler_no": "H1", "entered_at": "2026-03-02T01:00:00.000000Z", "finished_at": None, "result_code": None,
        "suspend_from": None, "suspend_to": None, "suspend_reason": None, "remark": None,
    }  # fmt: skip
    return {name: value for name, value in {**row, **columns}.items() if value is not ...}


def _app(name: str, value: bytes | None, expect: str, key: bytes | None = b'{"app_no":"A1"}') -> Hostile:
    return Hostile(name, APP, key, value, expect)


def _row(name: str, expect: str, **columns: Any) -> Hostile:
    return _app(name, dump(envelope(app(**columns))), expect)


def _visit(name: str, expect: str, **columns: Any) -> Hostile:
    return Hostile(name, PROGRESS, b'{"progress_id":1}', dump(envelope(progress(**columns))), expect)


_GOOD = dump(envelope(app()))
_NESTED = 100_000


def _with(old: bytes, new: bytes) -> bytes:
    """Give the good record with one part of its text replaced."""
    assert old in _GOOD
    return _GOOD.replace(old, new, 1)


NOT_A_RECORD = [
    _app("zero length", b"", "empty"),
    _app("only white space", b"  \n", "not-json"),
    _app("plain text", b"hello", "not-json"),
    _app("half a record", _GOOD[: len(_GOOD) // 2].decode(errors="ignore").encode(), "not-json"),
    _app("two records", _GOOD + _GOOD, "not-json"),
    _app("byte order mark", b"\xef\xbb\xbf" + _GOOD, "not-json"),
    _app("utf-16", _GOOD.decode().encode("utf-16"), "not-utf8"),
    _app("gbk text in a name", _with("浙江甲有限公司".encode(), "浙江甲有限公司".encode("gbk")), "not-utf8"),
    _app("invalid bytes in a part that nobody reads", _with(b'"name":"src"', b'"name":"s\xff\xfe"'), "not-utf8"),
    _app("surrogate encoded as utf-8", _with(b"A1", b"\xed\xa0\x80"), "not-utf8"),
    _app("confluent avro frame", b"\x00\x00\x00\x00\x07" + b"\x02A1", "wrong-dialect"),
    _app("only zero bytes", b"\x00" * 64, "not-json"),
    _app("NaN", _with(b'"apply_cap_kva":2752', b'"apply_cap_kva":NaN'), "not-json"),
    _app("Infinity", _with(b'"apply_cap_kva":2752', b'"apply_cap_kva":-Infinity'), "not-json"),
    _app("single quotes", _GOOD.replace(b'"', b"'"), "not-json"),
    _app("trailing comma", _GOOD[:-1] + b",}", "not-json"),
    _app("raw newline in text", _with(b"A1", b"A\n1"), "not-json"),
    _app("leading zeros", _with(b"2752", b"02752"), "not-json"),
    _app("lone high surrogate", _with(b'"org_no":"3340101"', b'"org_no":"\\ud800"'), "lone-surrogate"),
    _app("lone low surrogate", _with(b'"org_no":"3340101"', b'"org_no":"\\uDC00x"'), "lone-surrogate"),
    _app("lone surrogate in a column's name", _with(b'"org_no"', b'"\\ud83d"'), "lone-surrogate"),
]

NESTED = [
    _app("a hundred thousand arrays", b"[" * _NESTED + b"]" * _NESTED, "too-deep"),
    _app("a hundred thousand objects", b'{"a":' * _NESTED + b"1" + b"}" * _NESTED, "too-deep"),
    _app("a hundred thousand openings", b"[" * _NESTED, "too-deep"),
    _app("deep in a column", _with(b'"3340101"', b"[" * 100 + b"]" * 100), "too-deep"),
    _app("deep in a part that nobody reads", _with(b'"transaction":null', b'"transaction":' + b"[" * 70 + b"]" * 70),
         "too-deep"),
    _app("deep in the before image", _with(b'"before":null', b'"before":{"x":' + b"[" * 500 + b"]" * 500 + b"}"),
         "too-deep"),
    _app("many objects side by side", _with(b'"transaction":null', b'"transaction":[' + b"{}," * 500 + b"{}]"), OK),
    _row("brackets inside text", OK, remark_text="[{" * 500),
    _app("quotes and no end", b'{"op":"c","after":{"app_no":"' + b'\\"[' * 50_000, "not-json"),
]  # fmt: skip


def _without_op(event: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in event.items() if name != "op"}


NO_ENVELOPE = [
    _app("a number", b"42", "wrong-type"),
    _app("a text", b'"A1"', "wrong-type"),
    _app("an array", b"[1,2,3]", "wrong-type"),
    _app("true", b"true", "wrong-type"),
    _app("json null", b"null", "wrong-type"),
    _app("an empty object", b"{}", "unknown-operation"),
    _app("columns without an envelope", dump(app()), "unknown-operation"),
    _app("schema without payload", b'{"schema":{"type":"struct","fields":[]}}', "unknown-operation"),
    _app("payload null", b'{"schema":{"type":"struct","fields":[]},"payload":null}', "wrong-type"),
    _app("payload a text", b'{"schema":null,"payload":"x"}', "wrong-type"),
    _app("schema of a wrong kind", b'{"schema":[1],"payload":' + _GOOD + b"}", "wrong-type"),
    _app("schema null", b'{"schema":null,"payload":' + _GOOD + b"}", OK),
    _app("payload and no schema", b'{"payload":' + _GOOD + b"}", OK),
    _app("unknown operation", dump(envelope(app(), op="x")), "unknown-operation"),
    _app("operation in upper case", dump(envelope(app(), op="C")), "unknown-operation"),
    _app("operation empty", dump(envelope(app(), op="")), "unknown-operation"),
    _app("two operations", dump(envelope(app(), op="cu")), "unknown-operation"),
    _app("operation null", dump(envelope(app(), op=None)), "unknown-operation"),
    _app("operation a number", dump(envelope(app(), op=5)), "unknown-operation"),
    _app("operation an object", dump(envelope(app(), op={"c": 1})), "unknown-operation"),
    _app("operation missing", dump(_without_op(envelope(app()))), "unknown-operation"),
    _app("operation missing under a payload", dump({"payload": _without_op(envelope(app()))}), "unknown-operation"),
    _app("operation missing, only a row before", dump(_without_op(envelope(None, before=app()))), "unknown-operation"),
    _app("operation missing and no row", dump(_without_op(envelope(None))), "unknown-operation"),
    _app("truncate with a row", dump(envelope(app(), op="t")), "unknown-operation"),
    _app("message with a row before", dump(envelope(None, op="m", before=app())), "unknown-operation"),
    _app("columns of no table beside ts_ms", dump({"ts_ms": 1, "nobody": "knows"}), "unknown-operation"),
    _app("columns id and status and more", dump({"id": 1, "status": "x", "who": "A1"}), "unknown-operation"),
    _app("no row image", dump(envelope(None)), "no-row-image"),
    _app("an update without the row", dump(envelope(None, op="u", before=app())), "no-row-image"),
    _app("row image an array", dump(envelope([1])), "wrong-type"),
    _app("row image a text", dump(envelope("A1")), "wrong-type"),
    _app("before an array, on delete", dump(envelope(None, op="d", before=[1])), "wrong-type"),
    _app("a delete of nothing, without key", dump(envelope(None, op="d")), "no-row-image", key=None),
    _app("source a text", _with(b'"source":{', b'"source":"x","source2":{'), "wrong-type"),
]

QUIET = [
    _app("tombstone", None, SILENT),
    _app("tombstone without key", None, SILENT, key=None),
    _app("truncate", dump(envelope(None, op="t")), SILENT, key=None),
    _app("logical message", b'{"op":"m","source":{"lsn":1},"message":{"prefix":"wf","content":"AA=="}}', SILENT),
    _app("heartbeat", b'{"ts_ms":1795224617000}', SILENT, key=b'{"serverName":"src"}'),
    _app("transaction", b'{"status":"BEGIN","id":"571:1","ts_ms":1,"event_count":null,"data_collections":null}',
         SILENT, key=b'{"id":"571:1"}'),
    _app("schema change", b'{"source":{},"ts_ms":1,"databaseName":"x","ddl":"drop table t","tableChanges":[]}', SILENT),
]  # fmt: skip

KEYS = [
    _app("null key, the row has its own", _GOOD, OK, key=None),
    _app("empty key, the row has its own", _GOOD, OK, key=b""),
    _app("key with a schema", _GOOD, OK,
         key=b'{"schema":{"type":"struct","fields":[{"type":"string","field":"app_no"}]},"payload":{"app_no":"A1"}}'),
    _app("key is no json, the row has its own", _GOOD, OK, key=b"A1"),
    _app("the row lacks its key, the record has it", dump(envelope(app(app_no=...))), OK),
    _app("no key anywhere", dump(envelope(app(app_no=...))), "missing-key", key=None),
    _app("null in the key column", dump(envelope(app(app_no=None))), "missing-key", key=b'{"app_no":null}'),
    _app("the record's key is no json and needed", dump(envelope(app(app_no=...))), "not-json", key=b"A1"),
    _app("the record's key is an array and needed", dump(envelope(app(app_no=...))), "wrong-type", key=b"[1]"),
    _app("the record's key is deep and needed", dump(envelope(app(app_no=...))), "too-deep", key=b"[" * 1000),
    _app("an object as key", dump(envelope(app(app_no={"a": 1}))), "wrong-type"),
    _app("an empty row", dump(envelope({})), "missing-key", key=None),
    _app("an empty text as key", dump(envelope(app(app_no=""))), "missing-key", key=b'{"app_no":""}'),
    _app("a key that looks like our own mark", dump(envelope(app(app_no="\0mark"))), "wrong-type"),
    Hostile("a visit of an application without number", PROGRESS, b'{"progress_id":1}',
            dump(envelope(progress(app_no=""))), "missing-key"),
    Hostile("a visit of no application", PROGRESS, b'{"progress_id":1}', dump(envelope(progress(app_no=None))),
            "missing-key"),
    Hostile("a delete with only the primary key", PROGRESS, b'{"progress_id":1}',
            dump(envelope(None, op="d", before={"progress_id": 1})), OK),
    Hostile("a delete without image, with key", PROGRESS, b'{"progress_id":1}', dump(envelope(None, op="d")), OK),
]  # fmt: skip

TYPES = [
    _row("an object where text is expected", "wrong-type", cust_name={"zh": "甲"}),
    _row("an array where text is expected", "wrong-type", org_no=["3340101"]),
    _row("a number where text is expected", OK, org_no=3340101),
    _row("letters where a whole number is expected", "wrong-type", source_count="abc"),
    _row("a fraction where a whole number is expected", "wrong-type", source_count=1.5),
    _row("full-width digits", "wrong-type", source_count="１"),
    _row("true where a whole number is expected", "wrong-type", source_count=True),
    _row("more than 64 bits", "wrong-type", source_count=10**30),
    _app("five thousand digits", _with(b'"source_count":1', b'"source_count":' + b"9" * 5000), "wrong-type"),
    _app("an exponent beyond all bounds", _with(b"2752", b"1e999999999999999999"), "wrong-type"),
    _app("an exponent of a million", _with(b"2752", b"1e1000000"), "wrong-type"),
    _row("no number where a decimal is expected", "wrong-type", apply_cap_kva="NaN"),
    _row("an empty text where a decimal is expected", "wrong-type", apply_cap_kva=""),
    _row("a fraction of many digits", OK, apply_cap_kva="0." + "1" * 200),
    _app("the same column twice", _with(b'"org_no":"3340101"', b'"org_no":"1","org_no":"3340101"'), OK),
    _row("zero characters and emoji in a name", OK, cust_name="a\u0000b😀𠮷"),
    _row("a thousand columns", OK, **{f"extra_{i}": "x" * 20 for i in range(1000)}),
    _row("a name of a megabyte", OK, cust_name="浙" * 300_000),
    _row("ten megabytes", "too-big", cust_name="x" * 10_000_000),
    _row("a formula and a script", OK, cust_name="=cmd|'/c calc'!A1 <script>alert(1)</script> ${jndi:ldap://x}"),
]

DATES = [
    _row("words instead of a date", "unreadable-date", accepted_at="尽快"),
    _row("an empty text instead of a date", "unreadable-date", accepted_at=""),
    _row("the 30th of February", "unreadable-date", accepted_at="2026-02-30T00:00:00.000000Z"),
    _row("month 13", "unreadable-date", accepted_at="2026-13-01"),
    _row("hour 25", "unreadable-date", accepted_at="2026-03-01T25:00:00Z"),
    _row("a date by week", "unreadable-date", accepted_at="2026-W10-1"),
    _row("full-width date", "unreadable-date", accepted_at="２０２６-03-02"),
    _row("an object instead of a date", "wrong-type", accepted_at={"date": "2026-03-02"}),
    _row("true instead of a date", "wrong-type", accepted_at=True),
    _row("half a microsecond", "wrong-type", accepted_at=1.5),
    _row("year 9999", FINDING, accepted_at="9999-12-31T23:59:59.999999Z"),
    _row("year 9999 west of Greenwich", FINDING, accepted_at="9999-12-31T23:59:59-12:00"),
    _row("year 1900", FINDING, accepted_at="1900-01-01T00:00:00.000000Z"),
    _row("year 1", FINDING, accepted_at="0001-01-01T00:00:00.000000Z"),
    _row("year 10000", FINDING, accepted_at="+10000-01-01T00:00:00Z"),
    _row("before Christ", FINDING, accepted_at="-0044-03-15T00:00:00Z"),
    _row("infinity", FINDING, accepted_at="infinity"),
    _row("minus infinity", FINDING, accepted_at="-infinity"),
    _row("infinity as a number", FINDING, accepted_at=9223372036825200000),
    _row("a time of 64 bits and more", FINDING, accepted_at=10**25),
    _row("a date without a time", OK, accepted_at="2026-03-02"),
]

CONTENT = [
    _visit("unknown stage", FINDING, stage_code="LUNCH"),
    _visit("stage null", FINDING, stage_code=None),
    _visit("a visit of an unknown application", FINDING, app_no="NOBODY"),
    _visit("finished before entered", FINDING, finished_at="2026-03-01T01:00:00.000000Z"),
    _visit("suspension that ends before it begins", FINDING, suspend_from="2026-03-04T01:00:00.000000Z",
           suspend_to="2026-03-03T01:00:00.000000Z"),
    _visit("entered in 9999", FINDING, entered_at="9999-12-31T00:00:00.000000Z"),
    _visit("entered in 1900", FINDING, entered_at="1900-01-01T00:00:00.000000Z"),
    _visit("visit number negative", FINDING, visit_no=-1),
    _visit("visit number of 63 bits", FINDING, visit_no=2**63 - 1),
    _row("unknown voltage class", FINDING, volt_class="超高压"),
    _row("voltage class null", FINDING, volt_class=None),
    _row("unknown status", FINDING, status_code="???"),
    _row("source count zero", FINDING, source_count=0),
    _row("a value that the source could not know", OK, cust_name="__debezium_unavailable_value"),
]  # fmt: skip

HOSTILE: list[Hostile] = [
    *NOT_A_RECORD, *NESTED, *NO_ENVELOPE, *QUIET, *KEYS, *TYPES, *DATES, *CONTENT,
]  # fmt: skip
"""All of them; names are unique."""
