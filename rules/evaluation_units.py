"""The tree of units that sums climb: the table of units where a unit is in it, else its code's beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Units:
    """Which unit stands above which."""

    def __init__(self, levels: Sequence[int], parents: Mapping[str, str | None] | None = None) -> None:
        """`levels`: lengths of codes from the top down. `parents`: by unit the one above it, None for the top."""
        self._levels = sorted(levels, reverse=True)
        self._parents = parents or {}
        self._chains: dict[str, tuple[str, ...]] = {}

    def parent(self, org_no: str) -> str | None:
        """Give the unit above one; None at the top, and above an empty code."""
        if org_no in self._parents:
            return self._parents[org_no] or None
        return next((org_no[:length] for length in self._levels if length < len(org_no)), None)

    def chain(self, org_no: str) -> tuple[str, ...]:
        """Give a unit and those above it, the top last; a circle in the table ends where it closes."""
        if org_no not in self._chains:
            chain = [org_no]
            while (above := self.parent(chain[-1])) is not None and above not in chain:
                chain.append(above)
            self._chains[org_no] = tuple(chain)
        return self._chains[org_no]
