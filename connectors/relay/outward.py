"""What of a row may leave the network: its allowed columns, personal data masked, everything else left out.

Works on the record as it stands, in every JSON dialect, without decoding a value: what passes, passes as the source
wrote it. It allows, never forbids: a column, an envelope's field or a header that nobody named stays inside, and a
record that cannot be looked into does not cross.
"""

from collections.abc import Collection, Mapping

import msgspec

from connectors.relay.envelope import RelayedRecord
from schemas import INGEST_HEADER, StagewatchError

_IMAGES = frozenset({"before", "after", "data", "old"})
"""Where the dialects have rows: Debezium and GoldenGate, Canal, Maxwell."""
_ENVELOPE = frozenset({
    "op", "ts_ms", "ts_us", "ts_ns", "source", "table", "op_type", "op_ts", "current_ts", "pos", "csn", "xid",
    "tx_id", "primary_keys", "type", "database", "es", "ts", "id", "isddl", "pknames", "mysqltype", "sqltype",
    "commit", "xoffset", "position", "gtid", "primary_key_columns",
})  # fmt: skip
"""Fields beside the rows that say what happened, when and where; statements, sessions and tokens are none of them."""
_SOURCE = frozenset({
    "version", "connector", "name", "ts_ms", "ts_us", "ts_ns", "snapshot", "db", "schema", "table", "scn",
    "commit_scn", "lsn", "txid", "xmin", "sequence", "txseq", "rs_id", "ssn", "file", "pos", "row", "gtid",
    "server_id", "change_lsn", "commit_lsn", "event_serial_no", "change_time", "commit_time", "src", "src_ts",
    "batch", "undoes", "row_no", "by_arrival",
})  # fmt: skip
"""What a `source` may say, for the same reason: neither `query` nor who was logged in."""
_LONG = 11
"""From here on (a mobile number, an identity number) the ends tell a person's records apart; shorter ones keep one."""

Raw = dict[str, msgspec.Raw]
_rows = msgspec.json.Decoder(Raw | list[Raw] | None)
_fields = msgspec.json.Decoder(Raw)
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.encode


class Withheld(StagewatchError):
    """A record that does not cross, because nobody can tell what is in it; says where it stands."""


class Outward:
    """The rule of one topic."""

    def __init__(
        self, columns: Collection[str], masked: Collection[str], *, meta: Mapping[str, str] | None = None
    ) -> None:
        """Columns that cross as they are, those that cross masked, and how the source names fields of its envelope."""
        self._fields = _ENVELOPE | {name.lower() for ours, name in (meta or {}).items() if ours in _ENVELOPE}
        self._columns = {name.lower() for name in columns}
        self._masked = {name.lower() for name in masked}

    def passed(self, record: RelayedRecord) -> RelayedRecord:
        """Give what may cross of a record. Raises Withheld."""
        try:
            value = None if record.value is None else self._envelope(record.value)
            key = None if record.key is None else self._key(record.key)
        except (msgspec.DecodeError, ValueError, RecursionError):
            place = f"{record.topic}/{record.partition}/{record.offset}"
            raise Withheld(f"{place}: no JSON with rows, so nobody can tell what would leave") from None
        headers = [(name, told) for name, told in record.headers if name == INGEST_HEADER]
        return msgspec.structs.replace(record, key=key, value=value, headers=headers)

    def _envelope(self, value: bytes) -> bytes:
        fields = _fields.decode(value)
        if "payload" in fields and "schema" in fields:  # Kafka Connect's JSON: the schema holds names, no values
            inside = self._envelope(bytes(fields["payload"]))
            return _encode({"schema": fields["schema"], "payload": msgspec.Raw(inside)})
        if not _IMAGES & fields.keys():
            raise ValueError("no rows")
        told = {name: raw for name, raw in fields.items() if name.lower() in self._fields}
        if "source" in told:
            source = _fields.decode(told["source"])
            told["source"] = _raw({name: raw for name, raw in source.items() if name.lower() in _SOURCE})
        for name in _IMAGES & fields.keys():
            told[name] = _raw(self._images(fields[name]))
        return _encode(told)

    def _images(self, raw: msgspec.Raw) -> Raw | list[Raw] | None:
        rows = _rows.decode(raw)
        if rows is None:
            return None
        return self._row(rows) if isinstance(rows, dict) else [self._row(row) for row in rows]

    def _row(self, row: Mapping[str, msgspec.Raw]) -> Raw:
        allowed = {name: raw for name, raw in row.items() if name.lower() in self._columns}
        return allowed | {name: _masked(raw) for name, raw in row.items() if name.lower() in self._masked}

    def _key(self, key: bytes) -> bytes:
        """A key of columns is a row; any other is the instance's or the row's own name, as the table declares it."""
        if not key.lstrip().startswith(b"{"):
            return key
        fields = _fields.decode(key)
        if "payload" in fields and "schema" in fields:
            inside = self._key(bytes(fields["payload"]))
            return _encode({"schema": fields["schema"], "payload": msgspec.Raw(inside)})
        return _encode(self._row(fields))


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encode(value))


def _masked(raw: msgspec.Raw) -> msgspec.Raw:
    """Mask a text; anything else becomes null, since a number with stars is none."""
    try:
        return _raw(mask(_text.decode(raw)))
    except msgspec.DecodeError:
        return _raw(None)


def mask(text: str) -> str:
    """Give a text so that its owner knows it again and nobody learns it: `138****5678`, `张**`."""
    if len(text) >= _LONG:
        return text[:3] + "*" * (len(text) - 7) + text[-4:]
    return text[:1] + "*" * (len(text) - 1) if len(text) > 1 else "*" * len(text)
