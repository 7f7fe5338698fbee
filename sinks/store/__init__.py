"""The read model: what the command line and the desk ask, never what a decision rests on."""

from sinks.store.database import Store, StoreSettingError
from sinks.store.rows import AlertEventRow, AlertRow, IndicatorRow, InstanceRow, NotificationRow, StoreBatch
from sinks.store.schema import StoreVersionError

__all__ = [
    "AlertEventRow",
    "AlertRow",
    "IndicatorRow",
    "InstanceRow",
    "NotificationRow",
    "Store",
    "StoreBatch",
    "StoreSettingError",
    "StoreVersionError",
]
