"""Numbers of supervision tasks: eight digits that say who owns the task, with a check digit.

People type them on a telephone. The check digit (H. M. Damm, 2004) finds every wrong digit and every swap of
neighbours, so a slip closes nothing. The seven digits before it are a hash, modulo the count of partitions the owner:
a reply finds its task without a directory. Hashes meet (of 50,000 some 125 pairs); the owner, who knows what it gave
out, gives the next hash then. So it is the owner, too, who tells people of a task: what is texted is what is accepted.
"""

import hashlib

BODY = 7
"""Digits before the check digit. Ten million numbers: four times the messages of 90 days at ten million a year."""
LENGTH = BODY + 1
TRIES = 1_000
"""Hashes of one task that are looked at: with nine of ten numbers taken, not one is free once in 10^45 tasks."""
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


def task_number(alert_id: str, person: str, *, owner: int, owners: int, nth: int = 0) -> str:
    """Give a number for a person's task about an alert; the same inputs give the same number, every `nth` another."""
    name = f"{alert_id}\x1f{person}\x1f{nth}" if nth else f"{alert_id}\x1f{person}"
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    chosen = int.from_bytes(digest, "big") % (10**BODY // owners)
    body = f"{chosen * owners + owner:0{BODY}d}"
    return body + check_digit(body)


def is_number(text: str) -> bool:
    """Tell whether a text is a number that could have been given out."""
    return len(text) == LENGTH and text.isascii() and text.isdigit() and check_digit(text) == "0"


def owner_of(number: str, owners: int) -> int:
    """Give the partition that owns the task of a valid number."""
    return int(number[:BODY]) % owners
