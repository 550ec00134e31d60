"""However a process of ours ends, whoever listens to it hears `Gone`, and nothing else happens to the daemon."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import pytest

from tools.chaos_kit.processes import descendants
from vlmd.core.messages.base import Gone
from vlmd.core.messages.worker import FromWorker, Shutdown
from vlmd.supervisor.process import Child


async def heard(child: Child[FromWorker]) -> list[object]:
    async with asyncio.timeout(10):
        return [message async for message in child.messages()]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(78)", "it ended with exit code 78"),
        ("import os; os.abort()", "it was killed by SIGABRT"),
        ("import os, sys; os.write(int(sys.argv[2]), b'X' * 64)", "it broke the protocol"),
    ],
)
async def test_an_end_is_told_in_words(code: str, words: str) -> None:
    child: Child[FromWorker] = await Child.start([sys.executable, "-c", code], FromWorker)
    (gone,) = await heard(child)
    assert isinstance(gone, Gone)
    assert words in gone.exit


async def test_writing_to_a_process_that_has_just_died_harms_nobody() -> None:
    child: Child[FromWorker] = await Child.start([sys.executable, "-c", "import time; time.sleep(60)"], FromWorker)
    (process,) = [found for found in descendants(os.getpid()) if found.pid == child.pid]
    process.send(signal.SIGKILL)
    while process.alive():
        time.sleep(0.001)  # blocks the loop on purpose: it must not see the death before it writes
    child.send(Shutdown())
    assert await heard(child) == [Gone(exit="it was killed by SIGKILL", how="signal")]
