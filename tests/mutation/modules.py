"""Which files have mutants, and which of them changed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.definition_mutants import FOLDER, definition_files

JUDGING = (
    "rules/arithmetic.py", "rules/calendar_overlay.py", "rules/compiler.py", "rules/durations.py",
    "rules/reconciliation.py", "rules/reference.py", "rules/routing.py", "rules/state.py", "rules/workdays.py",
)  # fmt: skip
"""What the engine reckons with, besides `rules/engine` itself. The rest of the room reads, checks, draws and compares
definitions: its faults are refusals or pictures, not judgements."""
RECENT_H = 12
"""How far back "changed" reaches where nothing is ahead of the published branch: about one sitting's commits."""


class UnknownModule(ValueError):
    """A name that is no file with mutants."""


def all_modules(root: Path) -> list[str]:
    """Give the Python files with mutants, as paths from the root."""
    engine = [path for path in (root / "rules" / "engine").rglob("*.py") if path.name != "__init__.py"]
    return sorted([*JUDGING, *(str(path.relative_to(root)) for path in engine)])


def chosen_files(root: Path, names: Sequence[str]) -> list[str]:
    """Give the files that names stand for: paths, ends of paths (`deadlines.py`), module names, `definitions`."""
    known = [*all_modules(root), *definition_files(root)]
    found: list[str] = []
    for name in names:
        asked = name.replace(".", "/") + ".py" if "/" not in name and not name.endswith((".py", ".yaml")) else name
        wanted = FOLDER if name == "definitions" else asked
        fits = [
            each for each in known if each == wanted or each.startswith(f"{wanted}/") or each.endswith(f"/{wanted}")
        ]
        if not fits:
            raise UnknownModule(f"no file with mutants is called {name!r}; known are {', '.join(known)}")
        found += [each for each in fits if each not in found]
    return found


def changed_files(root: Path, base: str | None) -> tuple[list[str], str]:
    """Give the files with mutants that changed, and since what.

    Against `base`; else against where this branch left the published one; else, on the published branch itself, those
    that the commits of the last hours touched. What is not committed yet has changed, too.
    """
    known = [*all_modules(root), *definition_files(root)]
    head = _git(root, "rev-parse", "HEAD")
    start = base or _git(root, "merge-base", "HEAD", "origin/main") or _git(root, "merge-base", "HEAD", "main")
    if start and (base or start != head):
        listed, since = _git(root, "diff", "--name-only", start), f"since {start[:12]}"
    else:
        begin = int(_git(root, "log", "-1", "--format=%ct") or 0) - RECENT_H * 3600
        committed = _git(root, "log", f"--since={begin}", "--name-only", "--format=")
        listed = f"{committed}\n{_git(root, 'diff', '--name-only', 'HEAD')}"
        since = f"in the {RECENT_H} hours before the last commit"
    touched = set(listed.split())
    return [each for each in known if each in touched], since


def _git(root: Path, *arguments: str) -> str:
    """Ask git; "" if it knows no answer."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
