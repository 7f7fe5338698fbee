"""Which system is believed: one source feeds an entity, the rows of the others stand beside it under their names."""

from pathlib import Path

import pytest

from connectors import SHIPPED_SOURCES, load_sources
from schemas import DefinitionError
from tests.helpers.decoding import mapping


def entity(topic: str, precedence: dict[str, object] | None = None) -> str:
    found = load_sources([SHIPPED_SOURCES], None, precedence).mapping_for(topic)
    assert found is not None
    return found.entity


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("cdc.mkt.mkt_app_progress", "visit"), ("cdc.lean.lean_app_progress", "visit@lean"),
        ("cdc.mkt.mkt_app", "application"), ("cdc.lean.lean_app_detail", "application@lean"),
        ("cdc.lean.lean_neg_trans", "negative_item"), ("cdc.mkt.mkt_neg_list", "negative_item@mkt"),
        ("cdc.opm.opm_eval_detail", "evaluation"), ("cdc.lean.lean_eval_detail", "evaluation@lean"),
    ],
)  # fmt: skip
def test_default_order_is_progress_from_marketing_determination_from_lean_evaluation_from_operations(
    topic: str, name: str
) -> None:
    assert mapping(topic).entity == name


def test_setting_turns_the_order_round() -> None:
    order: dict[str, object] = {"visit": ["lean", "mkt"]}
    assert entity("cdc.lean.lean_app_progress", order) == "visit"
    assert entity("cdc.mkt.mkt_app_progress", order) == "visit@mkt"
    assert entity("cdc.lean.lean_app_detail", order) == "application@lean"


def test_only_source_of_an_entity_feeds_it_whatever_the_order(tmp_path: Path) -> None:
    (tmp_path / "lean.yaml").write_bytes((SHIPPED_SOURCES / "lean.yaml").read_bytes())
    found = load_sources([tmp_path]).mapping_for("cdc.lean.lean_app_progress")
    assert found is not None
    assert found.entity == "visit"


def test_fields_believed_of_another_source_than_feeds_the_entity_are_known() -> None:
    def believed(order: dict[str, object]) -> dict[str, dict[str, tuple[str, ...]]]:
        return load_sources([SHIPPED_SOURCES], None, order).believed

    assert believed({}) == {"negative_item": {"published_at": ("negative_item@mkt",)}}
    assert believed({"negative_item": ["mkt", "lean"]}) == {}
    assert believed({"negative_item.published_at": ["lean", "mkt"]}) == {}
    assert believed({"application.mgr_no": ["lean"]})["application"] == {"mgr_no": ("application@lean",)}


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        ({"visit": "mkt"}, r"precedence.visit: write a list of sources"),
        ({"vist": ["mkt"]}, r"precedence.vist: no entity 'vist'; near are visit"),
        ({"negative_item.publishd_at": ["mkt"]}, r"no field 'publishd_at'; near are published_at"),
        ({"visit": ["mkt", "gis"]}, r"precedence.visit: gis does not tell it; .*lean, mkt.* do"),
        ({"visit": ["leen"]}, r"precedence.visit: no source 'leen' \(did you mean lean\?\); known are acq, "),
    ],
)
def test_fault_of_the_setting_says_what_to_write(order: dict[str, object], fault: str) -> None:
    with pytest.raises(DefinitionError, match=fault):
        entity("cdc.mkt.mkt_app", order)
