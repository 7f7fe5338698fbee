"""Runs worlds: many at a time in processes of their own, or one by its seed.

`python -m tests.simulation.worlds --worlds 10000 --seed 0` prints what struck and what was found.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from tests.simulation.clock import VirtualLoop
from tests.simulation.material import REPEAT
from tests.simulation.oracle import faults_of
from tests.simulation.sabotage import SOUND, Sabotage
from tests.simulation.world import World

REAL_OF_100, DESK_OF_100 = 27, 10
"""Of a hundred worlds, those with the real engine, and those about people; the others have the fake engine, and are
several times as many to the second."""
CHUNK = 50
MOST_SHOWN = 20
"""Of the worlds that failed."""


class Failure(NamedTuple):
    """A world that broke a promise."""

    seed: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """Give how to run it again, and the first of what it found."""
        again = f"python -m tests.simulation.worlds --worlds 1 --seed {self.seed}"
        return "\n  ".join([f"seed {self.seed} ({again}):", *self.lines[:8]])


def kind_of(seed: int) -> str:
    """Give which engine a world has."""
    place = seed % 100
    return "real" if place < REAL_OF_100 else "desk" if place < REAL_OF_100 + DESK_OF_100 else "fake"


def run_world(
    seed: int, sabotage: frozenset[Sabotage] = SOUND, kind: str | None = None
) -> tuple[list[str], Counter[str]]:
    """Run one world; give what it broke, and what struck it."""
    loop = VirtualLoop()
    world = World(seed, kind or kind_of(seed), loop, sabotage)
    try:
        loop.run_until_complete(world.run())
        found = faults_of(world)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it has a seed
        found = [f"{type(exc).__name__}: {exc}"]
    finally:
        for worker in list(world.workers):
            world.kill(worker)
        loop.run_until_complete(_nothing())
        loop.close()
    world.counted[f"worlds: {world.material.kind}"] += 1
    world.counted.update({"fenced": world.broker.fenced, "dead letters": len(world.letters)})
    world.counted["records again"] += sum(record.fate == REPEAT for record in world.feed)
    for gateway in world.gateways.values():
        world.counted.update({f"gateway {name}": count for name, count in gateway.drawn.items()})
    return found, world.counted


async def _nothing() -> None:
    """Let cancelled tasks end."""


def _run_chunk(seeds: Sequence[int]) -> tuple[list[Failure], Counter[str]]:
    logging.disable(logging.CRITICAL)
    failures, counted = [], Counter[str]()
    for seed in seeds:
        lines, struck = run_world(seed)
        counted += struck
        if lines:
            failures.append(Failure(seed, tuple(lines)))
    return failures, counted


def run_worlds(first: int, count: int, *, processes: int | None = None) -> tuple[list[Failure], Counter[str]]:
    """Run `count` worlds from seed `first` on over all cores; give those that failed, and what struck."""
    chunks = [range(n, min(n + CHUNK, first + count)) for n in range(first, first + count, CHUNK)]
    failures, counted = [], Counter[str]()
    for failed, struck in _results(chunks, processes or os.cpu_count() or 1):
        failures += failed
        counted += struck
    return failures, counted


def _results(chunks: list[range], processes: int) -> Iterator[tuple[list[Failure], Counter[str]]]:
    if processes == 1 or len(chunks) == 1:
        yield from map(_run_chunk, chunks)
        return
    # Not forked: the parent may have threads, and each process loads the definitions once anyway.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_run_chunk, chunks)


def main(arguments: Sequence[str]) -> int:
    """Run worlds as asked; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    failures, counted = run_worlds(given.seed, given.worlds, processes=given.processes)
    for failure in failures[:MOST_SHOWN]:
        print(failure, file=sys.stderr)  # noqa: T201 - what the command is for
    seconds = time.monotonic() - began
    spent_s = sum(os.times()[:4])  # of the processes too, once they have ended
    figures = {
        "worlds": given.worlds, "failed": len(failures), "seconds": round(seconds, 1),
        "cpu_ms_per_world": round(spent_s / given.worlds * 1000, 1), **counted,
    }  # fmt: skip
    print(json.dumps(dict(sorted(figures.items())), ensure_ascii=False, indent=1))  # noqa: T201 - the same
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
