"""The commands that a section of the README tells people to type."""

from __future__ import annotations

import re


def commands(text: str, heading: str) -> list[str]:
    """Every line of the section's code blocks, up to the next heading of any level."""
    match = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    if match is None:
        raise ValueError(f"the README has no section {heading!r}")
    blocks = re.findall(r"^```\n(.*?)^```$", match[1], re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]
