"""The parts of a screen below its header: what each shows of a frame in a given width and number of lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from vlmd.tui import cells
from vlmd.tui.cells import cut, cut_middle
from vlmd.tui.frame import FINDING_SCENES, DeviceLine, Frame, JobLine
from vlmd.tui.grid import Cell, Column, grid
from vlmd.tui.problems import Problem
from vlmd.tui.seen import Sighting
from vlmd.tui.states import coloured

WIDE = 120
"""From this width on there is room for details beside everything else."""
_HOT = 85
"""Degrees Celsius."""


def _named(name: str) -> Cell:
    """The name of a file: its beginning and its end."""
    return lambda width: Text(cut_middle(name, width))


# --- problems ----------------------------------------------------------------------------------------------


def problem_lines(frame: Frame, width: int, lines: int) -> list[Text]:
    """A title and the first problems; two lines each where they do not fit into one."""
    listed = frame.problems[: (lines - 1) // (1 if width >= WIDE else 2)]
    if width >= WIDE:
        _, *rows = grid(_PROBLEM_COLUMNS, listed, width)
    else:
        rows = [line for problem in listed for line in _stacked(problem, width)]
    return [_problem_title(frame, frame.problem_count - sum(1 + problem.alike for problem in listed)), *rows]


def _problem_title(frame: Frame, more: int) -> Text:
    style = "bold red" if any(problem.serious for problem in frame.problems) else "bold yellow"
    hint = f"  {more:,} more: `vlmd status`" if more else ""
    return Text.assemble(("PROBLEMS", style), (hint, "dim"))


def _stacked(problem: Problem, width: int) -> list[Text]:
    what = _what(problem, width // 2)
    reason = cut(f": {problem.reason}", width - cell_len(what.plain))
    remedy = Text(cut(f"  → {problem.remedy}", width) if problem.remedy else "", style="dim")
    return [Text.assemble(what, reason), remedy]


def _what(problem: Problem, width: int) -> Text:
    """With how many more there are of its kind."""
    alike = f" +{problem.alike:,}" if problem.alike else ""
    what = cut_middle(problem.what, width - len(alike))
    return Text.assemble((what, "red" if problem.serious else "yellow"), (alike, "bold"))


_PROBLEM_COLUMNS: list[Column[Problem]] = [
    Column("WHAT", lambda problem: lambda width: _what(problem, width), 24, grow=1, most=40),
    Column("WHY", lambda problem: problem.reason, 30, grow=4),
    Column("WHAT HELPS", lambda problem: Text(problem.remedy, style="dim"), 30, grow=3),
]


# --- devices -----------------------------------------------------------------------------------------------


def device_lines(frame: Frame, width: int, lines: int) -> list[Text]:
    """One line each; the last says what those are doing that do not fit."""
    devices = frame.devices
    kept = len(devices) if len(devices) < lines else lines - 2
    table = grid(_device_columns(devices), devices[:kept], width)
    if rest := devices[kept:]:
        states = Counter(device.state for device in rest).most_common()
        said = ", ".join(f"{count} {state}" for state, count in states)
        table.append(Text(cut(f"and {len(rest)} more: {said}", width), style="dim"))
    return table


def _device_columns(devices: Sequence[DeviceLine]) -> list[Column[DeviceLine]]:
    """What no device tells takes no room."""
    told = {
        "LOAD": any(device.load is not None for device in devices),
        "MEM GB": any(device.memory_used is not None for device in devices),
        "TEMP": any(device.temperature is not None for device in devices),
    }
    return [column for column in _DEVICE_COLUMNS if told.get(column.title, True)]


def _temperature(device: DeviceLine) -> Text:
    if device.temperature is None:
        return Text()
    return Text(f"{device.temperature}°C", style="red" if device.temperature >= _HOT else "")


def _rate(per_second: float, digits: int) -> str:
    return cells.number(per_second, digits) if per_second else ""


def _looks_at(device: DeviceLine) -> Cell:
    """The video, and after it the time in it, which is never cut; else how far it is loaded, or why it cannot work."""
    if device.video is None or device.at_s is None:
        return Text(device.doing, style="dim")
    video, at = device.video, cells.position(device.at_s)
    return lambda width: Text.assemble(cut_middle(video, width - len(at) - 1), " ", (at, "cyan"))


_DEVICE_COLUMNS: list[Column[DeviceLine]] = [
    Column("DEVICE", lambda device: device.name, 7),
    Column("STATE", lambda device: coloured(device.state), 10),
    Column("MODEL", lambda device: device.model, 8, grow=1, most=24),
    Column("LOAD", lambda device: "" if device.load is None else f"{device.load}%", 4, right=True),
    Column("MEM GB", lambda device: cells.gigabytes(device.memory_used, device.memory_total), 7, right=True, rank=2),
    Column("TEMP", _temperature, 4, right=True, rank=3),
    Column("WIN/S", lambda device: _rate(device.windows_per_second, 2), 5, right=True),
    Column("TOK/S", lambda device: _rate(device.tokens_per_second, 1), 5, right=True, rank=1),
    Column("LOOKS AT", _looks_at, 20, grow=4, most=80),
]


# --- jobs --------------------------------------------------------------------------------------------------


def job_lines(frame: Frame, width: int, lines: int) -> list[Text]:
    """Unfinished jobs, how many more there are, and as there is room those that ended last."""
    room = lines - 1
    ended = frame.ended[: max(room - frame.active_count, room // 4)]
    room -= len(ended)
    active = frame.active[: room if frame.active_count <= room else room - 1]
    table = grid(_JOB_COLUMNS, [*active, *ended], width)
    if (more := frame.active_count - len(active)) > 0:
        table.insert(len(active) + 1, Text(f"      and {more:,} more", style="dim"))
    return table


def _progress(job: JobLine) -> Cell:
    """A bar while windows are answered; else the state, and how far it is, or what it waits for."""
    share = job.share
    if job.state == "running" and share is not None and not job.waits:
        return lambda width: cells.bar_with_percent(share, width, "green")
    if job.waits:
        return lambda width: Text(cut(job.waits, width), style="yellow")
    percent = f" {int(100 * share)} %" if share and job.state in ("indexing", FINDING_SCENES, "queued") else ""
    return Text.assemble(coloured(job.state), percent)


def _windows(job: JobLine) -> str:
    return f"{cells.short_count(job.done, 5)}/{cells.short_count(job.total, 5)}" if job.total else ""


def _failed(job: JobLine) -> Text:
    return Text(cells.short_count(job.failed, 4) if job.failed else "", style="red")


_JOB_COLUMNS: list[Column[JobLine]] = [
    Column("JOB", lambda job: str(job.id), 5, right=True),
    Column("VIDEO", lambda job: _named(job.video), 14, grow=3, most=36),
    Column("PROGRESS", _progress, 14, grow=3),
    Column("WINDOWS", _windows, 11, right=True),
    Column("FAIL", _failed, 4, right=True),
    Column("RTF", lambda job: "" if job.rtf is None else cells.number(job.rtf), 5, right=True, rank=1),
    Column("LEFT", lambda job: "" if job.left_s is None else cells.duration(job.left_s), 7, right=True),
    Column("FOUND", lambda job: "" if job.found is None else cells.short_count(job.found, 6), 6, right=True),
]


# --- what was seen -----------------------------------------------------------------------------------------


def seen_lines(frame: Frame, width: int, lines: int) -> list[Text]:
    return grid(_SEEN_COLUMNS, frame.seen[: lines - 1], width)


def _name(text: str | None, known: bool) -> Text:
    """A label or team; dim where it is the model's own invention."""
    return Text(text or "", style="" if known else "dim")


def _sure(seen: Sighting) -> str:
    return "" if seen.confidence is None else f"{seen.confidence:.2f}"


_SEEN_COLUMNS: list[Column[Sighting]] = [
    Column("AT", lambda seen: cells.position(seen.start_ms / 1000), 7, right=True),
    Column("SEEN", lambda seen: _name(seen.what, seen.known), 16, grow=2, most=24),
    Column("TEAM", lambda seen: _name(seen.team, seen.team_known), 8, grow=1, most=12),
    Column("PROB", _sure, 4, right=True),
    Column("VIDEO", lambda seen: _named(seen.video.rsplit("/", 1)[-1]), 16, grow=3, most=36),
    Column("DETAILS", lambda seen: Text(seen.details, style="dim"), WIDE // 3, grow=6, rank=1),
]
