"""What a mutant is, whichever kind, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["python", "definition"]
Outcome = Literal["killed", "survived", "uncovered", "refused", "not tried"]
"""`uncovered`: no test touches it. `refused`: a definition that `stagewatch check` does not let in; it counts for
neither side."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small fault. `place`, `source` and `change` name it in `survivors.yaml`: none has a line number."""

    kind: Kind
    module: str
    """Path of the file, from the root of the project."""
    place: str
    """Qualified name of the function (`<module>` outside any), or the path in the definition."""
    line: int
    source: str
    """The line as it stands."""
    change: str
    make: Callable[[], object] = field(repr=False, compare=False)
    """Python: puts the fault into the module's syntax tree. Definition: gives the file's text with the fault."""
    lines: tuple[int, int] = (0, 0)
    """First and last line of the expression; those of the statement around it follow in `statement`."""
    statement: tuple[int, int] = (0, 0)
    is_live: bool = True
    """Inside a function, whose code can be exchanged in a running process; else the module is imported anew."""

    @property
    def title(self) -> str:
        """Say where it is and what was changed."""
        return f"{self.module}:{self.line} {self.place}: {self.change}   [{self.source}]"


@dataclass(slots=True)
class Result:
    """A mutant and what became of it."""

    mutant: Mutant
    outcome: Outcome
    explained: str | None = None
    """The reason in `survivors.yaml`, if it has one."""
