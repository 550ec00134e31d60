"""The pictures of a page: timelines and reliability curves as SVG, drawn by hand so that they need nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from vlmd.evaluation.bodies import Bin
from vlmd.reports.book import Mark, Row, Timeline

WIDTH = 1000
_LEFT, _RIGHT = 190, 26
_ROW = 26
_COLOURS = 8
"""Classes c0 to c7 of the page's style."""
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_MOST_TICKS = 10


def timeline(one: Timeline, colours: Sequence[str]) -> str:
    """One row of marks for each model; a mark's whole text shows under the pointer."""
    height = _ROW * len(one.rows) + 28
    parts = [
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="events of {escape(one.video)}">'
    ]
    scale = (WIDTH - _LEFT - _RIGHT) / max(one.duration_s, 0.001)
    parts += _axis(one.duration_s, scale, height)
    for number, row in enumerate(one.rows):
        parts += _row(row, number * _ROW, scale, colours)
    return "".join([*parts, "</svg>"])


def reliability(bins: Sequence[Bin]) -> str:
    """The share that is right over the stated confidence; dots are as large as many answers they stand for."""
    size, low = 260, 34
    plot = size - low - 10

    def place(x: float, y: float) -> tuple[float, float]:
        return low + plot * x, 10 + plot * (1 - y)

    most = max((one.count for one in bins), default=1) or 1
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + 6 * (one.count / most) ** 0.5:.1f}"><title>{one.count} with mean '
        f"confidence {one.confidence:.2f}, {one.right:.0%} right</title></circle>"
        for one in bins
        if one.confidence is not None and one.right is not None
        for x, y in [place(one.confidence, one.right)]
    ]
    (x0, y0), (x1, y1) = place(0, 0), place(1, 1)
    grid = "".join(
        f'<text x="{place(at, 0)[0]:.0f}" y="{y0 + 14:.0f}" text-anchor="middle">{at:g}</text>'
        f'<text x="{x0 - 6:.0f}" y="{place(0, at)[1] + 4:.0f}" text-anchor="end">{at:g}</text>'
        for at in (0, 0.5, 1)
    )
    return (
        f'<svg class="reliability" viewBox="0 0 {size} {size}" role="img" aria-label="reliability">'
        f'<rect class="frame" x="{x0}" y="{y1}" width="{x1 - x0}" height="{y0 - y1}"/>'
        f'<line class="ideal" x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}"/>{grid}{"".join(dots)}'
        f'<text x="{low + plot / 2}" y="{size - 4}" text-anchor="middle">confidence</text></svg>'
    )


def clock(seconds: float) -> str:
    whole = int(seconds)
    text = f"{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{whole // 3600}:{text}" if whole >= 3600 else text


def _axis(duration_s: float, scale: float, height: int) -> list[str]:
    step = next((tick for tick in _TICKS if duration_s / tick <= _MOST_TICKS), 14_400)
    parts, at = [], 0.0
    while at <= duration_s:
        x = _LEFT + at * scale
        parts.append(f'<line class="tick" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height - 18}"/>')
        parts.append(f'<text class="time" x="{x:.1f}" y="{height - 4}" text-anchor="middle">{clock(at)}</text>')
        at += step
    return parts


def _row(row: Row, top: int, scale: float, colours: Sequence[str]) -> list[str]:
    title = row.title if len(row.title) <= 28 else f"{row.title[:27]}…"
    parts = [f'<text class="name" x="0" y="{top + 17}"><title>{escape(row.title)}</title>{escape(title)}</text>']
    return parts + [_mark(mark, top, scale, colours) for mark in row.marks]


def _mark(mark: Mark, top: int, scale: float, colours: Sequence[str]) -> str:
    width = max(3.0, (mark.end_s - mark.start_s) * scale)
    number = colours.index(mark.label) % _COLOURS if mark.label in colours else _COLOURS - 1
    when = f"{clock(mark.start_s)} to {clock(mark.end_s)}"
    return (
        f'<rect class="mark c{number} {mark.kind}" x="{_LEFT + mark.start_s * scale:.1f}" y="{top + 5}"'
        f' width="{width:.1f}" height="{_ROW - 9}" rx="2"><title>{escape(f"{when}: {mark.says}")}</title></rect>'
    )
