"""What one SMS says of several notices, in no more parts than a telephone is to ring for. Pure.

What does not fit is counted: every notice stands in the list, and its row is settled by this message like the others'.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence

from schemas.notice import Notice
from sinks.sms.parts import LONGEST_CLUSTER, LONGEST_SIGNATURE, WITH_HEADER, Signature, split, units

MOST_PARTS = 6
"""What was gathered overnight is read on a phone; more is paid by the part, and some carriers cut it."""
_SIGNED = re.compile(r"【[^】]*】")
_LONGEST = "签" * LONGEST_SIGNATURE
_SIGNATURES = Signature(text=_LONGEST), Signature(text=_LONGEST, place="tail")
"""Whichever account it leaves over: the longest that may be added to it, before or behind."""
_LEAST = WITH_HEADER + 1 - LONGEST_CLUSTER
"""Units that every part but the last holds, however its letters hang together."""
_BESIDE = 2 / 3
"""Of the parts, for one sentence where others are to be told with it."""


def short_text(notices: Sequence[Notice], most_parts: int = MOST_PARTS) -> str:
    """One notice: its text. Several of a group: the group's sentence. What else was gathered: one sentence each.

    The first ones are told, up to `most_parts` parts with any signature; how many more there are is said at the end.
    """
    if len(notices) == 1:
        return printable(notices[0].text)
    gathered: dict[str, list[Notice]] = {}
    for notice in notices:
        is_grouped = notice.group is not None and notice.group_text is not None
        gathered.setdefault(f"g{notice.group}" if is_grouped else f"n{notice.key}", []).append(notice)
    if len(gathered) == 1:
        return _sentence(notices, most_parts)
    counts: dict[str, int] = {}
    length = 0
    for each in gathered.values():
        # What comes when more than all the room is taken is counted only.
        sentence = _sentence(each, max(1, int(most_parts * _BESIDE))) if length <= most_parts * WITH_HEADER else "；"
        length += units(sentence) if sentence not in counts else 0
        counts[sentence] = counts.get(sentence, 0) + len(each)
    return _joined(counts, most_parts)


def _joined(counts: dict[str, int], most_parts: int) -> str:
    """Give as many sentences as fit, the signature once; `counts`: how many notices each stands for."""
    sentences, numbers = list(counts), list(counts.values())
    signature = _SIGNED.match(sentences[0])
    if signature:
        sentences[1:] = [sentence.removeprefix(signature[0]) for sentence in sentences[1:]]

    def said(told: int) -> str:
        left = sum(numbers[told:])
        return "；".join(sentences[:told]) + (f"；另有{left}条见平台清单" if left else "")

    return _longest(said, len(sentences), most_parts, least=1)


def _sentence(notices: Sequence[Notice], most_parts: int) -> str:
    """Give the text of one notice, or the sentence for several of one group.

    Each instance is named, as far as they fit, and has the numbers of its tasks, as far as there is room for them.
    """
    first = notices[0]
    if len(notices) == 1 or first.group_text is None:
        return _clipped(printable(first.text), most_parts)
    wording = next((notice.group_text for notice in notices if notice.task and notice.group_text), first.group_text)
    names = list(dict.fromkeys(notice.instance for notice in notices))
    numbered = _numbered(notices)

    def filled(listed: str) -> str:
        # Not str.format: a brace in a name must neither fail nor reach into an object.
        return printable(wording.replace("{count}", str(len(names))).replace("{list}", listed))

    def said(listed: int) -> str:
        left = len(names) - listed
        rest = f"（{f'另{left}件' if listed else ''}见平台清单）" if left else ""
        return filled("、".join(numbered[:listed]) + ("等" if left and listed else "") + rest)

    def all_named(count: int) -> str:
        return filled("、".join(numbered[:count] + names[count:]))

    fits = _fits(all_named(0), most_parts)
    return _longest(all_named if fits else said, len(names), most_parts, least=0)


def _numbered(notices: Sequence[Notice]) -> list[str]:
    """Give each instance with the numbers of its tasks, which are answered one by one."""
    tasks: dict[str, dict[str, None]] = {}
    for notice in notices:
        tasks.setdefault(notice.instance, {}).update({notice.task: None} if notice.task else {})
    return [f"{name}（{'、'.join(numbers)}）" if numbers else name for name, numbers in tasks.items()]


def _longest(said: Callable[[int], str], most: int, most_parts: int, *, least: int) -> str:
    """Say as much as fits: all, else as many as do beside the words about the rest, else the beginning of the least."""
    if _fits(said(most), most_parts):
        return said(most)
    likely = range(least, min(most, most_parts * WITH_HEADER))
    told = bisect_left(likely, 1, key=lambda number: not _fits(said(number), most_parts))
    return _clipped(said(likely[max(0, told - 1)]), most_parts)


def _clipped(text: str, most_parts: int) -> str:
    if _fits(text, most_parts):
        return text
    room = range(most_parts * WITH_HEADER)
    return text[: bisect_left(room, 1, key=lambda end: not _fits(f"{text[:end]}…", most_parts)) - 1] + "…"


def _fits(text: str, most_parts: int) -> bool:
    """Tell whether a text with any signature leaves as so many parts at the most."""
    length = units(text) + LONGEST_SIGNATURE
    if length <= most_parts * _LEAST:
        return True
    return length <= most_parts * WITH_HEADER and all(len(split(text, each)) <= most_parts for each in _SIGNATURES)


def printable(text: str) -> str:
    """Without what no wire carries: lone surrogates, and control characters other than line feeds."""
    clean = text.encode(errors="replace").decode()
    return "".join(char for char in clean if char >= " " or char == "\n")
