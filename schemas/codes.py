"""Code lists: a source's codes to the standard ones, each meaning with the days on which it holds.

Compiled by `connectors` from source files, applied by `schemas.table` while a row is decoded. A code without a
meaning is kept as it came and counted; it is a finding, never a refusal (contract, section 9).
"""

from collections.abc import Callable

import msgspec

from schemas.change import Value


class CodeMeaning(msgspec.Struct, frozen=True):
    """One meaning of a source's code."""

    code: str
    """The standard code."""
    valid_from: int | None = None
    """Epoch ms; None: it always was."""
    valid_to: int | None = None
    """Epoch ms, exclusive; None: it still is."""


class CodeList(msgspec.Struct, frozen=True):
    """One list as one source writes it."""

    name: str
    standard: dict[str, str]
    """Standard code to its name."""
    meanings: dict[str, tuple[CodeMeaning, ...]]
    """The source's code to its meanings, in order of time. Empty: the source writes standard codes."""

    def meaning(self, code: str, at: int | None = None) -> str | None:
        """Give the standard code that `code` meant at `at` (epoch ms); None if it means nothing.

        Without a time: the latest meaning, also if it has ended, so that old codes of history still answer.
        A standard code means itself.
        """
        found = self.meanings.get(code, ())
        if at is None:
            return found[-1].code if found else self._itself(code)
        for each in found:
            if (each.valid_from is None or each.valid_from <= at) and (each.valid_to is None or at < each.valid_to):
                return each.code
        return self._itself(code)

    def sources_code(self, standard: str, at: int | None = None) -> str | None:
        """Give how the source wrote a standard code at `at`; without a time, how it writes it now.

        For those who still ask by old codes; None if the source has none for it.
        """
        held = [
            (each.valid_to is None, each.valid_to or 0, code)
            for code, meanings in self.meanings.items()
            for each in meanings
            if each.code == standard
            and (at is None or ((each.valid_from or at) <= at and (each.valid_to is None or at < each.valid_to)))
        ]
        return max(held)[2] if held else self._itself(standard)

    def _itself(self, code: str) -> str | None:
        return code if code in self.standard else None

    def reader(self, to_text: Callable[[object], str], count: Callable[[], None]) -> Callable[[object], Value]:
        """Give what makes a standard code of a raw value, by the present meanings; `count` is told of unknown ones."""
        known = {code: code for code in self.standard}
        known |= {code: meanings[-1].code for code, meanings in self.meanings.items()}

        def read(value: object) -> Value:
            text = value if type(value) is str else to_text(value)
            found = known.get(text)
            if found is None:
                count()
                return text
            return found

        return read
