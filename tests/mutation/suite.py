"""The fast tests as a thing to run parts of: what each takes, what it touches, and a run of some in a forked child."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest
from hypothesis import Phase, settings

from tests.mutation.forks import KILLED, SURVIVED

TESTS = (
    "tests/unit/rules",
    "tests/property/test_arithmetic.py",
    "tests/property/test_calendar.py",
    "tests/property/test_engine.py",
)
"""What is to find the mutants: all that speaks with the rules room and nothing else ..."""
NOT_OF_JUDGING = (
    "cascade", "coverage", "draw", "evaluation", "fitting", "flow", "flow_oracle", "golden", "hostile_replay", "impact",
    "loader", "testing", "versions",
)  # fmt: skip
"""... but for the tests of how definitions are read, checked, drawn and published."""
ENOUGH_S = 2.0
"""CPU seconds of tests that a mutant has to survive, the quickest first: what lives through hundreds of quick tests
that run its line is seldom found by the slow ones, which take longer than all the quick ones together."""
FLOOR_CPU_S, TIMES_AS_LONG = 1.0, 10
"""With a mutant a test may take ten times as long as without, and a second for what it does not do without."""
ANY_S = 60.0
"""What a test may take that was never run before."""
OPTIONS = (
    *(f"--ignore=tests/unit/rules/test_{name}.py" for name in NOT_OF_JUDGING),
    *("-q", "-x", "--tb=no", "-p", "no:cacheprovider", "-p", "no:terminalreporter", "-o", "timeout=0"),
)
PROFILE = "mutants"

# A law is broken by the first example that breaks it: no smaller one is looked for. The same examples every time.
settings.register_profile(
    PROFILE, deadline=None, derandomize=True, database=None, max_examples=15, phases=(Phase.explicit, Phase.generate)
)


@dataclass(frozen=True, slots=True)
class Known:
    """What a run without a mutant shows."""

    seconds: dict[str, float]
    """CPU seconds by test, its setup included."""
    touched: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """By module and line, the tests that run it; "": while the tests were collected or warmed up."""


class _Collected:
    """A pytest plugin that hands the collected tests to a function instead of running them."""

    def __init__(self, then: Callable[[pytest.Session], None]) -> None:
        self._then = then
        self.has_run = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.has_run = True
        self._then(session)
        return True


class _Failures:
    """Counts what went wrong."""

    def __init__(self) -> None:
        self.count = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.count += report.failed


def collect(tests: Sequence[str], then: Callable[[pytest.Session], None]) -> bool:
    """Collect tests, warm up, and hand them over; False if they could not even be collected."""
    os.environ["HYPOTHESIS_PROFILE"] = PROFILE
    plugin = _Collected(then)
    pytest.main([*OPTIONS, *tests], plugins=[plugin])
    return plugin.has_run


def warm_up() -> None:
    """Compile the shipped definitions once for all tests. The lines that this runs are known as run beforehand."""
    from tests.helpers.builders import shipped  # noqa: PLC0415 - imports the rules

    shipped()


def run_items(session: pytest.Session, items: Sequence[pytest.Item], seconds: Mapping[str, float]) -> int:
    """Run some of the collected tests up to the first that fails; give the exit code of a child.

    A test that takes far more CPU time than its `seconds` ends the process: it would not end by itself.
    """
    failures = _Failures()
    session.config.pluginmanager.register(failures)
    for item, following in zip(items, [*items[1:], None], strict=True):
        signal.setitimer(signal.ITIMER_VIRTUAL, FLOOR_CPU_S + TIMES_AS_LONG * seconds.get(item.nodeid, ANY_S))
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if failures.count:
            return KILLED
    return SURVIVED


def learn(root: Path, modules: Sequence[str], out: Path) -> None:
    """Run all tests and write down what `Known` holds. Runs in a child: `coverage` must see the first import."""
    cov = coverage.Coverage(data_file=None, include=[str(root / module) for module in modules])
    seconds: dict[str, float] = {}

    class Timed:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
            cov.switch_context(item.nodeid)
            started = time.process_time()
            try:
                return (yield)
            finally:
                seconds[item.nodeid] = time.process_time() - started

    def then(session: pytest.Session) -> None:
        warm_up()
        session.config.pluginmanager.register(Timed())
        if run_items(session, session.items, {}) != SURVIVED:
            raise SystemExit("the tests fail without any mutant: mend them first (make check)")

    cov.start()
    was_collected = collect(TESTS, then)
    cov.stop()
    if was_collected:
        data = cov.get_data()
        touched = {module: data.contexts_by_lineno(str(root / module)) for module in modules}
        out.write_text(json.dumps({"seconds": seconds, "touched": touched}))


def read_known(path: Path) -> Known:
    """Read what `learn` wrote."""
    data = json.loads(path.read_text())
    touched = {module: {int(line): tests for line, tests in lines.items()} for module, lines in data["touched"].items()}
    return Known(data["seconds"], touched)


class Choice:
    """Which tests may find a mutant: those that run its line, the quickest first."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._of_module = {
            module: self._sorted({test for tests in lines.values() for test in tests})
            for module, lines in known.touched.items()
        }

    def of_lines(self, module: str, spans: Sequence[tuple[int, int]]) -> tuple[list[str], bool]:
        """Give the tests that run lines of the first span that any runs, and whether it was run beforehand, too."""
        lines = self._known.touched.get(module, {})
        for first, last in spans:
            tests = {test for line in range(first, last + 1) for test in lines.get(line, ())}
            if tests:
                return self._sorted(tests), "" in tests
        return [], False

    def enough(self, tests: list[str]) -> list[str]:
        """Give the first of the tests, up to those that are enough; at least two."""
        total = 0.0
        for index, test in enumerate(tests):
            total += self._known.seconds[test]
            if total > ENOUGH_S and index > 1:
                return tests[:index]
        return tests

    def of_module(self, module: str) -> list[str]:
        """Give all tests that run anything of a module."""
        return self._of_module.get(module, [])

    def seconds(self, tests: Sequence[str]) -> float:
        """Give what the tests take together."""
        return sum(self._known.seconds[test] for test in tests)

    def _sorted(self, tests: set[str]) -> list[str]:
        return sorted(tests - {""}, key=lambda test: (self._known.seconds[test], test))


def by_name(session: pytest.Session) -> dict[str, pytest.Item]:
    """Give the collected tests by their names."""
    return {item.nodeid: item for item in session.items}


def named(items: dict[str, pytest.Item], tests: Sequence[str]) -> Iterator[pytest.Item]:
    """Give those of the names."""
    return (items[test] for test in tests if test in items)
