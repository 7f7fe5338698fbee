"""The whole system that the tests of section 8's source rows share: broker and worker start once for all of them."""

from collections.abc import Iterator

import pytest
import yaml

from connectors import SHIPPED_SOURCES
from tests.helpers.requirements import needs
from tests.helpers.texting import Texting, texting
from tests.helpers.whole_system import WholeSystem, whole_system

CAPTURES = {"ogg": "ogg-json", "canal": "canal-json", "maxwell": "maxwell-json"}
"""Further captures of the marketing system beside the shipped one: topic prefix to dialect."""
CAPTURED_TWICE = ("mkt_app", "mkt_app_progress")
MARKETING = (
    "mkt_prj_pkg", "mkt_prj_pkg_item", "mkt_prj_charge", "mkt_prj_cost", "mkt_prj_budget", "mkt_neg_list", "mkt_app",
    "mkt_app_progress", "mkt_coord_notice", "mkt_inter_biz", "mkt_inter_stage", "mkt_sms_template", "mkt_sup_prj",
    "mkt_sup_prj_progress", "mkt_works_unit", "mkt_std_code", "mkt_cust_prj", "mkt_res_prj", "mkt_res_prj_progress",
)  # fmt: skip
"""Every table of domain.md 2.1 with an item that the seed names."""
BILLING = ("mkt_cons", "mkt_meter", "mkt_reading", "mkt_bill", "mkt_payment", "arrears", "mkt_wo", "mkt_wo_hist")
"""What P18 and the 48 flows live on."""
LEAN = ("lean_app_detail", "lean_prj_progress", "lean_res_district", "lean_warn_sum", "lean_neg_trans")
TOPICS = [
    *(f"{prefix}.mkt.{table}" for prefix in CAPTURES for table in CAPTURED_TWICE),
    *(f"cdc.mkt.{table}" for table in (*MARKETING, *BILLING)),
    *(f"cdc.lean.{table}" for table in LEAN),
    *(f"cdc.mob.{table}" for table in ("mob_task", "mob_form")),
    *(f"cdc.ech.{table}" for table in ("ech_app", "ech_query_log", "ech_works_report")),
    *(f"cdc.acq.{table}" for table in ("term", "term_cmd", "meter_freeze")),
    *(f"cdc.city.{table}" for table in ("city_pay", "city_close")),
    "cdc.pre.pre_step_log",
    *("cdc.opm.opm_eval_sum", "cdc.ymd.ymd_org", "cdc.erp.erp_wbs", "cdc.chn.chn_channel", "cdc.xchg.xchg_log"),
    *("cdc.mkt.tg_manager", "cdc.mkt.stakeholder", "cdc.mkt.mkt_service_req", "cdc.ech.ech_msg"),
    *("cdc.bank.bank_batch", "cdc.bank.bank_batch_item", "cdc.ymd.ymd_tg"),
    *("cdc.ymd.ymd_subs", "cdc.ymd.ymd_bus", "cdc.gate.gate_energy"),
]


def capture_file(prefix: str, dialect: str) -> str:
    """Declare the marketing system's applications once more, as another tool captures them."""
    shipped = yaml.safe_load((SHIPPED_SOURCES / "mkt.yaml").read_text("utf-8"))
    tables = {name: shipped["tables"][name] for name in CAPTURED_TWICE}
    declared = {"version": "source/v1", "source": "mkt", "topic": f"{prefix}.{{source}}.{{table}}", "dialect": dialect}
    return yaml.safe_dump({**declared, "tables": tables}, allow_unicode=True)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSystem]:
    """Real Kafka with a worker. Its tests use keys of their own and leave the others' rows alone."""
    captures = {f"mkt-{prefix}.yaml": capture_file(prefix, dialect) for prefix, dialect in CAPTURES.items()}
    with needs("kafka"), whole_system(tmp_path_factory.mktemp("system"), TOPICS, captures=captures) as running:
        yield running


@pytest.fixture(scope="session")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Texting]:
    """Real Kafka with a worker that has a carrier's account."""
    with needs("kafka"), texting(tmp_path_factory.mktemp("phones")) as running:
        yield running
