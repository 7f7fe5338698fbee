"""Phone numbers of customers and staff, masked in what commands print. State and topics keep them, for messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PHONES = frozenset({"mobile", "cust_mobile"})
"""Fields that hold a phone number."""
_NAMED_BY = ("field", "item")
_SAID_AS = frozenset({"from", "to", "ours", "theirs"})
"""In an entry that names a field: what it says the field was or is."""


def without_phones(document: Any) -> Any:  # noqa: ANN401 - a document as JSON has it
    """Give a document with every phone number in it as `138****01`, at any depth."""
    if isinstance(document, list | tuple):
        return [without_phones(each) for each in document]
    if not isinstance(document, Mapping):
        return document
    is_of_phone = any(document.get(name) in PHONES for name in _NAMED_BY)
    return {
        name: _masked(value) if name in PHONES or (is_of_phone and name in _SAID_AS) else without_phones(value)
        for name, value in document.items()
    }


def _masked(value: object) -> object:
    from sinks import masked_address  # noqa: PLC0415 - what `stagewatch --help` must not wait for

    return masked_address(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else value
