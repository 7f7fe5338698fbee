"""Web services into captured tables: endpoints that are asked (pull), and one that others call (push).

A door of its own: loading it costs what only the commands for web services need.
"""

from connectors.web.cursors import Cursors
from connectors.web.endpoint import BadAnswer
from connectors.web.pull import Pull, Pulled, wait_after
from connectors.web.pull_models import seconds
from connectors.web.pulls import PullFile, load_pulls
from connectors.web.push import Push
from connectors.web.rate import Rate
from connectors.web.repeats import Repeats
from connectors.web.rows import FieldFault

__all__ = [
    "BadAnswer",
    "Cursors",
    "FieldFault",
    "Pull",
    "PullFile",
    "Pulled",
    "Push",
    "Rate",
    "Repeats",
    "load_pulls",
    "seconds",
    "wait_after",
]
