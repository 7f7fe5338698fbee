"""The command line of the fault harness.

    python -m tests.fault                                        the short form: a few of everything
    python -m tests.fault --fault kill --times 200 --seed 7      one kind, as often as wanted
    python -m tests.fault --long                                 the counts of the table
    python -m tests.fault --list

Progress goes to stderr, the table of what was hit to stdout (`-o json`: one object). Exit 1 if a promise was broken;
the message names the seed, and the folder with every log.
"""

import argparse
import importlib
import json
import pkgutil
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tests.fault
from tests.fault.harness import Fault, PromiseBroken, World
from tests.fault.sabotage import Blind
from tests.fault.workers import NotInTime

SKIPPED = ("__main__", "sabotaged_worker", "test_")


def faults() -> dict[str, Fault]:
    """Give every fault of every module of this package, by name."""
    found: dict[str, Fault] = {}
    for module in pkgutil.iter_modules(tests.fault.__path__):
        if not module.name.startswith(SKIPPED):
            listed = getattr(importlib.import_module(f"tests.fault.{module.name}"), "FAULTS", ())
            found |= {fault.name: fault for fault in listed}
    return found


def run(fault: Fault, times: int, seed: int, folder: Path) -> dict[str, Any]:
    """Run one fault in a world of its own; give what was hit and what was at stake. Raises PromiseBroken."""
    started = time.monotonic()
    with World(folder, seed, fault.options, _say) as world:
        fault.run(world, times)
        summary = world.summary()
        hit, exits = dict(world.hit), dict(world.exits)
    return {
        "fault": fault.name, "seed": seed, "times": times, "seconds": round(time.monotonic() - started),
        "hit": hit, "exits": exits, **summary,
    }  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; give the exit code."""
    signal.signal(signal.SIGTERM, _leave)  # with everything that it started
    signal.signal(signal.SIGINT, _leave)
    known = faults()
    chosen = _parse(arguments, known)
    if chosen.list:
        for fault in known.values():
            _write(f"{fault.name:28} short {fault.short:4}  long {fault.long:4}" + "\n")
        return 0
    seed = random.SystemRandom().randrange(10_000) if chosen.seed is None else chosen.seed
    results, failed = [], False
    short = [name for name, fault in known.items() if fault.short or chosen.long]
    for name in chosen.fault or short:
        fault = known[name]
        times = chosen.times or (fault.long if chosen.long else max(fault.short, 1))
        _say(f"{name}: {times} times, seed {seed}")
        folder = Path(tempfile.mkdtemp(prefix=f"fault-{name}-", dir=chosen.folder))
        try:
            results.append(run(fault, times, seed, folder / "world"))
        except (PromiseBroken, NotInTime, Blind) as broken:
            failed = True
            _say(f"BROKEN {name}, seed {seed}: {broken}")
            results.append({"fault": name, "seed": seed, "times": times, "broken": str(broken)})
        else:
            shutil.rmtree(folder, ignore_errors=True)
    _show(results, as_json=chosen.output == "json")
    return int(failed)


def _parse(arguments: Sequence[str], known: dict[str, Fault]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description="Faults on real Kafka; see --list.")
    parser.add_argument("--fault", action="append", choices=sorted(known), help="only this one; may be repeated")
    parser.add_argument("--times", type=int, help="how often; default: the count of the short or long form")
    parser.add_argument("--seed", type=int, help="run a run again; default: any")
    parser.add_argument("--long", action="store_true", help="the counts of the table instead of a few")
    parser.add_argument("--folder", help="where worlds live; that of a broken one is kept")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def _show(results: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        _write(json.dumps({"runs": results, "broken": sum("broken" in each for each in results)}) + "\n")
        return
    for each in results:
        _write(f"{each['fault']}: {'BROKEN' if 'broken' in each else 'kept'} (seed {each['seed']})" + "\n")
        for name, value in each.items():
            if isinstance(value, dict):
                _write("".join(f"    {what:44} {count:6}\n" for what, count in sorted(value.items())))
            elif name not in {"fault", "seed", "broken"}:
                _write(f"    {name:44} {value:6}" + "\n")


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _write(text: str) -> None:
    sys.stdout.write(text)


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}" + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
