"""What a look at one record says about how its producer is set up: for onboarding, never for decoding.

A record that decodes may still be one that rules cannot rest on: without a place in its source, without the old row,
keyed by nothing. Each piece of advice is a sentence that names the producer's option.
"""

from typing import Any

from schemas.dialects.flattened import operation_of
from schemas.dialects.limits import PARSER_ERRORS, decode_object, documents
from schemas.dialects.looks import looks_like
from schemas.dialects.ogg import META
from schemas.mapping import TableMapping


def advice_on(mapping: TableMapping, *, key: bytes | None, value: bytes | None) -> list[str]:
    """Give what should be changed at the producer of such records; empty if nothing. Raises nothing."""
    if not value:
        return []
    seen = looks_like(value)
    if seen is not None and seen != mapping.dialect:
        return [f"declared {mapping.dialect}, but the records look like {seen}: declare that"]
    try:
        parts = [decode_object(part) or {} for part in documents(value)]
    except PARSER_ERRORS:
        return []
    return _advice(mapping, parts, key) if parts else []


def _advice(mapping: TableMapping, parts: list[dict[str, Any]], key: bytes | None) -> list[str]:
    record = parts[0]
    match mapping.dialect:
        case "debezium-json":
            return _of_debezium(mapping, record)
        case "ogg-json" | "ogg-json-row":
            return _of_ogg(mapping, record, key, count=len(parts))
        case "maxwell-json":
            return _of_maxwell(record)
        case "canal-json":
            return [] if "es" in record else ["no `es`: changes are ordered by the topic alone"]
        case "debezium-avro" | "ogg-delimited":
            return []


def _of_debezium(mapping: TableMapping, record: dict[str, Any]) -> list[str]:
    payload = record.get("payload")
    row = payload if isinstance(payload, dict) else record
    if "op" in row:
        return []
    found = []
    if operation_of(row) is None and any(name.lower() in mapping.columns for name in row):
        found.append("flattened rows without an operation are refused: set add.fields=op,source.ts_ms,source.lsn")
    elif "__op" in row or "__deleted" in row:
        if "__source_ts_ms" not in row and "__ts_ms" not in row:
            found.append("flattened rows without a time: add source.ts_ms to add.fields")
        if "__deleted" not in row:
            found.append("flattened deletes are lost: set delete.tombstone.handling.mode=rewrite")
    return found


def _of_ogg(mapping: TableMapping, record: dict[str, Any], key: bytes | None, *, count: int) -> list[str]:
    names = {name: mapping.format.meta.get(name, name) for name in META}
    found = []
    if names["pos"] not in record and names["csn"] not in record:
        found.append("no place in the trail: add ${position[pos]} and ${csn[csn]} to format.metaColumnsTemplate")
    if count > 1:
        found.append("several operations in one record: set mode=op, so that a row's key decides its partition")
    if key is None or key.strip() in (b"", b"null"):
        found.append("no key: changes of one row come in any order; set keyMappingTemplate=${primaryKeys}")
    if mapping.dialect == "ogg-json-row":
        taken = {theirs.lower() for theirs in names.values()} & mapping.columns.keys()
        if taken:
            found.append(f"columns hidden by meta columns of the same name: {', '.join(sorted(taken))}; rename those")
    return found


def _of_maxwell(record: dict[str, Any]) -> list[str]:
    if "data" in record and "position" not in record:
        return ["no place in the binary log: set output_binlog_position=true"]
    return []
