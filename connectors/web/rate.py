"""How many rows a source may push in a second: a bucket that fills by the clock."""


class Rate:
    """Rows per second and source; short bursts of `burst_s` seconds' worth pass."""

    def __init__(self, rows_per_s: float, *, burst_s: float = 10.0) -> None:
        """`rows_per_s` 0: no limit."""
        self._rows_per_s, self._most = rows_per_s, rows_per_s * burst_s
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, source: str, rows: int, now_s: float) -> float:
        """Take so many; 0 if there were enough, else after how many seconds there are (and nothing was taken).

        A request of more than the whole bucket passes when the bucket is full, and leaves it in debt.
        """
        if not self._rows_per_s:
            return 0.0
        left, at = self._left.get(source, (self._most, now_s))
        left = min(self._most, left + max(0.0, now_s - at) * self._rows_per_s)
        wanted = min(float(rows), self._most)
        if left < wanted:
            self._left[source] = left, now_s
            return (wanted - left) / self._rows_per_s
        self._left[source] = left - rows, now_s
        return 0.0
