"""The relation catalogue and its match rates: of the rows as they are now, how many find the key they name."""

import json
from pathlib import Path
from typing import Any

from connectors import Matching, SourceCatalog, load_sources, relations_of
from schemas import Decoder
from tests.helpers.decoding import AT, catalog
from tests.helpers.hostile_wire import dump, envelope

SOURCE = """\
version: source/v1
source: x
tables:
  x_app:
    entity: application
    key: [app_no]
    instance: app_no
    columns: {app_no: text, tg_no: text}
    joins: {tg_no: x_tg}
  x_tg:
    entity: tg
    key: [tg_no]
    columns: {tg_no: text}
  x_item:
    entity: item
    key: [pkg_no, prj_no]
    is_reference: false
    columns: {pkg_no: text, prj_no: text}
  x_cost:
    entity: cost
    key: [id]
    is_reference: false
    columns: {id: text, prj_no: text}
    joins: {prj_no: x_item}
"""
EXAMPLES = Path(__file__).resolve().parents[3] / "schemas" / "registry" / "examples"


def load(tmp_path: Path) -> SourceCatalog:
    (tmp_path / "x.yaml").write_text(SOURCE)
    return load_sources([tmp_path])


class Told:
    """Rows told to a matching, one after the other."""

    def __init__(self, catalog: SourceCatalog) -> None:
        self.matching, self._catalog, self._count = Matching(catalog), catalog, 0

    def row(self, topic: str, row: dict[str, Any], op: str = "c") -> None:
        mapping = self._catalog.mapping_for(topic)
        assert mapping is not None
        self._count += 1
        value = dump(envelope(None if op == "d" else row, op=op, before=row if op == "d" else None, lsn=self._count))
        change = Decoder(mapping).decode(key=None, value=value, timestamp=AT, topic=topic, partition=0, offset=0)
        assert change is not None
        self.matching.add(mapping, change)

    def rates(self) -> dict[str, tuple[int, int]]:
        return {
            f"{each.relation.table}.{each.relation.column}": (each.rows, each.matched) for each in self.matching.rates()
        }


def test_rows_that_name_a_key_are_counted_and_those_that_find_it(tmp_path: Path) -> None:
    told = Told(load(tmp_path))
    told.row("cdc.x.x_tg", {"tg_no": "T1"})
    for number, tg_no in enumerate(["T1", "T1", "T9", None]):
        told.row("cdc.x.x_app", {"app_no": f"A{number}", "tg_no": tg_no})
    assert told.rates()["x_app.tg_no"] == (3, 2)


def test_row_counts_as_it_is_now(tmp_path: Path) -> None:
    told = Told(load(tmp_path))
    told.row("cdc.x.x_app", {"app_no": "A1", "tg_no": "T9"})
    told.row("cdc.x.x_tg", {"tg_no": "T1"})
    told.row("cdc.x.x_app", {"app_no": "A1", "tg_no": "T1"}, "u")
    assert told.rates()["x_app.tg_no"] == (1, 1)
    told.row("cdc.x.x_tg", {"tg_no": "T1"}, "d")
    assert told.rates()["x_app.tg_no"] == (1, 0)
    told.row("cdc.x.x_app", {"app_no": "A1", "tg_no": "T1"}, "d")
    assert told.rates()["x_app.tg_no"] == (0, 0)


def test_part_of_a_longer_key_is_found_by_its_name(tmp_path: Path) -> None:
    told = Told(load(tmp_path))
    told.row("cdc.x.x_item", {"pkg_no": "K1", "prj_no": "P1"})
    told.row("cdc.x.x_cost", {"id": "1", "prj_no": "P1"})
    told.row("cdc.x.x_cost", {"id": "2", "prj_no": "K1"})
    assert told.rates()["x_cost.prj_no"] == (2, 1)


def test_nothing_told_has_no_rate(tmp_path: Path) -> None:
    assert [each.rate for each in Matching(load(tmp_path)).rates()] == [None, None]


def test_s0_09_chain_from_customer_to_substation_is_in_the_catalogue() -> None:
    known = {(each.table, each.column, each.target) for each in relations_of(catalog())}
    assert {
        ("ymd_cons_tg", "tg_no", "ymd_tg"), ("ymd_tg", "line_no", "ymd_line"), ("ymd_line", "bay_no", "ymd_bay"),
        ("ymd_bay", "bus_no", "ymd_bus"), ("ymd_bus", "subs_no", "ymd_subs"),
    } <= known  # fmt: skip


def test_s0_09_match_rate_of_the_examples_is_known_for_every_key() -> None:
    told = Told(catalog())
    for mapping in catalog().mappings:
        told.row(mapping.topic, json.loads((EXAMPLES / mapping.source / f"{mapping.table}.json").read_text("utf-8")))
    rates = told.rates()
    assert rates["mkt_app.tg_no"] == rates["mkt_coord_notice.app_no"] == rates["ymd_tg.line_no"] == (1, 1)
    assert rates["mkt_app.parent_app_no"] == (1, 0)
    assert all(rows == 1 for rows, _ in rates.values())
