"""The colours of states. One that is not known here is shown as it is: the daemon may be newer than the screen."""

from __future__ import annotations

from rich.text import Text

_STYLES = {
    "busy": "green",
    "running": "green",
    "done": "green",
    "loading": "cyan",
    "starting": "cyan",
    "swapping": "cyan",
    "indexing": "cyan",
    "scenes": "cyan",
    "merging": "cyan",
    "restarting": "yellow",
    "cancelled": "yellow",
    "parked": "red",
    "failed": "red",
    "quarantined": "red",
}


def style(state: str) -> str:
    return _STYLES.get(state, "")


def coloured(state: str) -> Text:
    return Text(state, style=style(state))
