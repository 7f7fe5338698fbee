"""Which columns of an instance's own row anything judges (hot path: most changes touch none of them)."""

from __future__ import annotations

from collections.abc import Mapping

from rules.compiler import CompiledProcess
from rules.engine.membership import ITEM
from rules.state import TIME_ENDS
from schemas import WireValue


class Watched:
    """Remembers them for each process and the columns that its rows have."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[frozenset[str], tuple[str, ...]]] = {}
        """By process as it stands (`id`; two versions of one may be at work): columns, and those that are judged."""

    def differ(self, process: CompiledProcess, old: Mapping[str, WireValue], new: Mapping[str, WireValue]) -> bool:
        """Tell whether a row of the same columns differs in one that anything judges; intervals apart."""
        known = self._known.get(id(process))
        if known is None or known[0] != new.keys():
            has_times, is_item = process.unknown_code is not None, process.entity == ITEM
            known = self._known[id(process)] = (
                frozenset(new),
                tuple(
                    name
                    for name in new
                    if name in process.watched or is_item or (has_times and name.endswith(TIME_ENDS))
                ),
            )
        return any(old[name] != new[name] for name in known[1]) if known[1] else False
