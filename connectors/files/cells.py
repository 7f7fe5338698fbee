"""One cell as a person wrote it, to the value that a record carries for its column.

People write `2026/3/2 9:05`, `1,234.50` and `是`, and Excel rounds long numbers. Whether the value fits the column is
the row form's to say.
"""

import re
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite

from connectors.files.sheet import Cell, is_excel_error
from connectors.files.spoilt import Spoilt
from schemas import ColumnType, Value

_MOST_DIGITS = 15
"""What Excel keeps of a number (IEEE 754); a longer one in a cell has been rounded."""
_DATE = re.compile(
    r"(?P<y>\d{4})(?P<sep>[-/.年])(?P<m>\d{1,2})(?:[-/.月])(?P<d>\d{1,2})日?"
    r"(?:[T ]+(?P<h>\d{1,2}):(?P<min>\d{2})(?P<rest>(?::\d{2}(?:\.\d{1,9})?)?(?: ?(?:Z|[+-]\d{2}:?\d{2}))?))?",
    re.ASCII,
)
_PLAIN_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_SCIENTIFIC = re.compile(r"[+-]?\d(?:\.\d+)?E\+\d+", re.ASCII)
_COUNTED = ("text", "int", "decimal")
_WORDS = {"是": True, "否": False}


class BadCell(ValueError):
    """A cell that cannot be what its column is; the message does not repeat it."""


def cell_value(cell: Cell, kind: ColumnType) -> Value:
    """Give the value of a cell; None for an empty one. Raises BadCell."""
    if isinstance(cell, str):
        return _from_text(cell.strip("\ufeff\u3000 \t\r\n"), kind)
    if cell is None or isinstance(cell, bool):
        return cell
    if isinstance(cell, Spoilt):
        raise BadCell(cell.why)
    if isinstance(cell, int | float):
        return _from_number(cell, kind)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time):
        raise BadCell("a time of day without its date")
    raise BadCell("not text, number or time")


def _from_text(text: str, kind: ColumnType) -> Value:
    if not text:
        return None
    if is_excel_error(text):
        raise BadCell(f"the formula gave {text}")
    if kind in _COUNTED and _SCIENTIFIC.fullmatch(text):
        raise BadCell("a number that a spreadsheet shortened; format the column as text and export again")
    match kind:
        case "timestamp" | "date":
            return _moment(text)
        case "int" | "decimal":
            return text.replace(",", "") if _GROUPED.fullmatch(text) else text
        case "bool":
            return _WORDS.get(text, text)
        case "text":
            return text


def _moment(text: str) -> str:
    """Write a date as ISO 8601; what is none goes through, and is refused with the column's words."""
    plain = _PLAIN_DATE.fullmatch(text)
    if plain:
        return "-".join(plain.groups())
    match = _DATE.fullmatch(text)
    if match is None:
        return text
    day = f"{match['y']}-{int(match['m']):02d}-{int(match['d']):02d}"
    return day if match["h"] is None else f"{day} {int(match['h']):02d}:{match['min']}{match['rest'] or ''}"


def _from_number(number: float, kind: ColumnType) -> Value:
    if kind in ("timestamp", "date"):
        raise BadCell("a number and not a date; format the column as a date")
    if not isfinite(number):
        raise BadCell("a number beyond what a spreadsheet keeps")
    whole = int(number)
    if whole != number:
        return format(Decimal(repr(number)), "f")
    beyond = len(str(abs(whole))) - _MOST_DIGITS
    # A program writes a long whole number out; a spreadsheet leaves zeros, or an exponent (then it is a float here).
    if beyond > 0 and (kind == "text" or not isinstance(number, int) or whole % 10**beyond == 0):
        raise BadCell("a number of more than 15 digits, which a spreadsheet rounds; format the column as text")
    return str(whole) if kind == "text" else whole
