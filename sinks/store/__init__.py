"""The read model: what the command line and the desk ask, never what a decision rests on.

The database library is imported when the store itself is asked for: its third of a second is not for those who only
speak of rows, and a worker opens the store after it has begun to work.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sinks.store.rows import (
    AlertEventRow,
    AlertRow,
    Findings,
    IndicatorRow,
    InstanceRow,
    NotificationRow,
    StoreBatch,
    TaskRow,
)

if TYPE_CHECKING:
    from sinks.store.database import Store, StoreSettingError
    from sinks.store.schema import StoreVersionError

_LATE = {"Store": "database", "StoreSettingError": "database", "StoreVersionError": "schema"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute
    if name not in _LATE:
        raise AttributeError(f"module 'sinks.store' has no attribute '{name}'")
    return getattr(import_module(f"sinks.store.{_LATE[name]}"), name)


__all__ = [
    "AlertEventRow",
    "AlertRow",
    "Findings",
    "IndicatorRow",
    "InstanceRow",
    "NotificationRow",
    "Store",
    "StoreBatch",
    "StoreSettingError",
    "StoreVersionError",
    "TaskRow",
]
