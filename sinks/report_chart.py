"""The picture of a report: one bar a unit, as PNG.

PNG because mail readers (Outlook, most on the web) show no SVG; Pillow because it is one small wheel with a font
inside. That font has no Chinese: bars are numbered as the table's lines are, and the words stand beside the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

_WIDTH, _ROW, _MARGIN, _SIZE = 640, 26, 12, 14
"""Pixels: as wide as a mail's column; a line of text and its gap; the edge; letters."""
_LEFT, _RIGHT = 44, 110
"""Pixels beside the bars: the line's number, and the value."""
_INK, _PAPER, _BAR, _OWN = "#333333", "#ffffff", "#5b8db8", "#1f4e79"


class Bar(NamedTuple):
    """One bar: its number in the table, how long, and what stands at its end (ASCII)."""

    number: int
    value: float
    label: str


def chart(bars: Sequence[Bar]) -> bytes:
    """Give the picture of some bars, at least one; the first, the whole unit's, is darker."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - a worker that mails no report needs no pictures

    image = Image.new("RGB", (_WIDTH, 2 * _MARGIN + _ROW * len(bars)), _PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_SIZE)
    longest = max((abs(bar.value) for bar in bars), default=0) or 1
    for index, bar in enumerate(bars):
        top = _MARGIN + index * _ROW
        length = round((_WIDTH - _LEFT - _RIGHT) * abs(bar.value) / longest)
        draw.text((_MARGIN, top + 3), str(bar.number), fill=_INK, font=font)
        draw.rectangle((_LEFT, top + 3, _LEFT + length, top + _ROW - 5), fill=_OWN if index == 0 else _BAR)
        draw.text((_LEFT + length + 6, top + 3), bar.label, fill=_INK, font=font)
    written = BytesIO()
    image.save(written, "PNG", optimize=True)
    return written.getvalue()
