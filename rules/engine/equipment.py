"""Grid equipment that negative-list items are about."""

from rules.reference import Fields
from rules.state import Instance
from schemas import AlertObject

OBJECT_TYPES = {"PUB_TRANS": "pub_trans", "DIST_LINE": "dist_line", "MAIN_SUBS": "main_subs"}
NUMBERS = {
    "pub_trans": ("trans_no", "tg_no"),
    "dist_line": ("line_no", "tg_no"),
    "main_subs": ("subs_no", "bus_no"),
}
"""Fields of an item that name its equipment, the first that is set; a bay or bus is named by its substation."""


def object_of(instance: Instance) -> AlertObject | None:
    """Give the equipment that a list item's own instance is about."""
    return equipment(instance.key, instance.main.fields) if instance.main else None


def equipment(item_no: str, item: Fields) -> AlertObject | None:
    """Give the equipment of a list item; None for kinds that no rule judges."""
    kind = OBJECT_TYPES.get(str(item.get("nl_type")))
    if kind is None:
        return None
    number = next((item[name] for name in NUMBERS[kind] if item.get(name)), "")
    return AlertObject(kind, str(number), item_no)


def same_equipment(fields: Fields) -> list[tuple[str, str]]:
    """Give how items of the same equipment are found: field and value of an item, or of what stands beside it."""
    kind = OBJECT_TYPES.get(str(fields.get("nl_type")), "")
    names = {"pub_trans": ("trans_no",), "dist_line": ("line_no",), "main_subs": ("bus_no",)}
    wanted = names.get(kind, ("trans_no", "line_no", "bus_no"))
    return [(name, str(fields[name])) for name in wanted if fields.get(name) is not None]
