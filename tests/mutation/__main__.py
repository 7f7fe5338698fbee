"""The command line of the mutation tests.

    python -m tests.mutation                              the engine and all definitions
    python -m tests.mutation --module deadlines.py        one file; `definitions` for all of those; may be repeated
    python -m tests.mutation --changed --budget 9m        what changed, as far as nine minutes go
    python -m tests.mutation --sample 600 --seed 1        600 of all, drawn by chance: an estimate with its interval

Progress goes to stderr, the report to stdout (`-o json`: one object). Exit 4 if fewer than 90 % of the mutants were
killed, if an explanation in `survivors.yaml` has no survivor any more or, with `--explained`, the other way round;
2 if misused. Any other exit code is a fault of this harness: 4 is the only one that CI passes over.
"""

import argparse
import ast
import os
import random
import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.mutation import engines
from tests.mutation.definition_mutants import definition_files, definition_mutants
from tests.mutation.modules import UnknownModule, all_modules, changed_files, chosen_files
from tests.mutation.mutant import Mutant, Result
from tests.mutation.python_mutants import mutants_of
from tests.mutation.report import WANTING, Limits, Report, write

ROOT = Path(__file__).resolve().parents[2]
SEED = 7
"""Mutants are tried in a shuffled order, the same each time without `--seed`, so that a budget leaves a fair sample."""
UNITS = {"s": 1, "m": 60, "h": 3600}
FOR_EVER_S = 24 * 3600
LINE_EVERY_S = 30
"""Where no bar can be drawn (a log), one line so often."""


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; give the exit code."""
    chosen = _parse(arguments)
    started = time.monotonic()
    try:
        files, since = _files(chosen)
    except UnknownModule as error:
        _say(str(error))
        return 2
    if not files:
        _say(f"no file with mutants changed {since}: nothing to do")
        return 0
    _say(f"{len(files)} files{f' that changed {since}' if since else ''}")
    until = started + (chosen.budget or FOR_EVER_S)
    found = _run(files, until, chosen)
    if found is None:
        _say("the tests fail without any mutant: mend them first (make check, stagewatch rules test)")
        return WANTING
    limits = Limits(chosen.least, chosen.explained)
    seconds = time.monotonic() - started
    report = Report(found, seconds=seconds, budget=chosen.budget, limits=limits, is_sample=chosen.sample is not None)
    write(report, as_json=chosen.output == "json")
    return report.exit_code


def _files(chosen: argparse.Namespace) -> tuple[list[str], str]:
    if chosen.changed is not None:
        return changed_files(ROOT, chosen.changed or None)
    if chosen.module:
        return chosen_files(ROOT, chosen.module), ""
    return [*all_modules(ROOT), *definition_files(ROOT)], ""


def _run(files: Sequence[str], until: float, chosen: argparse.Namespace) -> list[Result] | None:
    """Give what became of each mutant of the files, or of those drawn, or None if the tests fail without one."""
    trees, mutants = _mutants(files)
    order = list(range(len(mutants)))
    random.Random(chosen.seed).shuffle(order)
    in_order = {number: mutants[number] for number in order[: chosen.sample]}
    python = {number: each for number, each in in_order.items() if each.kind == "python"}
    definitions = {number: each for number, each in in_order.items() if each.kind == "definition"}
    if definitions and not engines.definitions_pass(ROOT):
        return None
    plan = engines.Plan([], [], [], {})
    if python:
        _say("learning which tests touch which lines")
        try:
            known = engines.learn(ROOT, sorted({each.module for each in python.values()}), until)
        except engines.OutOfTime:
            _say("learning took more than two thirds of the budget: no mutant of Python is tried")
        else:
            if known is None:
                return None
            plan = engines.plan(python, known)
    results = {number: Result(mutants[number], "not tried") for number in sorted(in_order)}
    for number in plan.uncovered:
        results[number].outcome = "uncovered"
    first, second, last = engines.budget_shares(plan, len(definitions), until)
    told = chain(
        engines.run_definitions(ROOT, definitions, workers=chosen.workers, until=first),
        engines.run_live(ROOT, trees, python, plan, workers=chosen.workers, until=second) if plan.live else (),
        engines.run_fresh(ROOT, trees, python, plan, workers=chosen.workers, until=last),
    )
    for number, outcome in _with_bar(told, len(in_order) - len(plan.uncovered)):
        results[number].outcome = outcome
    return list(results.values())


def _mutants(files: Sequence[str]) -> tuple[dict[str, ast.Module], list[Mutant]]:
    trees: dict[str, ast.Module] = {}
    mutants: list[Mutant] = []
    for file in files:
        if file.endswith(".py"):
            trees[file], found = mutants_of(ROOT, file)
            mutants += found
        else:
            mutants += definition_mutants(file, (ROOT / file).read_text(encoding="utf-8"))
    return trees, mutants


def _with_bar(told: engines.Told, total: int) -> engines.Told:
    counts: dict[str, int] = {}
    said = time.monotonic()
    columns = (TextColumn("mutants"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[counts]}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("mutants", total=total, counts="")
        for done, (number, outcome) in enumerate(told, 1):
            counts[outcome] = counts.get(outcome, 0) + 1
            words = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
            bar.update(task, advance=1, counts=words)
            if not sys.stderr.isatty() and time.monotonic() - said >= LINE_EVERY_S:
                said = time.monotonic()
                _say(f"{done} of {total} mutants: {words}")
            yield number, outcome


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="Do the tests find small faults?")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--module", action="append", help="only this file; may be repeated; `definitions`: all of those")
    what.add_argument("--changed", nargs="?", const="", metavar="BASE", help="only files that changed since a commit")
    parser.add_argument("--budget", type=_seconds, help="stop in time, such as 10m; the rest counts as not tried")
    parser.add_argument("--sample", type=_count, metavar="N", help="only N of them, drawn by chance")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the order in which they are tried; default {SEED}")
    parser.add_argument("--least", type=float, default=90.0, help="per cent to kill; default 90")
    parser.add_argument("--explained", action="store_true", help="every survivor needs an explanation, too")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="children at a time; default: one a core"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def _seconds(text: str) -> int:
    if not text[:-1].isdigit() or text[-1] not in UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 90s, 10m or 1h")
    return int(text[:-1]) * UNITS[text[-1]]


def _count(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of mutants, such as 600")
    return int(text)


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
