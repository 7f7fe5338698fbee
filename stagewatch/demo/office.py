"""Writes the rows of applications and list items as their source systems would: every change a happening."""

import random
from dataclasses import dataclass, field
from datetime import timedelta

from stagewatch.demo.source import Cell, Happening, Row
from stagewatch.demo.workdays import local_day
from stagewatch.demo.world import World, firm, mobile, person

SECOND_MS = 1000
RESIDENT_SHARE = 0.5
TWO_SOURCES_SHARE = 0.2


@dataclass(slots=True)
class Application:
    """One application as its office sees it now."""

    row: Row
    visits: list[Row] = field(default_factory=list)

    @property
    def no(self) -> str:
        """Its number."""
        return str(self.row["app_no"])

    @property
    def is_hv(self) -> bool:
        """High voltage."""
        return self.row["volt_class"] == "HV"


class Office:
    """Everybody who types into the three source systems. Happenings are gathered in no order."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.happenings: list[Happening] = []
        self._applications = self._visits = self._items = 0

    def write(self, at: int, table: str, row: Row, *, is_new: bool = False) -> None:
        """Commit a row as it is now; it arrives at `at`."""
        row["upd_at"] = at
        self.happenings.append(Happening(at, table, "c" if is_new else "u", dict(row)))

    def accept(self, at: int, *, is_hv: bool, district: Row | None = None) -> Application:
        """Take in an application; its customer is entered a second before."""
        rng, self._applications = self.rng, self._applications + 1
        number = self._applications
        tg = district or rng.choice(self.world.districts)
        manager = next(row for row in self.world.district_managers if row["tg_no"] == tg["tg_no"])
        is_resident = not is_hv and rng.random() < RESIDENT_SHARE
        name = person(rng) if is_resident else firm(rng)
        kind = "resident" if is_resident else "large" if is_hv else "other LV"
        shared: Row = {"cons_no": f"C{number:09d}", "cust_name": name, "volt_class": "HV" if is_hv else "LV"}
        customer: Row = {**shared, "cons_type": kind, "tg_no": tg["tg_no"], "line_no": tg["line_no"],
                         "status_code": "active"}  # fmt: skip
        row: Row = {
            "app_no": f"3326{number:08d}", **shared, "cust_mobile": mobile(rng), "org_no": tg["org_no"],
            "app_type": rng.choice(("new", "increase")), "volt_level_code": "AC00101" if is_hv else "AC00021",
            "source_count": 2 if is_hv and rng.random() < TWO_SOURCES_SHARE else 1,
            "apply_cap_kva": rng.randrange(315, 6300) if is_hv else rng.randrange(4, 100), "tg_no": tg["tg_no"],
            "line_no": tg["line_no"], "subs_no": f"S{number % 4}", "mgr_no": manager["mgr_no"], "accepted_at": at,
            "status_code": "running", "archived_at": None,
        }  # fmt: skip
        self.write(at - SECOND_MS, "mkt.mkt_cons", customer, is_new=True)
        self.write(at, "mkt.mkt_app", row, is_new=True)
        return Application(row)

    def enter(self, app: Application, stage: str, at: int, *, told_at: int | None = None) -> Row:
        """Open a stage; the row arrives at `told_at`, by default a moment after the fact."""
        self._visits += 1
        visit: Row = {
            "progress_id": self._visits, "app_no": app.no, "stage_code": stage,
            "visit_no": 1 + sum(row["stage_code"] == stage for row in app.visits), "dept_code": "MKT",
            "handler_no": f"H{self.rng.randrange(40):03d}", "entered_at": at, "finished_at": None, "result_code": None,
            "suspend_from": None, "suspend_to": None, "suspend_reason": None, "remark": None,
        }  # fmt: skip
        app.visits.append(visit)
        self.write(at + 2 * SECOND_MS if told_at is None else told_at, "mkt.mkt_app_progress", visit, is_new=True)
        return visit

    def update(self, visit: Row, told_at: int, **cells: Cell) -> None:
        """Change a stage's row."""
        visit.update(cells)
        self.write(told_at, "mkt.mkt_app_progress", visit)

    def archive(self, app: Application, at: int) -> None:
        """End an application."""
        app.row.update(status_code="archived", archived_at=at)
        self.write(at + SECOND_MS, "mkt.mkt_app", app.row)

    def plan_works(self, app: Application, at: int, days: int) -> None:
        """Note the customer's works and when they are planned to be finished."""
        prj_no = f"P{app.no}"
        self.write(at, "mkt.mkt_cust_prj", {"prj_no": prj_no, "app_no": app.no, "cons_no": app.row["cons_no"],
                                            "build_start_at": at, "status_code": "building"}, is_new=True)  # fmt: skip
        schedule: Row = {"prj_no": prj_no, "plan_start": local_day(at),
                         "plan_finish": local_day(at) + timedelta(days=days), "duration_days": days}  # fmt: skip
        self.write(at + SECOND_MS, "lean.lean_prj_schedule", schedule, is_new=True)

    def determine(self, at: int, equipment: Row, *, days: int, is_line: bool = False) -> Row:
        """Put equipment on the negative list, not yet published; to be fixed within `days`."""
        self._items += 1
        item: Row = {
            "nl_no": f"NL{self._items:05d}", "org_no": equipment["org_no"], "org_name": "供电分公司",
            "determined_at": at, "plan_finish_at": local_day(at) + timedelta(days=days),
            "limit_level": self.rng.choice("123"), "max_load_rate": f"{self.rng.uniform(0.8, 1.3):.4f}",
            "published_at": None, "cleared_at": None,
        }  # fmt: skip
        if is_line:
            item |= {"line_name": equipment["line_name"], "line_no": equipment["line_no"], "rated_amp": 400}
        else:
            item |= {"trans_name": equipment["tg_name"], "trans_no": equipment["trans_no"],
                     "tg_no": equipment["tg_no"], "rated_kva": equipment["rated_kva"]}  # fmt: skip
        self.write(at + SECOND_MS, table_of(item), item, is_new=True)
        return item

    def publish(self, item: Row, at: int) -> None:
        """Publish a list item."""
        item["published_at"] = at
        self.write(at, table_of(item), item)

    def clear(self, item: Row, at: int) -> None:
        """Take an item off the list."""
        item["cleared_at"] = at
        self.write(at, table_of(item), item)

    def garble(self, at: int, app: Application, data: bytes) -> None:
        """Have something arrive that nobody can read."""
        self.happenings.append(Happening(at, "mkt.mkt_app", "u", dict(app.row), garbage=data))


def table_of(item: Row) -> str:
    """Give the table of a list item."""
    return "lean.lean_neg_line" if "line_no" in item else "lean.lean_neg_trans"
