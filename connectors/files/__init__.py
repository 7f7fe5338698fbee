"""Files into captured tables: read, checked, written as one batch that can be taken back.

A door of its own: loading it costs what only the commands for files need.
"""

from connectors.files.batch import Batch, BatchRefused, Findings, Order, Written, file_hash
from connectors.files.folder import DONE, FAILED, Arrival, Arrivals, put_away
from connectors.files.intake import FileRow, Titles
from connectors.files.journal import FOLDER, BusyBatch, Journal
from connectors.files.rejects import Rejects
from connectors.files.sheet import Form, UnreadableFile, open_sheet
from connectors.files.topic_log import TopicLog
from connectors.files.undo import MOST_NAMED, Undo, Undone

__all__ = [
    "DONE",
    "FAILED",
    "FOLDER",
    "MOST_NAMED",
    "Arrival",
    "Arrivals",
    "Batch",
    "BatchRefused",
    "BusyBatch",
    "FileRow",
    "Findings",
    "Form",
    "Journal",
    "Order",
    "Rejects",
    "Titles",
    "TopicLog",
    "Undo",
    "Undone",
    "UnreadableFile",
    "Written",
    "file_hash",
    "open_sheet",
    "put_away",
]
