"""Debezium's connectors for MySQL and MariaDB (Debezium documentation, "MySQL connector", "MariaDB connector").

What no setting here can show belongs to the server: binlog_format=ROW, binlog_row_image=FULL, no
binlog_row_value_options=PARTIAL_JSON, and a binlog kept for longer than the longest stop.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from connectors.debezium.base import Check, Flag, OrReference, Trap, Whole, traps_of
from connectors.debezium.history import WithHistory


class MySql(WithHistory):
    """Their settings. A "schema" of ours is a database here."""

    database_hostname: str
    database_port: Whole = 3306
    database_user: str
    database_server_id: Annotated[int, Field(ge=1, le=4_294_967_295), OrReference] | None = None
    bigint_unsigned_handling_mode: Annotated[Literal["long", "precise"], OrReference] = "long"
    include_schema_changes: Flag = True
    snapshot_locking_mode: str = "minimal"

    def traps(self) -> Iterator[Trap]:
        """Give the traps of all connectors and those of these two."""
        yield from super().traps()
        yield from traps_of(self, _CHECKS)

    def unique(self) -> Iterator[tuple[str, str]]:
        """Give what no two connectors may share: to the server each is a replica with a number."""
        yield from super().unique()
        if self.database_server_id is not None:
            yield "database.server.id", f"{self.database_server_id} at {self.database_hostname}:{self.database_port}"


class MariaDb(MySql):
    """MariaDB's connector has MySQL's settings."""


_CHECKS: tuple[Check[MySql], ...] = (
    Check(
        "server-id", "database.server.id", lambda m: m.database_server_id is None,
        "without a number of its own the connector draws one, and two replicas with the same throw each other out",
    ),
    Check(
        "unsigned", "bigint.unsigned.handling.mode", lambda m: m.bigint_unsigned_handling_mode == "long",
        "BIGINT UNSIGNED above 2^63 turns negative without a word; set precise, with value.converter.schemas.enable",
    ),
    Check(
        "unsigned", "bigint.unsigned.handling.mode",
        lambda m: m.bigint_unsigned_handling_mode == "precise" and m.has_no_schema,
        "without a schema a precise number is the base64 text of its bytes, decimal.handling.mode or not; "
        "set value.converter.schemas.enable",
    ),
    Check(
        "snapshot-locks", "snapshot.locking.mode", lambda m: m.snapshot_locking_mode == "extended",
        "holds the global read lock for the whole snapshot: nobody can write meanwhile; minimal is enough",
    ),
)  # fmt: skip
