"""The Faust app that a worker runs in: what of Faust is used, and set otherwise than by default."""

from typing import Any

import faust
from faust.tables import TableManager

from streams.config import WorkerConfig

METADATA_MAX_AGE_MS = 10_000


class NoTables(TableManager):
    """Faust's manager of tables, of which there are none here: its own waits a second for them at every start."""

    async def on_start(self) -> None:
        """Say at once that all tables are known, which is what subscribing to topics waits for."""
        if not self.should_stop:
            self._tables_finalized.set()
            self._tables_registered.set()
            await self.recovery.start()


def make_app(config: WorkerConfig, client_id: str) -> Any:  # noqa: ANN401 - Faust carries no types
    """Make the app; by `client_id` the group's members are told apart."""
    return faust.App(
        config.application_id,
        broker=f"stagewatch://{config.servers.replace(',', ';stagewatch://')}",
        datadir=config.data_dir,
        web_enabled=False,
        broker_client_id=client_id,
        topic_disable_leader=True,
        topic_allow_declare=False,
        # No Faust tables, and still Faust's own assignor: without tables it is chosen only by
        # a standby count above 0. The other choice, round robin, does not keep topics co-partitioned.
        table_standby_replicas=1,
        TableManager=NoTables,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=config.session_timeout_s,
        broker_heartbeat_interval=config.session_timeout_s / 10,  # a rebalance is heard of with a heartbeat
        consumer_max_fetch_size=1 << 20,
        # A broker that has just come back may know no topics yet. A leader that asked it then assigns nothing to
        # anybody until it asks again, by default five minutes later.
        consumer_metadata_max_age_ms=METADATA_MAX_AGE_MS,
        stream_wait_empty=True,
    )
