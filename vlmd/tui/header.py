"""The two lines at the top: what it is and how fast; all windows and the time left, or that the daemon is gone."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from vlmd.tui import cells
from vlmd.tui.cells import cut, fitted
from vlmd.tui.frame import Frame
from vlmd.tui.states import style

_COUNTED = ("running", "merging", "indexing", "queued", "waiting", "done", "failed", "quarantined", "cancelled")
_QUIT = Text("q quits", style="dim")


def header(frame: Frame, width: int, trouble: str) -> list[Text]:
    counts = _job_counts(frame)
    first = _ends(_title(frame, width - cell_len(counts.plain) - 2), counts, width)
    return [first, Text(cut(trouble, width), style="bold red") if trouble else _overall(frame, width)]


def _title(frame: Frame, width: int) -> Text:
    """Name and version, and as many facts as fit whole."""
    facts = [f"  up {cells.duration(frame.up_s)}"]
    if frame.windows_per_second:
        windows, tokens = cells.number(frame.windows_per_second), cells.number(frame.tokens_per_second, 1)
        facts = [f"  {windows} windows/s", f"  {tokens} tokens/s", *facts]
    if frame.swaps:
        facts.append(f"  {frame.swaps}")
    title = Text.assemble(("vlmd", "bold"), f" {frame.version}")
    for fact in facts:
        if cell_len(title.plain) + len(fact) <= width:
            title.append(fact)
    return title


def _job_counts(frame: Frame) -> Text:
    known = [state for state in _COUNTED if frame.jobs.get(state)]
    others = sorted(set(frame.jobs) - set(_COUNTED))
    parts = [Text.assemble(f"{frame.jobs[state]:,} ", (state, style(state))) for state in [*known, *others]]
    if frame.settling:
        parts.insert(0, Text(f"{frame.settling:,} settling"))
    return Text("  ").join(parts) if parts else Text("no jobs")


def _overall(frame: Frame, width: int) -> Text:
    if not frame.total:
        return _ends(Text(_idle(frame), style="dim"), _QUIT, width)
    left = f", {cells.duration(frame.left_s)} left" if frame.left_s is not None and frame.done < frame.total else ""
    text = f"{frame.done:,} of {frame.total:,} windows{left}  "
    room = width - cell_len(text) - cell_len(_QUIT.plain) - 2
    if room < 12:
        return Text(cut(text.strip(), width))
    return Text.assemble(text, cells.bar_with_percent(frame.done / frame.total, room, "green"), "  ", _QUIT)


def _idle(frame: Frame) -> str:
    return "reading videos" if frame.active_count else "nothing to do: drop videos into the inbox"


def _ends(left: Text, right: Text, width: int) -> Text:
    """One at each end of the line; where both do not fit, the left one is cut."""
    room = width - cell_len(right.plain) - 2
    if room < 4:
        return fitted(right, width)
    return Text.assemble(fitted(left, room), "  ", right)
