"""The three ways in which mutants are run: in the live process, after a fresh import, and as changed definitions."""

from __future__ import annotations

import ast
import gc
import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.mutation import suite
from tests.mutation.exchange import ChangedModule, exchange, live_functions
from tests.mutation.forks import KILLED, REFUSED, SURVIVED, run_all, silence
from tests.mutation.mutant import Mutant, Outcome

if TYPE_CHECKING:
    from rules.compiler import CompiledProcess
    from rules.loader import DefinitionSet, LoadedFile
    from rules.workdays import WorkCalendar

CPU_S = 60
"""What a mutant may take in all; each test has a limit of its own (`suite.run_items`)."""
DEFINITION_CPU_S = 20
"""What a mutant of a definition may take: all `tests:` of all definitions take about one."""
LEARNING_SHARE = 2 / 3
"""Of a budget: were it longer, too few mutants could be tried to tell anything."""
SOONEST_S = 0.001
"""A timer of no time at all would never go off."""
OUTCOMES: dict[int, Outcome] = {SURVIVED: "survived", REFUSED: "refused"}
"""Any other end of a child is a kill: a failed test, an error, a signal because it did not end."""
Told = Iterator[tuple[int, Outcome]]


@dataclass(frozen=True, slots=True)
class Job:
    """A mutant by its number, and the tests that may find it."""

    number: int
    tests: list[str]
    """The quickest first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who runs what: `live` in the running process, `fresh` after a fresh import; the others no test touches."""

    live: list[Job]
    fresh: list[Job]
    uncovered: list[int]
    seconds: Mapping[str, float]
    """CPU seconds by test, without a mutant."""


class OutOfTime(Exception):
    """Learning took longer than it may."""


def learn(root: Path, modules: Sequence[str], until: float) -> suite.Known | None:
    """Run the tests without a mutant, in a child; None if they fail. Raises OutOfTime.

    `until` (`time.monotonic()`) is the end of the budget, of which learning takes no more than its share.
    """
    now = time.monotonic()
    with TemporaryDirectory() as folder:
        out = Path(folder) / "known.json"
        if not in_child(lambda: suite.learn(root, modules, out), seconds=(until - now) * LEARNING_SHARE):
            raise OutOfTime
        return suite.read_known(out) if out.exists() else None


def in_child(run: Callable[[], None], *, seconds: float) -> bool:
    """Run something in a forked child and wait for it; its imports are gone with it. False: it was ended after that."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, max(seconds, SOONEST_S))
            silence()
            run()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != -signal.SIGALRM


def plan(mutants: Mapping[int, Mutant], known: suite.Known) -> Plan:
    """Say for each mutant of Python how it is run, and by which tests."""
    choice = suite.Choice(known)
    found = Plan([], [], [], known.seconds)
    for number, mutant in mutants.items():
        tests, was_run_before = choice.of_lines(mutant.module, (mutant.lines, mutant.statement))
        is_live = mutant.is_live and not was_run_before
        if not tests and (was_run_before or not mutant.is_live):
            tests = choice.of_module(mutant.module)
        if tests:
            tests = choice.enough(tests)
            (found.live if is_live else found.fresh).append(Job(number, tests))
        else:
            found.uncovered.append(number)
    return found


def run_live(
    root: Path, trees: Mapping[str, ast.Module], mutants: Mapping[int, Mutant], plan: Plan, *,
    workers: int, until: float,
) -> Told:  # fmt: skip
    """Run mutants of functions: the tests are collected once, each child has other code in one function."""

    def then(session: pytest.Session, tell: Callable[[int, int], None]) -> None:
        suite.warm_up()
        functions, items = live_functions(root), suite.by_name(session)
        gc.collect()
        gc.freeze()  # what is there stays shared between the children: no collection touches it

        def run(job: Job) -> int:
            mutant = mutants[job.number]
            mutant.make()
            exchange(trees[mutant.module], str(root / mutant.module), functions)
            return suite.run_items(session, list(suite.named(items, job.tests)), plan.seconds)

        for job, code in run_all(plan.live, run, workers=workers, cpu_s=CPU_S, until=until):
            tell(job.number, code)

    return _told_by(lambda tell: suite.collect(suite.TESTS, lambda session: then(session, tell)))


def run_fresh(
    root: Path, trees: Mapping[str, ast.Module], mutants: Mapping[int, Mutant], plan: Plan, *,
    workers: int, until: float,
) -> Told:  # fmt: skip
    """Run mutants of what is done at import: each is a child that imports the changed module and collects anew."""

    def run(job: Job) -> int:
        mutant = mutants[job.number]
        mutant.make()
        name = mutant.module.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        ChangedModule(name, str(root / mutant.module), trees[mutant.module]).install()
        codes: list[int] = []
        files = sorted({test.partition("::")[0] for test in job.tests})

        def then(session: pytest.Session) -> None:
            items = suite.by_name(session)
            codes.append(suite.run_items(session, list(suite.named(items, job.tests)), plan.seconds))

        suite.collect(files, then)
        return codes[0] if codes else KILLED

    for job, code in run_all(plan.fresh, run, workers=workers, cpu_s=CPU_S, until=until):
        yield job.number, OUTCOMES.get(code, "killed")


def run_definitions(root: Path, mutants: Mapping[int, Mutant], *, workers: int, until: float) -> Told:
    """Run mutants of definitions: each child reads the changed file beside the others and asks who notices.

    First the catalogue, then the file's own `tests:`, then those of all others, up to the first that fails.
    """

    def work(tell: Callable[[int, int], None]) -> None:
        from rules.loader import DefinitionSet, fit, read_definitions, read_text  # noqa: PLC0415 - only in the child
        from tests.helpers.catalogue import catalogue_faults  # noqa: PLC0415
        from tests.mutation.definition_mutants import FOLDER  # noqa: PLC0415

        base = read_definitions([root / FOLDER])
        gc.collect()
        gc.freeze()

        def run(number: int) -> int:
            mutant = mutants[number]
            changed = DefinitionSet(list(base.files))
            own = read_text(str(mutant.make()).encode(), str(root / mutant.module), changed)
            fit(changed)
            if own is None or changed.faults:
                return REFUSED
            if any(catalogue_faults([file.model for file in changed.files])):
                return KILLED
            files = [own, *(each for each in changed.files if each is not own)]
            return SURVIVED if _passes(changed, files) else KILLED

        for number, code in run_all(mutants, run, workers=workers, cpu_s=DEFINITION_CPU_S, until=until):
            tell(number, code)

    return _told_by(work)


def definitions_pass(root: Path) -> bool:
    """Tell whether the catalogue and the definitions' own tests pass without a mutant."""

    def run(_: int) -> int:
        from rules.loader import read_definitions  # noqa: PLC0415 - only in the child
        from tests.helpers.catalogue import catalogue_faults  # noqa: PLC0415
        from tests.mutation.definition_mutants import FOLDER  # noqa: PLC0415

        base = read_definitions([root / FOLDER])
        is_right = not base.faults and not any(catalogue_faults(file.model for file in base.files))
        return SURVIVED if is_right and _passes(base, base.files) else KILLED

    [(_, code)] = run_all([0], run, workers=1, cpu_s=CPU_S, until=math.inf)
    return code == SURVIVED


def _passes(loaded: DefinitionSet, files: Sequence[LoadedFile]) -> bool:
    """Tell whether the tests of the files pass, up to the first that fails."""
    from rules.testing import tests_run  # noqa: PLC0415 - only in the child

    _compile_once()
    return all(each.is_ok for each in tests_run(files, loaded))


def _compile_once() -> None:
    """Let the engines of a child's tests share what each would compile alike: two thirds of their time."""
    from rules.engine import contributions, judges  # noqa: PLC0415 - only in the child

    made: dict[int, tuple[object, contributions.Contributions]] = {}

    def once(process: CompiledProcess, calendar: WorkCalendar) -> contributions.Contributions:
        if id(process) not in made:  # the process is kept beside it: its id stays its own
            made[id(process)] = process, contributions.Contributions(process, calendar)
        return made[id(process)][1]

    setattr(judges, "Contributions", once)  # noqa: B010 - this child's alone


def _told_by(work: Callable[[Callable[[int, int], None]], object]) -> Told:
    """Run `work` in a child that tells the outcomes one after the other, and give them as they come."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        silence()

        def tell(number: int, code: int) -> None:
            os.write(writing, f"{json.dumps([number, code])}\n".encode())

        code = 1
        try:
            work(tell)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as lines:
        for line in lines:
            number, code = json.loads(line)
            yield number, OUTCOMES.get(code, "killed")
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("the process that runs the mutants broke off")


def budget_shares(plan: Plan, definitions: int, until: float) -> tuple[float, float, float]:
    """Give until when definitions, live and fresh mutants may take, so that a budget cuts off as much of each."""
    weights = (definitions * 0.5, len(plan.live) * 0.2, len(plan.fresh) * 2.0)  # seconds that one takes about
    now, total = time.monotonic(), sum(weights) or 1.0
    first = now + (until - now) * weights[0] / total
    second = now + (until - now) * (weights[0] + weights[1]) / total
    return first, second, until
