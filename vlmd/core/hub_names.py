"""Names on the model hub: what one looks like, and which name to use in place of one that vlmd cannot. Pure."""

from __future__ import annotations

import re

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_HUB_NAME = re.compile(rf"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,98}[A-Za-z0-9_-])?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
MAIN = "main"
"""The revision that counts where none is named."""

_IN_OWN_FORMAT = re.compile(r"opengvlab/internvl3(?:_5)?-\d+b(?:-a\d+b)?", re.IGNORECASE)
"""Repositories whose weights only load with code of their own, and which exist a second time without."""


def is_hub_name(text: str) -> bool:
    """It is "owner/name" as the hub has them: no "--" and no ".." in it."""
    return bool(_HUB_NAME.fullmatch(text)) and "--" not in text and ".." not in text


def is_revision(text: str) -> bool:
    return bool(_REVISION.fullmatch(text)) and ".." not in text and "//" not in text


def is_commit(text: str) -> bool:
    return bool(_COMMIT.fullmatch(text))


def name_to_use(hub: str) -> str | None:
    """The repository that holds the same weights in the form that vlmd loads; None where `hub` itself may be it."""
    if not _IN_OWN_FORMAT.fullmatch(hub):
        return None
    return f"{hub}-HF" if "3_5" in hub else f"{hub}-hf"
