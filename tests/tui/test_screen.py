"""Screens as they look: `VLMD_UPDATE_SNAPSHOTS=1` writes the files beside this one anew; read the difference."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tests.tui import frames
from vlmd.tui.frame import Frame
from vlmd.tui.picture import svg
from vlmd.tui.screen import screen, share_out

SNAPSHOTS = Path(__file__).with_name("snapshots")
FRAMES = {
    name: getattr(frames, name) for name in ("idle", "busy", "failing", "many_devices", "many_jobs", "hostile", "cjk")
}
SIZES = [(80, 24), (160, 50)]


def printed(frame: Frame, width: int, height: int, colour: bool | None = None, trouble: str = "") -> str:
    """What a terminal is sent; `colour` None leaves out all styles."""
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour is not None,
        no_color=not colour,
        color_system="standard" if colour is not None else None,
        highlight=False,
    )
    for line in screen(frame, width, height, trouble):
        console.print(line)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def same_as_stored(name: str, text: str) -> None:
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("VLMD_UPDATE_SNAPSHOTS"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", FRAMES)
def test_the_screen_looks_as_it_did(name: str, width: int, height: int) -> None:
    same_as_stored(f"{name}-{width}x{height}", printed(FRAMES[name](), width, height))


@pytest.mark.parametrize("colour", [True, False])
def test_colour_and_no_color(colour: bool) -> None:
    text = printed(frames.failing(), 80, 40, colour)
    same_as_stored(f"failing-80x40-{'colour' if colour else 'no-color'}", text.replace("\x1b", "␛"))
    assert ("\x1b[31m" in text) == colour


def test_a_daemon_that_is_gone_is_said_where_the_progress_was() -> None:
    trouble = "gone for 0:12: no daemon answers at /run/vlmd.sock; start it with `vlmd run`"
    same_as_stored("gone-80x24", printed(frames.busy(), 80, 24, trouble=trouble))


@pytest.mark.parametrize("name", FRAMES)
@settings(max_examples=15, deadline=None)
@given(width=st.integers(20, 250), height=st.integers(6, 80))
def test_nothing_is_wider_or_higher_than_the_terminal(name: str, width: int, height: int) -> None:
    lines = screen(FRAMES[name](), width, height)
    assert len(lines) <= height
    if width >= 76:
        assert max(cell_len(line.plain) for line in lines) <= width
    assert all(character.isprintable() for line in lines for character in line.plain)


def test_nothing_hostile_reaches_the_terminal() -> None:
    text = printed(frames.hostile(), 160, 50, True)
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[bold red]x" in text, "markup is text like any other"
    assert text.count("\u0301") < 1000


def test_columns_stay_where_they_are_when_numbers_change() -> None:
    """No jitter: titles are at the same place whatever is below them."""
    first, second = (screen(make(), 100, 30) for make in (frames.busy, frames.many_jobs))
    titles = [[line.plain for line in lines if line.plain.lstrip().startswith("JOB")] for lines in (first, second)]
    assert titles[0] == titles[1]


@settings(max_examples=50, deadline=None)
@given(
    wanted=st.dictionaries(st.sampled_from(["problems", "devices", "jobs", "seen"]), st.integers(1, 5000)),
    room=st.integers(0, 100),
)
def test_lines_are_shared_out_and_none_is_wasted(wanted: dict[str, int], room: int) -> None:
    given_out = share_out(wanted, room)
    assert sum(given_out.values()) == min(room, sum(wanted.values()))
    assert all(count <= wanted[name] for name, count in given_out.items())
    if room >= 13:
        assert all(count >= min(3, wanted[name]) for name, count in given_out.items())


def test_a_picture_asks_no_foreign_server_and_stays_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = svg(screen(frames.busy(), 80, 24), 80)
    assert "url(http" not in drawn
    assert "@font-face" not in drawn
    assert "#7ec87f" in drawn
