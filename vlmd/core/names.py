"""File names may be any bytes; what is shown and what is written must not be."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f]")
_MAX_COMPONENT = 200
"""Bytes; leaves room for a suffix within the 255 a filesystem allows."""


def shown(raw: bytes | str) -> str:
    """Text safe to print anywhere: control, format and undecodable characters become visible escapes."""
    text = os.fsdecode(raw) if isinstance(raw, bytes) else raw
    return "".join(_visible(character) for character in text)


def safe_json(text: str) -> str:
    """The same JSON, with escapes for what could steer a terminal or cannot be written: C1, bidi, lone surrogates."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def plain(text: str) -> str:
    """Text for a file that people open: line ends are \\n, tabs stay; what steers or cannot be written is escaped."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub(_escaped, _UNSAFE.sub(_escaped, lines))


def result_base(relative: bytes) -> str:
    """Path of a result below its pipeline's folder, without ".json": the video's own path, made harmless."""
    return "/".join(_component(part) for part in relative.split(b"/") if part not in (b"", b".", b".."))


def result_component(raw: bytes) -> str:
    """One component of a result's path for whatever calls itself `raw`; no two become alike."""
    harmless = raw.replace(b"/", b"%")
    harmless = b"_" if harmless in (b"", b".", b"..") else harmless
    text = _component(harmless)
    return text if harmless == raw else f"{text}~{hashlib.sha256(raw).hexdigest()[:8]}"


def with_claim(base: str, fingerprint: str) -> str:
    """Another path for the same video, where `base` belongs to a different one."""
    return f"{base}~{fingerprint[:12]}"


def _escaped(match: re.Match[str]) -> str:
    return _visible(match[0])


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
