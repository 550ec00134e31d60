"""A driver that is missing, hangs, or comes back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vlmd.supervisor.devices.nvml import Card, Nvml, NvmlError, Reading

ROOT = Path(__file__).parents[2]
CARD = Card(index=0, uuid="GPU-1", label="Stub")


def test_the_real_library_missing_is_told() -> None:
    code = """
import asyncio, pynvml, ctypes
from vlmd.supervisor.devices.nvml import Nvml, NvmlError
def missing(name):
    raise OSError(name)
pynvml.CDLL = missing
try:
    asyncio.run(Nvml().cards())
except NvmlError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "no NVIDIA driver is installed, or this container was not given it" in ran.stdout


async def test_while_one_question_hangs_no_other_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def hang() -> list[Card]:
        asked.append(time.monotonic())
        time.sleep(0.5)
        return []

    monkeypatch.setattr("vlmd.supervisor.devices.nvml._list_cards", hang)
    nvml = Nvml(deadline=0.05)
    with pytest.raises(NvmlError, match="did not answer within"):
        await nvml.cards()
    with pytest.raises(NvmlError, match="still not answered"):
        await nvml.cards()
    assert (await nvml.readings(["GPU-1"]))["GPU-1"] == Reading(
        problem="the NVIDIA driver hangs: an earlier question is still not answered"
    )
    assert len(asked) == 1


async def test_a_driver_that_recovers_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow() -> list[Card]:
        time.sleep(0.2)
        return [CARD]

    monkeypatch.setattr("vlmd.supervisor.devices.nvml._list_cards", slow)
    nvml = Nvml(deadline=0.05)
    with pytest.raises(NvmlError, match="did not answer within"):
        await nvml.cards()
    await _until(lambda: not nvml._unanswered)
    monkeypatch.setattr("vlmd.supervisor.devices.nvml._list_cards", lambda: [CARD])
    nvml._deadline = 20
    assert await nvml.cards() == [CARD]


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)
