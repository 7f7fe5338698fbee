"""How fast one carrier may be written to: its contract's rate, and its wish to be left alone. No clock of its own."""

from collections.abc import Callable

_LONGEST_PAUSE_S = 30.0
"""A gateway's queue empties within seconds; more would only make messages late."""


class Throttle:
    """A token bucket, and a pause that grows with every refusal for lack of room."""

    def __init__(self, rate: float, *, burst: float = 1, pause_s: float = 0.25, clock: Callable[[], float]) -> None:
        """`rate`: parts a second, 0 for no limit; `burst`: how many may leave at once; `clock`: seconds, monotonic.

        `pause_s`: how long nothing leaves after a flow-control answer; doubled at each further one.
        """
        self._rate, self._burst, self._clock = rate, max(burst, 1.0), clock
        self._first_pause_s = pause_s
        self._tokens, self._filled_at = self._burst, clock()
        self._pause_s, self._resumes_at = pause_s, 0.0
        self.refusals = 0
        """How often the carrier had no room."""

    def reserve(self) -> float:
        """Book one part's place; gives the seconds to wait before it is written. Book and wait in the same order."""
        now = self._clock()
        rest_s = max(self._resumes_at - now, 0.0)
        if not self._rate:
            return rest_s
        self._tokens = min(self._tokens + (now - self._filled_at) * self._rate, self._burst) - 1
        self._filled_at = now
        return max(rest_s, -self._tokens / self._rate)

    def busy(self) -> float:
        """The carrier had no room; gives the seconds for which nothing leaves.

        Of a whole window that is refused at once only the first makes the pause longer.
        """
        now = self._clock()
        self.refusals += 1
        if now >= self._resumes_at:
            self._resumes_at = now + self._pause_s
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        return self._resumes_at - now

    def taken(self) -> None:
        """The carrier took a part: its queue has room again."""
        if self._clock() >= self._resumes_at:
            self._pause_s = self._first_pause_s
