"""What a person meant by a text message: numbers of tasks, and a remark (domain.md 6.3). Pure."""

import re
import unicodedata
from typing import NamedTuple

import msgspec

from rules.loop.task_numbers import is_number
from schemas import Command

_SIGNATURE = re.compile(r"[【\[][^】\]]{1,20}[】\]]")
"""What phones and gateways put before or after a text: 【张三】."""
_CANDIDATE = re.compile(r"(?<![0-9])([0-9]{4}) ?([0-9]{4})(?![0-9])")
"""Eight digits, also as people group them."""
_BETWEEN = " \t\r\n,;:.!、。-_"
_LONGEST_REMARK = 200
"""Three messages; more is no remark."""


class Reply(NamedTuple):
    """What was found in one text."""

    numbers: tuple[str, ...]
    """Valid ones, each once, in order."""
    wrong: tuple[str, ...]
    """Eight digits whose check digit does not fit."""
    remark: str


def parse_reply(text: str) -> Reply:
    """Read a text: full-width digits folded, signatures left out, what is no number kept as the remark."""
    folded = unicodedata.normalize("NFKC", text)
    bare = _SIGNATURE.sub(" ", folded)
    found = dict.fromkeys(match[1] + match[2] for match in _CANDIDATE.finditer(bare))
    numbers = tuple(number for number in found if is_number(number))
    wrong = tuple(number for number in found if not is_number(number))
    remark = " ".join(_CANDIDATE.sub(" ", bare).split()).strip(_BETWEEN)
    return Reply(numbers, wrong, remark[:_LONGEST_REMARK])


def parts_of(command: Command) -> tuple[list[Command], tuple[str, ...]]:
    """Give one command per number in a reply's text, and what looks like a number and is none."""
    reply = parse_reply(command.text)
    parts = [msgspec.structs.replace(command, key=number, text=reply.remark) for number in reply.numbers]
    return parts, () if parts else reply.wrong
