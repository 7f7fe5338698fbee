"""Numbers of supervision tasks: eight digits that say who owns the task, with a check digit.

People type them on a telephone. The check digit (H. M. Damm, 2004) finds every wrong digit and every swap of
neighbours, so a slip closes nothing. The seven digits before it are a hash, modulo the count of partitions the owner:
a reply finds its task without a directory, and whoever tells of an alert knows the number before the task is there.
"""

import hashlib

BODY = 7
"""Digits before the check digit: with 10,000 open tasks a manager's own numbers meet once in a million."""
LENGTH = BODY + 1
_DAMM = (
    "0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
    "3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
)  # fmt: skip


def check_digit(body: str) -> str:
    """Give the digit that completes a number; of a complete number it is 0."""
    state = "0"
    for digit in body:
        state = _DAMM[int(state)][int(digit)]
    return state


def task_number(alert_id: str, person: str, *, owner: int, owners: int) -> str:
    """Give the number of a person's task about an alert; the same inputs give the same number."""
    digest = hashlib.blake2b(f"{alert_id}\x1f{person}".encode(), digest_size=8).digest()
    chosen = int.from_bytes(digest, "big") % (10**BODY // owners)
    body = f"{chosen * owners + owner:0{BODY}d}"
    return body + check_digit(body)


def is_number(text: str) -> bool:
    """Tell whether a text is a number that could have been given out."""
    return len(text) == LENGTH and text.isascii() and text.isdigit() and check_digit(text) == "0"


def owner_of(number: str, owners: int) -> int:
    """Give the partition that owns the task of a valid number."""
    return int(number[:BODY]) % owners
