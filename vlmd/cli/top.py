"""`vlmd top`: the live screen; lines where nobody sees a screen; a picture."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from vlmd.cli.client import Client
from vlmd.cli.progress import Story
from vlmd.cli.watching import PERIOD_SECONDS, Asking, Look, Watch
from vlmd.cli.words import console
from vlmd.config import load_settings
from vlmd.tui.cells import cut, duration
from vlmd.tui.keys import Keys
from vlmd.tui.picture import svg
from vlmd.tui.screen import screen

_TIMEOUT_SECONDS = 10.0
_TICK_SECONDS = 0.2
"""How soon a key is heard, or that the terminal has another size."""


@click.command()
@click.option(
    "--svg",
    "picture",
    type=click.Path(path_type=Path),
    help="Write one frame, COLUMNS by LINES, to this file.",
)
@click.pass_obj
def top(config: Path | None, picture: Path | None) -> None:
    """Watch devices, jobs, events and problems. Ends with q or Ctrl-C; plain lines where stdout is no terminal.

    RTF is the real-time factor: processing time / video time; below 1 is faster than the video plays.
    """
    watch = Watch(Client(load_settings(config), _TIMEOUT_SECONDS))
    if picture is not None:
        width, height = shutil.get_terminal_size((100, 30))
        picture.write_text(svg(screen(watch.frame(), width, height), width))
        return
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _end)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a sign shows another one
    terminal = console()
    if terminal.is_terminal and not terminal.is_dumb_terminal:
        _on_screen(watch, terminal)
    else:
        _in_lines(watch)


def _end(number: int, frame: FrameType | None) -> None:
    """Leave by way of everything that puts the terminal back."""
    sys.exit(0)


def _on_screen(watch: Watch, terminal: Console) -> None:
    asking, view = Asking(watch.look), _View()
    with Keys() as keys, Live(console=terminal, screen=True, auto_refresh=False) as live:
        while not keys.quit_within(_TICK_SECONDS):
            view.take(asking.newest(), time.monotonic())
            width, height = terminal.size
            if view.due(width, height, time.monotonic()):
                live.update(Group(*view.lines(width, height, time.monotonic())), refresh=True)


class _View:
    """What is on the screen, and whether there is something newer to draw."""

    def __init__(self) -> None:
        self._look = Look(None, None, "asking the daemon")
        self._lost_at: float | None = None
        self._drawn: tuple[object, ...] = ()

    def take(self, look: Look | None, now: float) -> None:
        if look is not None:
            self._look = look
            self._lost_at = (self._lost_at or now) if look.trouble else None

    def due(self, width: int, height: int, now: float) -> bool:
        """True where a frame would differ from the last one that this was asked for."""
        last, self._drawn = self._drawn, (self._look, width, height, self._lost(now))
        return last != self._drawn

    def lines(self, width: int, height: int, now: float) -> list[Text]:
        trouble = self._look.trouble
        if self._lost_at is not None:
            trouble = f"gone for {self._lost(now)}: {trouble}"
        if self._look.frame is None:
            return [Text(cut(f"vlmd: {trouble}", width), style="bold")]
        return screen(self._look.frame, width, height, trouble)

    def _lost(self, now: float) -> str:
        return "" if self._lost_at is None else duration(now - self._lost_at)


def _in_lines(watch: Watch) -> None:
    """Until told to end, or until nobody reads any more."""
    story = Story()
    try:
        while True:
            look = watch.look()
            for line in story.lines(look.document, look.frame, look.trouble, time.monotonic()):
                click.echo(line)
            time.sleep(PERIOD_SECONDS)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes what is left at its end
