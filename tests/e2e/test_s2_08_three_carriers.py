"""S2-08: SMS over three carriers at once, by a worker on real Kafka; the gateways are stand-ins of each protocol."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.sms_gateway import Gateway
from tests.helpers.requirements import needs
from tests.helpers.sms_gateways import FACES, account_url, put_together
from tests.helpers.whole_system import PATIENCE_S, WholeSystem, ago, example, whole_system

TOPICS = ["cdc.mkt.mkt_app", "cdc.mkt.mkt_app_progress", "cdc.mkt.customer_manager"]
PROTOCOLS = {"mobile": "cmpp2", "unicom": "sgip", "telecom": "smgp"}
PREFIXES = {"mobile": "1380000", "unicom": "1300000", "telecom": "1890000"}


class Carriers:
    """Three gateways in a thread of their own."""

    def __init__(self) -> None:
        self.gateways = {name: Gateway(FACES[protocol]()) for name, protocol in PROTOCOLS.items()}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    def run(self, what: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(what, self.loop).result(PATIENCE_S)

    def urls(self) -> str:
        """For `sms_carriers`."""
        return json.dumps({name: account_url(PROTOCOLS[name], each.port) for name, each in self.gateways.items()})

    def texts(self, name: str) -> dict[str, str]:
        """What phones have got through a carrier, by number; a number that has something twice fails."""
        found = put_together(list(self.gateways[name].phones))
        assert len({(each.mobile, each.text) for each in found}) == len(found)
        return {each.mobile.removeprefix("86"): each.text for each in found}


@contextmanager
def three_carriers() -> Iterator[Carriers]:
    """Run them."""
    carriers = Carriers()
    carriers.thread.start()
    try:
        for gateway in carriers.gateways.values():
            carriers.run(gateway.__aenter__())
        yield carriers
        for gateway in carriers.gateways.values():
            carriers.run(gateway.__aexit__())
    finally:
        carriers.loop.call_soon_threadsafe(carriers.loop.stop)
        carriers.thread.join()
        carriers.loop.close()


def late_application(system: WholeSystem, carrier: str, number: int) -> str:
    """Let an application of a manager with this carrier's number be late with its survey; give the number."""
    name, mobile = f"{carrier}-{number}", f"{PREFIXES[carrier]}{number:04}"
    manager = example("mkt", "customer_manager", mgr_no=name, mobile=mobile)
    system.capture("mkt", "customer_manager", manager)
    app = example(
        "mkt", "mkt_app", app_no=name, mgr_no=name, tg_no=None, line_no=None, subs_no=None, parent_app_no=None,
        archived_at=None, status_code="running", accepted_at=ago(days=40),
    )  # fmt: skip
    system.capture("mkt", "mkt_app", app)
    visit = example(
        "mkt", "mkt_app_progress", progress_id=abs(hash(name)) % 10**9, app_no=name, stage_code="SURVEY", visit_no=1,
        entered_at=ago(days=40), finished_at=None,
    )  # fmt: skip
    system.capture("mkt", "mkt_app_progress", visit)
    return mobile


def wait_for(system: WholeSystem, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, system.worker.log_tail()
        time.sleep(0.2)


def test_s2_08_numbers_of_three_carriers_use_their_own_route_and_one_that_is_down_leaves_the_others_running(
    tmp_path: Path,
) -> None:
    with (
        needs("kafka"), three_carriers() as carriers,
        whole_system(tmp_path, TOPICS, sms_carriers=carriers.urls()) as system,
    ):  # fmt: skip
        own = {name: late_application(system, name, 1) for name in PROTOCOLS}
        wait_for(system, lambda: all(carriers.texts(name) for name in PROTOCOLS))
        assert {name: set(carriers.texts(name)) for name in PROTOCOLS} == {name: {own[name]} for name in PROTOCOLS}
        assert all("现场勘查" in text for name in PROTOCOLS for text in carriers.texts(name).values())

        carriers.run(carriers.gateways["mobile"].__aexit__())
        held = late_application(system, "mobile", 2)
        sent = {name: late_application(system, name, 2) for name in ("unicom", "telecom")}
        wait_for(system, lambda: all(mobile in carriers.texts(name) for name, mobile in sent.items()))
        assert held not in carriers.texts("mobile")

        carriers.run(carriers.gateways["mobile"].__aenter__())
        wait_for(system, lambda: held in carriers.texts("mobile"))
        assert not system.sms.received
