"""What devices and packages cannot do."""

from __future__ import annotations

import pytest

from vlmd.core.abilities import PACKAGES, Card, Wishes, can_flash, lacking, missing_packages
from vlmd.core.errors import Code

CPU, VOLTA = Card("a CPU", None), Card("Tesla V100", (7, 0))
TURING, AMPERE = Card("Tesla T4", (7, 5)), Card("NVIDIA A10", (8, 6))


@pytest.mark.parametrize(
    ("precision", "able"),
    [
        ("auto", [CPU, VOLTA, TURING, AMPERE]),
        ("fp32", [CPU, VOLTA, TURING, AMPERE]),
        ("fp16", [CPU, VOLTA, TURING, AMPERE]),
        ("nf4", [CPU, VOLTA, TURING, AMPERE]),
        ("int8", [CPU, TURING, AMPERE]),
        ("bf16", [CPU, AMPERE]),
    ],
)
def test_precisions_that_a_device_lacks(precision: str, able: list[Card]) -> None:
    wishes = Wishes(precision, "auto", adapter=False)
    found = {card: list(lacking(wishes, card, PACKAGES)) for card in (CPU, VOLTA, TURING, AMPERE)}
    assert [card for card, faults in found.items() if not faults] == able
    for card, faults in found.items():
        assert all(fault.code == Code.PRECISION_UNSUPPORTED and card.name in fault.found for fault in faults)
        assert all('"auto"' in fault.remedy for fault in faults)


@pytest.mark.parametrize(
    ("card", "precision", "installed", "able"),
    [
        (AMPERE, "bf16", PACKAGES, True),
        (AMPERE, "nf4", PACKAGES, True),
        (AMPERE, "fp32", PACKAGES, False),
        (AMPERE, "bf16", (), False),
        (TURING, "fp16", PACKAGES, False),
        (CPU, "bf16", PACKAGES, False),
    ],
)
def test_flash_attention(card: Card, precision: str, installed: tuple[str, ...], able: bool) -> None:
    assert can_flash(precision, card, installed) == able
    asked = list(lacking(Wishes(precision, "flash", adapter=False), card, installed))
    assert [fault for fault in asked if "flash-attn" in fault.found] == ([] if able else asked)
    assert not list(lacking(Wishes("auto", "auto", adapter=False), card, installed)), "auto takes SDPA"


def test_packages_that_are_not_there() -> None:
    def told(wishes: Wishes, *there: str) -> list[str]:
        faults = list(missing_packages(wishes, there))
        assert {fault.code for fault in faults} <= {Code.INCOMPATIBLE_VERSION}
        return [fault.found.split("package ")[1].split(",")[0] for fault in faults]

    assert told(Wishes("nf4", "auto", adapter=True)) == ["bitsandbytes", "peft"]
    assert told(Wishes("int8", "auto", adapter=False)) == ["bitsandbytes"]
    assert told(Wishes("int8", "auto", adapter=True), *PACKAGES) == []
    assert told(Wishes("bf16", "auto", adapter=False)) == []
