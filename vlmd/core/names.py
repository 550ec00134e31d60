"""File names may be any bytes; what is shown and what is written must not be."""

from __future__ import annotations

import hashlib
import os
import unicodedata

_MAX_COMPONENT = 200
"""Bytes; leaves room for a suffix within the 255 a filesystem allows."""


def shown(raw: bytes | str) -> str:
    """Text safe to print anywhere: control, format and undecodable characters become visible escapes."""
    text = os.fsdecode(raw) if isinstance(raw, bytes) else raw
    return "".join(_visible(character) for character in text)


def result_base(relative: bytes) -> str:
    """Path of a result below its pipeline's folder, without ".json": the video's own path, made harmless."""
    return "/".join(_component(part) for part in relative.split(b"/") if part not in (b"", b".", b".."))


def with_claim(base: str, fingerprint: str) -> str:
    """Another path for the same video, where `base` belongs to a different one."""
    return f"{base}~{fingerprint[:12]}"


def _visible(character: str) -> str:
    if character.isprintable() and unicodedata.category(character) not in ("Cf", "Cs", "Co", "Cn"):
        return character
    point = ord(character)
    if 0xDC80 <= point <= 0xDCFF:
        return f"\\x{point - 0xDC00:02x}"
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{{{point:x}}}"


def _component(part: bytes) -> str:
    """One path component; one that had to be changed gets a digest, so that no two become alike."""
    text = shown(part).replace("\\", "%")
    short = text.encode()[:_MAX_COMPONENT].decode(errors="ignore")
    if os.fsencode(short) == part:
        return short
    return f"{short}~{hashlib.sha256(part).hexdigest()[:8]}"
