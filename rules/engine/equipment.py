"""Grid equipment that negative-list items are about."""

from rules.reference import Fields
from rules.state import Instance
from schemas import AlertObject

OBJECT_TYPES = {"PUB_TRANS": "pub_trans", "DIST_LINE": "dist_line"}


def object_of(instance: Instance) -> AlertObject | None:
    """Give the equipment that a list item's own instance is about."""
    return equipment(instance.key, instance.main.fields) if instance.main else None


def equipment(item_no: str, item: Fields) -> AlertObject | None:
    """Give the equipment of a list item; None for kinds that no rule judges."""
    kind = OBJECT_TYPES.get(str(item.get("nl_type")))
    number = item.get("trans_no" if kind == "pub_trans" else "line_no") or item.get("tg_no")
    return AlertObject(kind, str(number or ""), item_no) if kind else None
