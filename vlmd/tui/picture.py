"""One frame as SVG: for documents, and for people who are asked what they see."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

_THEME = TerminalTheme(
    background=(22, 24, 30),
    foreground=(204, 209, 219),
    normal=[
        (60, 64, 74),
        (240, 113, 120),
        (126, 200, 127),
        (235, 192, 104),
        (110, 168, 254),
        (200, 146, 234),
        (97, 205, 214),
        (204, 209, 219),
    ],
)
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""rich would have them fetched from a foreign server."""


def svg(lines: Sequence[Text], width: int) -> str:
    """In colour, whatever the terminal can do."""
    console = Console(
        file=io.StringIO(),
        width=width,
        record=True,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        legacy_windows=False,
    )
    for line in lines:
        console.print(line)
    return _FONTS.sub("", console.export_svg(title="vlmd top", theme=_THEME, unique_id="vlmd-top"))
