"""A checkpoint's folder, as facts: what it is, which files hold its weights, which tensors are in them.

Nothing here judges (`judging` does), and nothing reads a tensor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vlmd.core.errors import VlmdError
from vlmd.weights.headers import BadWeights, Tensor, header

CONFIG, SINGLE, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5"})
"""How files end that may hold weights and can run code."""


class NoCheckpoint(VlmdError):
    """The folder holds no checkpoint; one sentence without what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a config.json. What its weights are is read when it is asked for."""

    folder: Path
    config: Mapping[str, Any]

    @property
    def architecture(self) -> str:
        """The class that serves it, as config.json names it."""
        return architecture_in(self.config)

    @cached_property
    def names(self) -> frozenset[str]:
        """The files in the folder itself."""
        return frozenset(path.name for path in self.folder.iterdir() if path.is_file())

    @cached_property
    def weight_files(self) -> list[Path]:
        """The files that are loaded, in order; those not loaded count for nothing. Raises `BadWeights`."""
        if SINGLE in self.names:
            return [self.folder / SINGLE]
        if INDEX not in self.names:
            raise BadWeights(f"there are no weights ({SINGLE}, or {INDEX} and the files it names)")
        names = named_in(_json(self.folder / INDEX))
        if missing := [name for name in names if name not in self.names]:
            raise BadWeights(f"{len(missing)} of {len(names)} weight files are missing, such as {missing[0]}")
        return [self.folder / name for name in names]

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by its name. Raises `BadWeights`."""
        return {name: tensor for path in self.weight_files for name, tensor in header(path).items()}


def read_checkpoint(folder: Path) -> Checkpoint:
    """Raises `NoCheckpoint` where there is no config.json that names an architecture."""
    try:
        config = json.loads((folder / CONFIG).read_text())
    except FileNotFoundError:
        raise NoCheckpoint(f"{folder} holds no {CONFIG}; expected a folder with a checkpoint") from None
    except OSError as error:
        raise NoCheckpoint(f"{folder / CONFIG} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise NoCheckpoint(f"{folder / CONFIG} is no JSON ({error})") from error
    try:
        architecture_in(config)
    except NoCheckpoint as error:
        raise NoCheckpoint(f"{folder / CONFIG} {error}") from None
    return Checkpoint(folder, config)


def architecture_in(config: Any) -> str:
    """Raises `NoCheckpoint` with the end of a sentence."""
    try:
        first = config["architectures"][0]
    except (KeyError, IndexError, TypeError):
        first = None
    if not isinstance(first, str):
        raise NoCheckpoint("names no architecture")
    return first


def named_in(index: Any) -> list[str]:
    """The weight files that an index names. Raises `BadWeights`."""
    try:
        names = sorted(set(index["weight_map"].values()))
    except (KeyError, TypeError, AttributeError) as error:
        raise BadWeights(f"{INDEX} makes no sense") from error
    if not names or not all(isinstance(name, str) and _is_plain(name) for name in names):
        raise BadWeights(f"{INDEX} names something that is no file beside it")
    return names


def weights_among(names: Collection[str]) -> bool:
    """Whether files of these names can be weights that are loaded."""
    return SINGLE in names or INDEX in names


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"\w[\w.-]*\.safetensors", name) is not None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise BadWeights(f"{path.name} cannot be read ({error})") from error
