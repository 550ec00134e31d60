"""What a process did to the disk, as the shim of tests/faults wrote it down."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEAD = struct.Struct("=IIIIq")
_KINDS = ("create", "write", "sync", "truncate", "rename", "unlink", "mkdir")
ACKNOWLEDGED = "acknowledged"
"""The file in which a daemon under test writes what it has acknowledged."""


@dataclass(frozen=True)
class Effect:
    """One side effect that happened."""

    kind: str
    path: str
    other: str
    offset: int
    data: bytes

    @property
    def said(self) -> list[dict[str, Any]]:
        """What was acknowledged by it; nothing for effects that are none of that kind."""
        if self.kind != "write" or Path(self.path).name != ACKNOWLEDGED:
            return []
        return [json.loads(line) for line in self.data.splitlines()]


def read(path: Path) -> Iterator[Effect]:
    """Every effect in order."""
    content = path.read_bytes()
    at = 0
    while at < len(content):
        kind, *lengths, offset = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        parts = []
        for length in lengths:
            parts.append(content[at : at + length])
            at += length
        name, other, data = parts
        yield Effect(_KINDS[kind], name.decode(errors="surrogateescape"), other.decode(), offset, data)
