"""Whether somebody answers for every district: districts without a manager, managers without a number (R-D07). Pure.

Judged over the reference data as they are known at a time; an alert about such a district would reach nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rules.reference import Fields, Reference


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A district, and why nobody can be told of it."""

    tg_no: str
    why: str


def uncovered(reference: Reference, districts: Iterable[str], at: int) -> Iterator[Uncovered]:
    """Give those of the districts of which nobody can be told at `at` (epoch ms), sorted by number."""
    for tg_no in sorted(set(districts)):
        if reference.get("tg", tg_no, at) is None:
            continue
        link = reference.get("tg_manager", tg_no, at)
        if link is None or not _holds(link, at) or not link.get("mgr_no"):
            yield Uncovered(tg_no, "no manager")
            continue
        manager = reference.get("customer_manager", str(link["mgr_no"]), at) or {}
        if not (link.get("mobile") or manager.get("mobile")):
            yield Uncovered(tg_no, f"manager {link['mgr_no']} without a mobile number")


def _holds(link: Fields, at: int) -> bool:
    begin, end = link.get("valid_from"), link.get("valid_to")
    return not (isinstance(begin, int) and begin > at) and not (isinstance(end, int) and end <= at)
