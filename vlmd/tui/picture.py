"""One frame as SVG: for documents, and for people who are asked what they see."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

from rich._export_format import CONSOLE_SVG_FORMAT
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
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""rich's, without the fonts it would fetch from a foreign server."""


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
    return console.export_svg(title="vlmd top", theme=_THEME, code_format=_FORMAT, unique_id="vlmd-top")
