"""The errors that rooms hand to one another, sorted by what the catcher does next.

`BadInput`: dead letter, go on. `TryLater`: the same call again after a delay.
`Broken`: our own fault or a lost guarantee; stop the process, a supervisor starts it again.
Messages are for the person on call: they name the place, never a secret or a phone number.
"""


class StagewatchError(Exception):
    """Root of all errors that this project raises on purpose."""


class BadInput(StagewatchError):
    """A record that can never be understood. `reason` is a bounded word for metrics and dead letters."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class TryLater(StagewatchError):
    """The other side is not ready; call again after `delay_s` seconds."""

    def __init__(self, detail: str, delay_s: float = 1.0) -> None:
        super().__init__(detail)
        self.delay_s = delay_s


class Broken(StagewatchError):
    """State and log disagree, or a transaction failed: memory must not survive this process."""


class DefinitionError(StagewatchError):
    """Faults in our own YAML files; `faults` lists every one with its place."""

    def __init__(self, faults: "list[Fault]") -> None:
        super().__init__("\n".join(str(f) for f in faults))
        self.faults = faults


class Fault:
    """One fault of a definition file: `file:line:col: message` (line and column count from 1)."""

    __slots__ = ("column", "file", "line", "message")

    def __init__(self, file: str, line: int, column: int, message: str) -> None:
        self.file, self.line, self.column, self.message = file, line, column, message

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"
