"""What model a configured name stands for: its folder, its architecture, and a digest of its files.

The digest is the revision in every recipe: weights that differ in one byte are another model. Hashing tens of
gigabytes takes a while, so digests are remembered beside the database, under each file's size and time of change.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Collection, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from vlmd.config import ModelSettings, Settings
from vlmd.core.errors import ConfigError
from vlmd.core.memory import Stored, weight_bytes
from vlmd.core.messages import ModelSpec
from vlmd.supervisor.figures import shape

logger = logging.getLogger("vlmd.models")

_MEANINGLESS = {".md", ".txt", ".png", ".jpg", ".gitattributes"}
"""Files of these kinds, but for the tokenizer's own text files, say nothing about answers."""
_CHUNK = 1 << 22
_LARGEST_HEADER = 100_000_000
"""Of a safetensors file, in bytes, as its format has it."""
_SAID_EVERY_SECONDS = 2.0


def model_specs(settings: Settings, known: Collection[str] = ()) -> dict[str, ModelSpec]:
    """Every model a pipeline uses, but for those that are known; reads their files."""
    cache = settings.paths.state / "model-digests.json"
    used = {pipeline.model for pipeline in settings.pipelines.values()}
    return {
        name: replace(model_spec(name, model, settings.devices.threads, cache), shape=shape(settings, name))
        for name, model in settings.models.items()
        if name in used and name not in known
    }


def model_spec(name: str, settings: ModelSettings, threads: int, cache: Path) -> ModelSpec:
    """Everything a worker has to know of a model. Raises `ConfigError` when its folder is not a checkpoint."""
    folder = folder_of(settings)
    family = _architecture(name, folder)
    return ModelSpec(
        name=name,
        path=str(folder),
        revision=_revision(folder, cache),
        family=family,
        precision=settings.precision,
        max_batch=settings.max_batch,
        threads=threads,
        attention=settings.attention,
        adapter=None if settings.adapter is None else str(settings.adapter),
        weight_bytes=weight_bytes(_stored(folder), settings.precision),
    )


def check_model(name: str, settings: ModelSettings) -> None:
    """Raises `ConfigError` when the model's folder is not a checkpoint; reads next to nothing."""
    _architecture(name, folder_of(settings))


def folder_of(settings: ModelSettings) -> Path:
    """Where its checkpoint lies."""
    return demo_folder() if settings.is_demo else Path(settings.path)


def demo_folder() -> Path:
    """Where the toy model lies that comes with vlmd."""
    return Path(str(resources.files("vlmd.demo") / "model"))


def _architecture(name: str, folder: Path) -> str:
    where = f"models.{name}.path"
    try:
        config = json.loads((folder / "config.json").read_text())
        return str(config["architectures"][0])
    except FileNotFoundError:
        raise ConfigError([f"{where}: {folder} holds no config.json; expected a folder with a checkpoint"]) from None
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ConfigError([f"{where}: {folder}/config.json names no architecture ({error!r})"]) from error


def _stored(folder: Path) -> dict[str, Stored]:
    """The weights by type, from the headers of the files that are loaded; nothing where they cannot be read.

    What is wrong with such files is for the worker to say, which loads them.
    """
    kinds: dict[str, Stored] = {}
    try:
        for path in _weight_files(folder):
            for tensor in _header(path).values():
                kind, (begin, end) = tensor["dtype"], tensor["data_offsets"]
                known = kinds.get(kind, Stored(0, 0))
                kinds[kind] = Stored(known.elements + math.prod(tensor["shape"]), known.bytes + end - begin)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s: the size of its weights is not known: %r", folder, error)
        return {}
    return kinds


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        return sorted({folder / name for name in json.loads(index.read_text())["weight_map"].values()})
    return list(folder.glob("model.safetensors"))


def _header(path: Path) -> dict[str, Any]:
    """What a safetensors file says of its tensors."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > _LARGEST_HEADER:
            raise ValueError(f"{path.name} begins with a header of {size} bytes")
        header: dict[str, Any] = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return header


def _revision(folder: Path, cache: Path) -> str:
    """sha256 over the names and contents of the checkpoint's files."""
    remembered = _remembered(cache)
    digests = {}
    revision = hashlib.sha256()
    for path in sorted(_files(folder)):
        facts = path.stat()
        key = f"{path}:{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ino}"
        digests[key] = remembered.get(key) or _digest(path, facts.st_size)
        revision.update(f"{path.relative_to(folder)}\0{digests[key]}\n".encode())
    _remember(cache, remembered | digests)
    return revision.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        named = path.suffix not in _MEANINGLESS or path.name in ("merges.txt", "vocab.txt")
        if path.is_file() and named and not hidden:
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
