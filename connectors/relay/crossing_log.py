"""Every hand-over with its number, its times and its acknowledgement, as rows of the exchange log (`xchg.xchg_log`).

So the same engine that watches applications sees a crossing that lags (R-T24): an entry without `ack_at`.
"""

from collections.abc import Callable

from connectors.landing import Landing
from connectors.relay.receiver import Applied
from connectors.relay.sender import Acked, Pending
from schemas import Columns, Origin, RowForm, TableMapping, iso


class CrossingLog:
    """Writes the rows of one channel at one side."""

    def __init__(
        self, channel: str, mapping: TableMapping, landing: Landing, *, ends: tuple[str, str],
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        """`ends`: the names of the sending and the receiving network; `clock`: epoch seconds, of this side."""
        self._channel, self._form, self._landing, self._ends = channel, RowForm(mapping), landing, ends
        self._clock, self._told_at = clock, 0
        landing.make_topic(mapping.topic, None)

    def waiting(self, batch: Pending) -> None:
        """Say that a batch is on its way."""
        row = self._row(batch, "resent" if batch.tries > 1 else "sent")
        self._put(row)

    def done(self, batch: Acked | Applied) -> None:
        """Say that a batch has been applied."""
        at = batch.acked_at if isinstance(batch, Acked) else batch.received_at
        self._put({**self._row(batch, "acked"), "ack_at": iso(at)})

    def _row(self, batch: Pending | Acked | Applied, state: str) -> Columns:
        return {
            "msg_no": f"{self._channel}-{batch.epoch}-{batch.number}", "table": self._channel,
            "from_sys": self._ends[0], "to_sys": self._ends[1],
            "rows": batch.rows, "sent_at": iso(batch.entered_at), "state": state,
        }  # fmt: skip

    def _put(self, row: Columns) -> None:
        if not row["rows"]:
            return  # a sign of life is no hand-over
        # By this side's own clock, and never twice the same: the times inside are of two clocks, and a row that is
        # not newer than the one before it would count as a repeat.
        src_ts = self._told_at = max(int(self._clock() * 1000), self._told_at + 1)
        origin = Origin(connector="stagewatch-relay", src="web", src_ts=src_ts, batch=self._channel)
        topic = self._form.mapping.topic
        self._landing.put(topic, self._form.key(row), self._form.record("u", row, origin), origin.headers)
