"""Every hand-over with its number, its times and its acknowledgement, as rows of the exchange log (`xchg.xchg_log`).

So the same engine that watches applications sees a crossing that lags (R-T24): an entry without `ack_at`.
"""

from connectors.landing import Landing
from connectors.relay.receiver import Applied
from connectors.relay.sender import Acked, Pending
from schemas import Columns, Origin, RowForm, TableMapping, iso


class CrossingLog:
    """Writes the rows of one channel at one side."""

    def __init__(self, channel: str, mapping: TableMapping, landing: Landing, *, ends: tuple[str, str]) -> None:
        """`ends`: the names of the sending and the receiving network."""
        self._channel, self._form, self._landing, self._ends = channel, RowForm(mapping), landing, ends
        landing.make_topic(mapping.topic, None)

    def waiting(self, batch: Pending) -> None:
        """Say that a batch is on its way."""
        row = self._row(batch.number, batch.rows, batch.entered_at, "resent" if batch.tries > 1 else "sent")
        self._put(row, batch.sent_at)

    def done(self, batch: Acked | Applied) -> None:
        """Say that a batch has been applied."""
        at = batch.acked_at if isinstance(batch, Acked) else batch.received_at
        self._put({**self._row(batch.number, batch.rows, batch.entered_at, "acked"), "ack_at": iso(at)}, at)

    def _row(self, number: int, rows: int, entered_at: int, state: str) -> Columns:
        return {
            "msg_no": f"{self._channel}-{number}", "from_sys": self._ends[0], "to_sys": self._ends[1],
            "table": self._channel, "rows": rows, "sent_at": iso(entered_at), "state": state,
        }  # fmt: skip

    def _put(self, row: Columns, src_ts: int) -> None:
        if not row["rows"]:
            return  # a sign of life is no hand-over
        origin = Origin(connector="stagewatch-relay", src="web", src_ts=src_ts, batch=self._channel)
        topic = self._form.mapping.topic
        self._landing.put(topic, self._form.key(row), self._form.record("u", row, origin), origin.headers)
