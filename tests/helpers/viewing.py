"""Further views of a table for tests, made as source files make them."""

from typing import Any

from msgspec.structs import replace

from connectors.source_models import ViewModel
from connectors.views import view_mapping
from schemas import Change, FanOut, TableMapping, decoder_of
from tests.helpers.decoding import AT
from tests.helpers.hostile_wire import dump, envelope


def with_views(mapping: TableMapping, *views: dict[str, Any]) -> TableMapping:
    """Give a table with further views, each written as under `also:`."""
    models = [ViewModel.model_validate(view) for view in views]
    return replace(mapping, also=tuple(view_mapping(mapping, model, model.entity) for model in models))


def fan_out(mapping: TableMapping, *views: dict[str, Any]) -> FanOut:
    decoder = decoder_of(with_views(mapping, *views))
    assert isinstance(decoder, FanOut)
    return decoder


def told(decoder: FanOut, row: Any, *, key: Any = None, **how: Any) -> list[tuple[str, str, str, str, str]]:
    """Give what a change event tells: entity, instance, row, operation, and the instance that the row left."""
    return brief(decode(decoder, row, key=key, **how))


def decode(decoder: FanOut, row: Any, *, key: Any = None, offset: int = 7, **how: Any) -> list[Change]:
    return decoder.decode_all(
        key=None if key is None else dump(key), value=dump(envelope(row, **how)), timestamp=AT, topic="cdc.x.t",
        partition=3, offset=offset,
    )  # fmt: skip


def brief(changes: list[Change]) -> list[tuple[str, str, str, str, str]]:
    return [(c.entity, c.instance, c.row, c.op, c.left) for c in changes]
