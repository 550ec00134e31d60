"""Text cut to a width, bars, times and numbers: each as wide as it is said to be, so that columns never move."""

from __future__ import annotations

from itertools import accumulate

from rich.cells import cell_len
from rich.text import Text

from vlmd.core.names import shown

_MARKS_A_CELL = 4
"""Characters kept for each cell: hundreds of accents on one letter take no width, and still must end."""
_THOUSANDS = ("", "k", "M", "G", "T")


def cut(text: str, width: int) -> str:
    """`text` made harmless and at most `width` cells wide; wide characters count as two."""
    text = shown(text[: _MARKS_A_CELL * max(width, 0) + 1])
    if cell_len(text) <= width and len(text) <= _MARKS_A_CELL * width:
        return text
    if width <= 0:
        return ""
    widths = accumulate(map(cell_len, text))
    kept = sum(1 for reached in widths if reached < width)
    return text[: min(kept, _MARKS_A_CELL * width)] + "…"


def cut_middle(text: str, width: int) -> str:
    """The same, but with its end kept: names of many files often begin alike."""
    if cell_len(text := shown(text[:1000])) <= width or width < 8:
        return cut(text, width)
    tail = text[-(width // 2) :]
    while cell_len(tail) > width // 2:
        tail = tail[1:]
    return cut(text, width - cell_len(tail)) + tail


def fitted(text: Text | str, width: int, right: bool = False) -> Text:
    """Exactly `width` cells: made harmless, cut, and padded on the left or right."""
    plain = text.plain if isinstance(text, Text) else text
    kept = cut(plain, width)
    if kept != plain or not isinstance(text, Text):
        text = Text(kept, style=text.style if isinstance(text, Text) else "")
    pad = " " * (width - cell_len(kept))
    return Text.assemble(pad, text) if right else Text.assemble(text, pad)


def bar(share: float, width: int, style: str) -> Text:
    """A bar that is full when `share` is 1; readable without colour."""
    halves = int(max(0.0, min(1.0, share)) * 2 * width)
    full, half = divmod(halves, 2)
    filled = "━" * full + "╸" * half
    return Text.assemble((filled, style), ("─" * (width - full - half), "dim"))


def bar_with_percent(share: float, width: int, style: str) -> Text:
    percent = f"{int(100 * share):3d} %"
    return Text.assemble(bar(share, max(0, width - len(percent) - 1), style), " ", percent)


def position(seconds: float) -> str:
    """A time in a video: H:MM:SS."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def duration(seconds: float) -> str:
    """A span of time in at most seven cells: 0:07, 12:34, 1:02:03, 27 h, 12 days."""
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    if whole < 10 * 3600:
        return position(whole)
    return f"{whole // 3600} h" if whole < 100 * 3600 else f"{min(whole // 86400, 9999)} d"


def number(value: float, digits: int = 2) -> str:
    """A rate or factor in at most five cells: 0.25, 12.3, 4711, 12k."""
    for kept in range(digits, -1, -1):
        if len(text := f"{value:.{kept}f}") <= 4:
            return text
    return short_count(value, 5)


def short_count(value: float, width: int) -> str:
    """A whole number in at most `width` cells, in thousands or millions where it must be."""
    for unit in _THOUSANDS:
        if len(text := f"{value:.0f}{unit}") <= width:
            return text
        value /= 1000
    return "…"


def gigabytes(used: int | None, total: int | None) -> str:
    """14/24, in at most seven cells up to 999 of them."""
    if used is None:
        return ""
    return f"{used / 1e9:.0f}" + (f"/{total / 1e9:.0f}" if total else "")
