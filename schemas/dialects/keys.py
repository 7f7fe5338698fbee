"""Keys of records that are no Debezium key: bare text, JSON objects of several makes.

Asked only where a row's image lacks its primary key: a delete without image. GoldenGate writes what its key template
says (`${primaryKeys}`: the values, joined by `_`), Maxwell an object with `pk.` before the columns, or an array.
"""

from typing import Any

import msgspec

from schemas.dialects.limits import Limits

_decode = msgspec.json.Decoder().decode


def key_columns(key: bytes, names: tuple[str, ...], limits: Limits) -> dict[str, Any]:
    """Give the columns that a key names, or, where it has only values, those of `names` (the primary key).

    Empty where the values cannot be told apart. Raises `BadInput` and what a parser raises.
    """
    limits.check_json(key)
    try:
        found = _decode(key)
    except msgspec.DecodeError:
        found = key.decode()
    if isinstance(found, list):
        parts = [column for part in found if isinstance(part, list) for column in part if isinstance(column, dict)]
        return {name: value for column in parts for name, value in column.items()}
    if isinstance(found, dict):
        payload = found.get("payload")
        columns = payload if isinstance(payload, dict) else found
        return {name.removeprefix("pk."): value for name, value in columns.items()}
    if len(names) == 1:
        return {names[0]: key.decode() if not isinstance(found, str) else found}
    values = str(found).split("_")
    return dict(zip(names, values, strict=True)) if len(values) == len(names) else {}
