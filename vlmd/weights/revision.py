"""The revision of a checkpoint: a digest of its files, in every recipe. One byte changed is another model.

Hashing tens of gigabytes takes a while, so digests are remembered beside the database, under each file's size and
time of change.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from vlmd.weights.checkpoint import PICKLES
from vlmd.weights.places import RECORD

logger = logging.getLogger("vlmd.models")

_MEANINGLESS = {".md", ".txt", ".png", ".jpg", ".gitattributes", ".py", ".gguf", ".onnx", *PICKLES}
"""Files of these kinds are never loaded, but for the tokenizer's own text files: they say nothing about answers."""
_CHUNK = 1 << 22
_SAID_EVERY_SECONDS = 2.0


def revision_of(folder: Path, cache: Path, adapter: Path | None = None) -> str:
    """sha256 over the names and contents of the checkpoint's files, and of an adapter's that lies over it."""
    remembered = _remembered(cache)
    digests: dict[str, str] = {}
    revision = hashlib.sha256()
    for path, name in _named(folder, adapter):
        facts = path.stat()
        key = f"{path}:{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ino}"
        digests[key] = remembered.get(key) or _digest(path, facts.st_size)
        revision.update(f"{name}\0{digests[key]}\n".encode())
    _remember(cache, remembered | digests)
    return revision.hexdigest()


def _named(folder: Path, adapter: Path | None) -> Iterator[tuple[Path, str]]:
    """Every file that counts, and its name; an adapter's files are never taken for the checkpoint's."""
    yield from ((path, str(path.relative_to(folder))) for path in sorted(_files(folder)))
    if adapter is not None:
        yield from ((path, f"adapter\0{path.relative_to(adapter)}") for path in sorted(_files(adapter)))


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        named = path.suffix not in _MEANINGLESS or path.name in ("merges.txt", "vocab.txt")
        if path.is_file() and named and not hidden and path.name != RECORD:
            yield path


def _digest(path: Path, size: int) -> str:
    progress = _Progress(path.name, size)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            progress.read(len(chunk), time.monotonic())
    return digest.hexdigest()


class _Progress:
    """Says every few seconds how far a large file is read, and how long the rest will take."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._read = 0
        self._begun = self._said = time.monotonic()

    def read(self, count: int, now: float) -> None:
        self._read += count
        if now - self._said >= _SAID_EVERY_SECONDS:
            self._said = now
            share = self._read / self._size
            left = (now - self._begun) * (1 - share) / share
            logger.info("reading %s to know its revision: %.0f %%, %.0f s left", self._name, 100 * share, left)


def _remembered(cache: Path) -> dict[str, str]:
    try:
        content = json.loads(cache.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        logger.warning("%s is damaged; model files are read again", cache)
        return {}
    return content if isinstance(content, dict) else {}


def _remember(cache: Path, digests: dict[str, str]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = cache.with_suffix(".tmp")
    temporary.write_text(json.dumps(digests, indent=0))
    os.replace(temporary, cache)
