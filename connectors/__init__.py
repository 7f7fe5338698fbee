"""Where data enters: captured tables, declared.

The door of the room: other rooms import from here and not from the modules behind it.
"""

from connectors.source_tests import SourceTestResult, run_source_tests
from connectors.sources import (
    SHIPPED_SOURCES,
    SourceCatalog,
    SourceFile,
    check_source,
    load_sources,
)

__all__ = [
    "SHIPPED_SOURCES",
    "SourceCatalog",
    "SourceFile",
    "SourceTestResult",
    "check_source",
    "load_sources",
    "run_source_tests",
]
