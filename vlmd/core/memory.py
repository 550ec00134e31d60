"""A GPU's memory against what a model needs of it at the least, as far as its files tell. Pure.

What `core.plans` reckons from a model's figures is closer; this counts until they are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONTEXT_BYTES = 600 << 20
"""A CUDA context with torch's kernels and cuBLAS' workspace; 400 to 600 MiB were seen on current drivers."""
ACTIVATION_BYTES = 1 << 30
"""Room without which not even one small window can be answered."""

_WEIGHT_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1, "nf4": 0.5, "auto": 0.5}
"""Bytes of a weight as it lies on a GPU, at the least: "auto" may come to nf4, which leaves some weights larger."""
_STORED_FLOATS = {"F64", "F32", "F16", "BF16"}
"""safetensors' names of what is converted to the wanted precision; everything else stays as it is stored."""


@dataclass(frozen=True)
class Stored:
    """The weights of one type in a checkpoint."""

    elements: int
    bytes: int


@dataclass(frozen=True)
class User:
    """A process that has memory of a GPU."""

    pid: int
    name: str
    bytes: int | None


@dataclass(frozen=True)
class Memory:
    """A GPU's memory, in bytes, and who has it."""

    free: int
    total: int
    users: Sequence[User] = ()


def weight_bytes(stored: Mapping[str, Stored], precision: str) -> int:
    """Bytes of the weights once they are loaded; `stored` by safetensors' name of their type."""
    each = _WEIGHT_BYTES[precision]
    return sum(int(part.elements * each) if kind in _STORED_FLOATS else part.bytes for kind, part in stored.items())


def needed_bytes(weights: int) -> int:
    """The least free memory with which loading is worth trying, as far as files tell: a lower bound."""
    return weights + CONTEXT_BYTES + ACTIVATION_BYTES


def shortage(needs: int, memory: Memory) -> str | None:
    """Why a model that needs so much is not loaded now; None if it fits."""
    if needs <= memory.free:
        return None
    if needs > memory.total:
        return f"needs {_gb(needs)}, the GPU has {_gb(memory.total)} in all"
    said = f"needs {_gb(needs)}, {_gb(memory.free)} of {_gb(memory.total)} are free"
    return f"{said}; used by {_listed(memory.users)}" if memory.users else said


def never_fits(needs: int, memory: Memory) -> bool:
    return needs > memory.total


def _listed(users: Sequence[User]) -> str:
    return ", ".join(
        f"PID {user.pid} ({user.name}{'' if user.bytes is None else ', ' + _gb(user.bytes)})" for user in users
    )


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
