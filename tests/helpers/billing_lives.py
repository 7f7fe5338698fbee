"""Customers as reading and billing knows them: half a year without fault, then one odd cycle (domain.md P18, 4.5)."""

from tests.helpers.whole_system import WholeSystem, example

MONTHS = ("2025-10", "2025-11", "2025-12", "2026-01", "2026-02")
LAST, ODD = "2026-02", "2026-03"
USUAL_KWH, USUAL_YUAN = "400.00", "220.00"
FIRST_READING = 95_000


class Customer:
    """One customer with one meter; tells the marketing system's rows about it."""

    def __init__(self, system: WholeSystem, name: str) -> None:
        """Take a name that no other test uses; it becomes the customer's number."""
        self.system, self.cons_no, self.meter_no = system, name, f"ME-{name}"
        self.reading = FIRST_READING

    @property
    def instance(self) -> str:
        return f"billing:{self.cons_no}"

    def begin(self) -> "Customer":
        """Tell the archive, the meter and five cycles without fault."""
        cons = example("mkt", "mkt_cons", cons_no=self.cons_no, tg_no=None, line_no=None)
        meter = example(
            "mkt", "mkt_meter", meter_no=self.meter_no, cons_no=self.cons_no, digits=5, ct_ratio="1", pt_ratio="1",
            install_base="0.00", installed_at="2020-01-01T00:00:00.000000Z", removed_at=None, remove_reading=None,
        )  # fmt: skip
        self.system.capture("mkt", "mkt_cons", cons)
        self.system.capture("mkt", "mkt_meter", meter)
        for month in MONTHS:
            self.read(month, self.reading, self.reading + 400)
            self.bill(month, audit_state="passed", audited_by="H055", issued_at=f"{month}-28T16:00:00.000000Z")
        return self

    def read(self, month: str, previous: int, current: int, *, kwh: str = USUAL_KWH) -> None:
        row = example(
            "mkt", "mkt_reading", cons_no=self.cons_no, meter_no=self.meter_no, ym=month, anomaly_flags=None,
            prev_reading=f"{previous}.00", cur_reading=f"{current}.00", energy_kwh=kwh,
            read_at=f"{month}-27T16:00:00.000000Z",
        )  # fmt: skip
        self.system.capture("mkt", "mkt_reading", row)
        self.reading = current

    def bill(self, month: str, **changes: str | None) -> None:
        """Tell a bill; by default calculated, not issued, and as usual."""
        plain = {
            "bill_no": f"{self.cons_no}-{month}", "cons_no": self.cons_no, "ym": month, "energy_kwh": USUAL_KWH,
            "amount": USUAL_YUAN, "calc_at": f"{month}-28T01:00:00.000000Z", "audit_state": None, "audited_by": None,
            "issued_at": None, "reversed_bill_no": None,
        }  # fmt: skip
        self.system.capture("mkt", "mkt_bill", example("mkt", "mkt_bill", **plain | changes))

    def odd(self) -> None:
        """Tell the odd cycle as if nothing were odd about it."""
        self.read(ODD, self.reading, self.reading + 400)
        self.bill(ODD)

    def archive(self, at: str) -> None:
        """Tell an application of the customer that was archived."""
        row = example(
            "mkt", "mkt_app", app_no=f"AP-{self.cons_no}", cons_no=self.cons_no, accepted_at="2026-02-20T01:00:00Z",
            status_code="archived", archived_at=at, tg_no=None, line_no=None, subs_no=None,
        )  # fmt: skip
        self.system.capture("mkt", "mkt_app", row)

    def flow(self, code: str, at: str) -> None:
        """Tell a work order of a billing flow."""
        row = example(
            "mkt", "mkt_wo", wo_no=f"WO-{code}-{self.cons_no}", flow_code=code, node_code="APPLY", app_no=None,
            cons_no=self.cons_no, created_at=at, locked_by=None, locked_at=None, finished_at=at,
        )  # fmt: skip
        self.system.capture("mkt", "mkt_wo", row)

    def flags(self) -> list[str]:
        """Give the rules that raised something about the odd cycle, once the whole of it was judged."""
        key = f"{self.cons_no}-{ODD}"
        self.system.wait_for(self.instance, lambda found: f"bill:{key}" in found["rows"])
        self.system.catch_up()
        listed = self.system.ask("alerts", "list", "--instance", self.instance, "--limit", "1000")
        return sorted(each["rule"] for each in listed)
