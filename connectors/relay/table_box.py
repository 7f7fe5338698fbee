"""A database table between two networks: each side reads and writes rows of its direction, nothing else.

The only module outside the store that speaks SQL: this table is a road, not a store, and is the isolation device's.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from schemas import TryLater

NAME = "stagewatch_relay"


class TableBox:
    """One direction (`forward`, `back`) of one channel. The table is made if it is not there."""

    def __init__(self, url: str, channel: str, direction: str) -> None:
        self._engine: Engine = create_engine(url, pool_pre_ping=True)
        self._where = {"channel": channel, "direction": direction}
        self._table = Table(
            NAME, MetaData(),
            Column("channel", String(100), primary_key=True), Column("direction", String(10), primary_key=True),
            Column("number", BigInteger, primary_key=True), Column("is_bad", Integer, nullable=False),
            Column("data", LargeBinary, nullable=False),
        )  # fmt: skip
        with self._connected() as connection:
            self._table.create(connection, checkfirst=True)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise TryLater(f"the relay's table: {type(error).__name__}") from None

    def _of(self, number: int | None = None) -> list[ColumnElement[bool]]:
        columns = self._table.c
        found = [columns[name] == value for name, value in self._where.items()]
        return found if number is None else [*found, columns.number == number]

    def put(self, number: int, data: bytes) -> None:
        """Write the row anew."""
        with self._connected() as connection:
            connection.execute(delete(self._table).where(*self._of(number)))
            connection.execute(insert(self._table).values(number=number, is_bad=0, data=data, **self._where))

    def numbers(self) -> list[int]:
        """Give the numbers of the rows that can be trusted so far."""
        columns = self._table.c
        with self._connected() as connection:
            query = select(columns.number).where(*self._of(), columns.is_bad == 0).order_by(columns.number)
            return [int(number) for number in connection.execute(query).scalars()]

    def take(self, number: int) -> bytes | None:
        """Read the row."""
        with self._connected() as connection:
            found = connection.execute(select(self._table.c.data).where(*self._of(number))).scalar()
        return None if found is None else bytes(found)

    def drop(self, number: int) -> None:
        """Delete the row."""
        with self._connected() as connection:
            connection.execute(delete(self._table).where(*self._of(number)))

    def set_aside(self, number: int) -> None:
        """Mark the row."""
        with self._connected() as connection:
            connection.execute(update(self._table).where(*self._of(number)).values(is_bad=1))

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()
