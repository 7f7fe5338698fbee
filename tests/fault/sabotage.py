"""The harness is tested: with a part of the product switched off it must fail, in the script that needs that part.

Each stands beside the same script with nothing switched off (`scripted.py`), which must pass.
"""

from tests.fault.harness import Fault, Options, PromiseBroken, World
from tests.fault.scripted import Script, in_transaction, lost_batch, lost_changelog, refused

PATIENCE_S = 15.0
"""What a sabotaged worker loses never comes: no need to wait long, but on a laden machine all stands still at times."""
CATCHES: dict[str, tuple[Script, str]] = {
    "no-fencing": (in_transaction, "fencing"),
    "no-awaited-deliveries": (refused, "deliveries"),
    "no-position-check": (lost_changelog, "position"),
    "no-border-check": (lost_batch, "border"),
}
"""What is switched off, and the script that shows it."""


class Blind(Exception):
    """A sabotaged product passed: the harness does not see what it is there to see."""


def _fault(name: str, script: Script, *off: str) -> Fault:
    def run(world: World, times: int) -> None:
        try:
            script(world)
        except PromiseBroken as broken:
            world.say(str(broken))
            late = world.observed.stuck()
            if late:
                raise Blind(f"{name}: late is not lost, seed {world.seed}: {late}") from broken
            world.hit[f"caught: {name}"] += 1
            return
        raise Blind(f"{name}: nothing was found, seed {world.seed}")

    return Fault(name, run, short=1, long=1, options=Options(patience_s=PATIENCE_S, off=off))


FAULTS = [_fault(name, script, off) for name, (script, off) in CATCHES.items()]
