"""The `tests:` inside source files: a sample record each, and the fields that must come out.

Run by `stagewatch check` and `stagewatch rules test`. A sample is written as the record's value without the parts
that decoding does not need; it goes through the same decoder as real records, as bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from connectors.source_models import ExpectModel, TestModel
from connectors.sources import SourceCatalog, SourceFile
from schemas import BadInput, Change, Column, Decoder, Dialect, Fault, TableMapping, as_told, decoder_of, epoch_ms, iso


@dataclass(frozen=True, slots=True)
class SourceTestResult:
    """How one sample came out; `fault` is None if as expected."""

    file: str
    name: str
    fault: Fault | None


def run_source_tests(catalog: SourceCatalog) -> list[SourceTestResult]:
    """Decode every sample of every file; in the order of the files."""
    by_table = {(mapping.source, mapping.table): mapping for mapping in catalog.mappings}
    results = []
    for file in catalog.files:
        for index, test in enumerate(file.model.tests):
            mapping = by_table.get((file.model.source.lower(), test.table.lower()))
            message = f"no table '{test.table}' in this file" if mapping is None else _difference(mapping, test)
            results.append(SourceTestResult(file.file, test.name, _fault(file, index, test, message)))
    return results


def _fault(file: SourceFile, index: int, test: TestModel, message: str | None) -> Fault | None:
    if message is None:
        return None
    return file.places.fault(("tests", index), f"test '{test.name}': {message}")


def _difference(mapping: TableMapping, test: TestModel) -> str | None:
    """Give the first difference between what the sample gives and what it should; None if there is none."""
    expect = test.expect
    sampled = _as_sampled(mapping)
    try:
        changes = (decoder_of(sampled) if test.view else Decoder(sampled)).decode_all(
            key=None if test.key is None else msgspec.json.encode(test.key),
            value=None if test.record is None else msgspec.json.encode(test.record),
            timestamp=0, topic=mapping.topic, partition=0, offset=0,
        )  # fmt: skip
    except BadInput as error:
        return None if error.reason == expect.refused else f"refused: {error}"
    if expect.refused is not None:
        return f"not refused as {expect.refused}"
    views = [mapping]
    if test.view is not None:
        changes = [change for change in changes if change.entity == test.view and _is_meant(change, expect)]
        views = [view for view in mapping.also if view.entity == test.view]
    if not changes:
        return None if expect.silent else "the record says nothing"
    if expect.silent:
        return "the record says something"
    if len(changes) > 1:
        return f"the record tells {len(changes)} changes; a sample tells one"
    return _difference_of({c.name: c for view in views for c in view.columns.values()}, expect, changes[0])


def _is_meant(change: Change, expect: ExpectModel) -> bool:
    """Tell whether a view's change is the one that is expected, where several views tell the same entity."""
    return expect.instance in (None, change.instance)


def _as_sampled(mapping: TableMapping) -> TableMapping:
    """Give the mapping by which a sample is read: YAML can write the JSON form of a dialect that is none itself."""
    form: dict[Dialect, Dialect] = {"debezium-avro": "debezium-json", "ogg-delimited": "ogg-json-row"}
    also = tuple(_as_sampled(view) for view in mapping.also)
    return msgspec.structs.replace(mapping, dialect=form.get(mapping.dialect, mapping.dialect), also=also)


def _difference_of(columns: Mapping[str, Column], expect: ExpectModel, change: Change) -> str | None:
    for name in ("instance", "row", "op"):
        wanted, found = getattr(expect, name), getattr(change, name)
        if wanted is not None and wanted != found:
            return f"{name}: expected '{wanted}', not '{found}'"
    for name, wanted in expect.fields.items():
        if name not in change.fields:
            return f"field '{name}' is missing"
        found = change.fields[name]
        if not _equal(columns.get(name), wanted, found):
            is_time = name in columns and columns[name].type in ("timestamp", "date") and isinstance(found, int)
            return f"field '{name}': expected '{wanted}', not '{iso(as_told(int(str(found)))) if is_time else found}'"
    for name in expect.missing:
        if name in change.fields:
            return f"field '{name}' should be missing"
    return None


def _equal(column: Column | None, wanted: object, found: object) -> bool:
    """Compare as the column's type compares: times as moments, decimals as numbers."""
    if isinstance(found, Decimal) and wanted is not None:
        return str(found) == str(wanted) or found == Decimal(str(wanted))
    if column is not None and column.type in ("timestamp", "date") and isinstance(wanted, str):
        try:
            return isinstance(found, int) and epoch_ms(wanted) in (found, as_told(found))
        except ValueError:
            return False
    return wanted == found and type(wanted) is type(found)
