"""The whole screen: what comes first, and how many lines each part gets."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from vlmd.tui import sections
from vlmd.tui.frame import Frame
from vlmd.tui.header import header

_ORDER = ("problems", "devices", "jobs", "seen")
_LINES = {
    "problems": sections.problem_lines,
    "devices": sections.device_lines,
    "jobs": sections.job_lines,
    "seen": sections.seen_lines,
}
_LEAST = {"problems": 3, "devices": 3, "jobs": 4, "seen": 3}
"""Lines a part gets before any other gets more, its title included."""


def screen(frame: Frame, width: int, height: int, trouble: str = "") -> list[Text]:
    """At most `height` lines, none wider than `width`. `trouble` says what is wrong with the connection."""
    lines = header(frame, width, trouble)
    wanted = {name: count for name, count in _wanted(frame, width).items() if count}
    gaps = len(wanted)
    spare = 0
    for name, count in share_out(wanted, height - len(lines) - gaps).items():
        part = _LINES[name](frame, width, count + spare)
        spare += count - len(part)
        lines += [Text(), *part]
    return [_no_wrap(line) for line in lines[:height]]


def _wanted(frame: Frame, width: int) -> dict[str, int]:
    """How many lines each part could fill; a part that has nothing to say gets none."""
    each = 1 if width >= sections.WIDE else 2
    more = len(frame.active) < frame.active_count
    jobs = len(frame.active) + more + len(frame.ended)
    return {
        "problems": 1 + each * len(frame.problems) if frame.problem_count else 0,
        "devices": 1 + len(frame.devices),
        "jobs": 1 + jobs if jobs else 0,
        "seen": 1 + len(frame.seen) if frame.seen else 0,
    }


def share_out(wanted: Mapping[str, int], room: int) -> dict[str, int]:
    """Lines for each part: first its least, then by turns, so that no part grows while another starves.

    Problems take no more than a third of the screen, and devices no more than half, if others want the rest.
    """
    given = dict.fromkeys(wanted, 0)
    caps = {name: min(wanted[name], _LEAST[name]) for name in wanted}
    _fill(given, caps, room)
    limits = {"problems": room // 3, "devices": room // 2}
    caps = {name: min(wanted[name], max(given[name], limits.get(name, room))) for name in wanted}
    _fill(given, caps, room)
    _fill(given, dict(wanted), room)
    return given


def _fill(given: dict[str, int], caps: Mapping[str, int], room: int) -> None:
    """Hand out lines one by one, the part with the fewest first."""
    for _ in range(room - sum(given.values())):
        able = [name for name in _ORDER if name in given and given[name] < caps[name]]
        if not able:
            return
        given[min(able, key=lambda name: given[name])] += 1


def _no_wrap(line: Text) -> Text:
    line.no_wrap = True
    return line
