"""What people write to us, and what comes of it (domain.md P16, P25, 6.3). Pure."""

from rules.inbound.clerk import Clerk, Done, Topics
from rules.inbound.people import subscription_key
from rules.inbound.texts import (
    CardText,
    Meaning,
    Query,
    Subscription,
    TaskReply,
    Unclear,
    Wish,
    read_text,
    without_cards,
)

__all__ = [
    "CardText", "Clerk", "Done", "Meaning", "Query", "Subscription", "TaskReply", "Topics", "Unclear", "Wish",
    "read_text", "subscription_key", "without_cards",
]  # fmt: skip
