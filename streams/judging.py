"""One partition of the tracking agent and the rules that it judges by.

Between two batches a partition goes over to a set that came into effect, at the same moment of its own clock as every
other partition: what arrived or fell due up to then is judged by the set before, whenever that is read.
"""

import logging
import time
from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter

import msgspec

from rules import Partition, Step
from schemas import Change
from streams.definitions import RuleBook

log = logging.getLogger("stagewatch.judging")

TAKE_UP = 100
"""Instances judged by new rules at a time: some 2 ms."""
TAKE_UP_S = 0.02
"""How long a partition judges by new rules before others have their turn, twenty times a second and with each batch."""
_by_time = attrgetter("at")


class Judging:
    """The engine of one partition, now this set's, now another's."""

    def __init__(self, book: RuleBook, number: int) -> None:
        """Make a partition without state: it begins with the set that is in effect."""
        self._book, self._number = book, number
        self.engine = book.newest
        self.partition: Partition = self.engine.new_partition(number)
        self._taken: int | None = None

    def resume(self) -> None:
        """Go on with the rules that the state was judged by, and with taking them up if that was under way."""
        book, mark, partition = self._book, self.partition.rules, self.partition
        known = book.engine(mark.serial)
        if known is None:
            log.error("rules %d, by which partition %d was judged, are not in the topic any more: it is judged anew "
                      "by those in effect", mark.serial, self._number)  # fmt: skip
        self.engine = engine = known or book.newest
        if mark.before >= 0:
            engine.take_up(partition, book.engine(mark.before) or engine)
        elif known is None or (mark.digest and mark.serial == 0 and mark.digest != engine.definitions.digest):
            engine.take_up(partition, engine)  # the folders hold other rules than before
        else:
            partition.rules = msgspec.structs.replace(mark, digest=engine.definitions.digest)
            book.judges_by(self._number, mark.serial)

    def new_step(self) -> Step:
        """Give an empty step."""
        return Step(grids=self.engine.definitions.thresholds.grids)

    # -- work

    def apply(self, changes: Sequence[Change], step: Step) -> None:
        """Judge changes, those that came after other rules came into effect by them."""
        following = self._book.following(self.partition.rules.serial)
        if following is None or changes[-1].at <= following[0]:
            self.engine.apply(self.partition, changes, step)
            return
        first = bisect_right(changes, following[0], key=_by_time)
        if first:
            self.engine.apply(self.partition, changes[:first], step)
        self._switch(*following, step)
        self.apply(changes[first:], step)

    def advance(self, until: int, step: Step) -> None:
        """Let the clock run, through the moment at which other rules came into effect."""
        following = self._book.following(self.partition.rules.serial)
        if following is not None and following[0] <= until:
            self._switch(*following, step)
            self.advance(until, step)
            return
        self.engine.advance(self.partition, until, step)

    def _switch(self, at: int, serial: int, step: Step) -> None:
        """Begin to judge by a set that came into effect at `at`: what was due by then is judged by the one before."""
        before, partition = self.engine, self.partition
        before.advance(partition, at, step)
        while before.carry_on(partition, step, limit=TAKE_UP):  # one change after the other
            pass
        self.engine = self._book.engine(serial) or before
        step.grids = self.engine.definitions.thresholds.grids
        self.engine.take_up(partition, before)

    def is_due(self, now: int) -> bool:
        """Other rules came into effect by `now`, or are being taken up."""
        following = self._book.following(self.partition.rules.serial)
        return self.is_under_way() or (following is not None and following[0] <= now)

    def is_under_way(self) -> bool:
        """Rules are being taken up."""
        return self.partition.take_up is not None

    def carry_on(self, step: Step) -> None:
        """Judge more instances by new rules, for as long as others can wait."""
        until = time.monotonic() + TAKE_UP_S
        while self.engine.carry_on(self.partition, step, limit=TAKE_UP) and time.monotonic() < until:
            pass

    # -- what is committed

    def taken(self) -> None:
        """What there is now goes into a transaction."""
        self._taken = None if self.is_under_way() else self.partition.rules.serial

    def committed(self) -> None:
        """It is durable."""
        if self._taken is not None:
            self._book.judges_by(self._number, self._taken)
