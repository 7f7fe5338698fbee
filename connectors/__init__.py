"""Where data enters: captured tables, declared.

The door of the room: other rooms import from here and not from the modules behind it.
"""

from connectors.dialect_models import DialectModel
from connectors.flow import existing_topics, read_flows
from connectors.gathering import Gathered, GatheredRow, gather
from connectors.health import (
    DATED_AHEAD,
    SourceHealth,
    State,
    TableHealth,
    TopicFlow,
    late_limit_ms,
    short_span,
    source_health,
)
from connectors.landing import Landing, sent_key, written_keys
from connectors.references import MissingSecret, Reference, secret_of
from connectors.relations import Matching, MatchRate, Relation, relations_of
from connectors.schema_registry import SchemaRegistry
from connectors.source_page import held, source_page
from connectors.source_tests import SourceTestResult, run_source_tests
from connectors.sources import (
    SHIPPED_SOURCES,
    SourceCatalog,
    SourceFile,
    check_source,
    load_sources,
    shipped_entities,
)

__all__ = [
    "DATED_AHEAD",
    "SHIPPED_SOURCES",
    "DialectModel",
    "Gathered",
    "GatheredRow",
    "Landing",
    "MatchRate",
    "Matching",
    "MissingSecret",
    "Reference",
    "Relation",
    "SchemaRegistry",
    "SourceCatalog",
    "SourceFile",
    "SourceHealth",
    "SourceTestResult",
    "State",
    "TableHealth",
    "TopicFlow",
    "check_source",
    "existing_topics",
    "gather",
    "held",
    "late_limit_ms",
    "load_sources",
    "read_flows",
    "relations_of",
    "run_source_tests",
    "secret_of",
    "sent_key",
    "shipped_entities",
    "short_span",
    "source_health",
    "source_page",
    "written_keys",
]
