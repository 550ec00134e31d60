"""What safetensors files say of their tensors, without reading these; a file that was cut off is noticed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmd.core.memory import Stored

_LARGEST_HEADER = 100_000_000
"""Bytes, as the format has it."""


class BadWeights(Exception):
    """Weights that are not what they should be; one sentence without what to do."""


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file; `dtype` by safetensors' name."""

    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def header(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name. Raises `BadWeights` where it is none, or shorter or longer than it says."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= _LARGEST_HEADER:
                raise BadWeights(f"{path.name} is no safetensors file")
            content = file.read(length)
        if len(content) < length:
            raise BadWeights(f"{path.name} was cut off: it ends in the middle of its header")
        raw = json.loads(content)
        raw.pop("__metadata__", None)
        tensors = {name: _tensor(entry) for name, entry in raw.items()}
        end = max((entry["data_offsets"][1] for entry in raw.values()), default=0)
        size = path.stat().st_size
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadWeights(f"{path.name} cannot be read ({_reason(error)})") from error
    if size != 8 + length + end:
        kind = "was cut off: it" if size < 8 + length + end else "is damaged: it"
        raise BadWeights(f"{path.name} {kind} has {size} bytes and should have {8 + length + end}")
    return tensors


def stored(tensors: Iterable[Tensor]) -> dict[str, Stored]:
    """The tensors summed up by type."""
    kinds: dict[str, Stored] = {}
    for tensor in tensors:
        known = kinds.get(tensor.dtype, Stored(0, 0))
        kinds[tensor.dtype] = Stored(known.elements + tensor.elements, known.bytes + tensor.bytes)
    return kinds


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    begin, end = (int(offset) for offset in entry["data_offsets"])
    if not 0 <= begin <= end:
        raise ValueError("a tensor ends before it begins")
    return Tensor(str(entry["dtype"]), tuple(int(edge) for edge in entry["shape"]), end - begin)


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "its header makes no sense"
