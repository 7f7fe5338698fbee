"""Applications and their visits of stages (domain.md P01), as the marketing system tells them."""

from tests.helpers.whole_system import Row, WholeSystem, ago, example


def application(system: WholeSystem, app_no: str) -> str:
    row = example(
        "mkt", "mkt_app", app_no=app_no, volt_class="HV", accepted_at=ago(days=60), archived_at=None,
        status_code="running", tg_no=None, line_no=None, subs_no=None, mgr_no=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_app", row)
    return app_no


def visit(system: WholeSystem, app_no: str, stage: str, number: int, **times: str | None) -> None:
    plain: Row = {
        "progress_id": abs(hash((app_no, stage, number))) % 10**9, "app_no": app_no, "stage_code": stage,
        "visit_no": number, "finished_at": None, "suspend_from": None, "suspend_to": None, "result_code": None,
    }  # fmt: skip
    system.capture("mkt", "mkt_app_progress", example("mkt", "mkt_app_progress", **plain | times))
