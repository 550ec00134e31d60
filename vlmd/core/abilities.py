"""What a device, or the installed packages, cannot do of what a model is configured for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from vlmd.core.errors import Code
from vlmd.core.faults import Fault

PACKAGES = ("bitsandbytes", "flash_attn", "peft")
"""Modules that some models need beside transformers."""
_BF16, _INT8, _FLASH = (8, 0), (7, 5), (8, 0)
"""Compute capabilities of NVIDIA's from which on there are bf16 (Ampere), bitsandbytes' int8 (Turing), flash-attn."""
_AUTO = 'set its precision to "auto"'


class Card(NamedTuple):
    """A device: what it is called, and its compute capability; None for a CPU."""

    name: str
    capability: tuple[int, int] | None


class Wishes(NamedTuple):
    """What a model is configured for."""

    precision: str
    attention: str
    adapter: bool


def missing_packages(wishes: Wishes, installed: Collection[str]) -> Iterator[Fault]:
    """What has to be installed for it; `installed` are modules of `PACKAGES`."""
    if wishes.precision in ("nf4", "int8") and "bitsandbytes" not in installed:
        found = f'precision = "{wishes.precision}" needs the package bitsandbytes, which is not installed'
        yield Fault(Code.INCOMPATIBLE_VERSION, found, 'install it, or set its precision to "bf16" or "fp16"')
    if wishes.adapter and "peft" not in installed:
        found = "an adapter needs the package peft, which is not installed"
        yield Fault(Code.INCOMPATIBLE_VERSION, found, "install vlmd[adapters]")


def lacking(wishes: Wishes, card: Card, installed: Collection[str]) -> Iterator[Fault]:
    """What a device cannot compute. A CPU computes every precision, slowly."""
    capability = card.capability
    if capability is not None and wishes.precision == "bf16" and capability < _BF16:
        found = f"{_of(card, capability)} has no bf16, which torch would only imitate, slowly"
        yield Fault(Code.PRECISION_UNSUPPORTED, found, f'{_AUTO}, "fp16" or "fp32"')
    if capability is not None and wishes.precision == "int8" and capability < _INT8:
        found = f"{_of(card, capability)} has no int8, which takes 7.5 or higher"
        yield Fault(Code.PRECISION_UNSUPPORTED, found, f'{_AUTO}, "nf4" or "fp16"')
    if wishes.attention == "flash" and not can_flash(wishes.precision, card, installed):
        found = 'attention = "flash" needs the package flash-attn, a GPU from Ampere on, and bf16 or fp16'
        yield Fault(Code.PRECISION_UNSUPPORTED, found, 'leave its attention at "auto", which takes SDPA here')


def can_flash(precision: str, card: Card, installed: Collection[str]) -> bool:
    """Whether flash-attn can be used; quantized weights are computed with in half precision."""
    return (
        "flash_attn" in installed and precision != "fp32" and card.capability is not None and card.capability >= _FLASH
    )


def _of(card: Card, capability: tuple[int, int]) -> str:
    return f"{card.name} (compute capability {capability[0]}.{capability[1]})"
