"""What all messages have in common."""

from __future__ import annotations

from typing import Literal

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all: the class name is the tag on the wire."""


class Gone(Message, frozen=True):
    """Added by the reader of a link: nothing more will come."""

    exit: str
    how: Literal["exit", "signal", "protocol"] = "exit"
