"""A reading that hangs holds nobody up, and no second one is started beside it."""

from __future__ import annotations

import asyncio

from vlmd.supervisor.lately import Lately


async def test_the_last_value_is_told_while_a_reading_hangs() -> None:
    answers: list[asyncio.Future[int]] = []

    async def read() -> int:
        answers.append(asyncio.get_running_loop().create_future())
        return await answers[-1]

    value = Lately(read, 0, fresh_seconds=0.0, patience_seconds=0.01)
    assert [await value.get(), await value.get()] == [0, 0]
    assert len(answers) == 1
    answers[0].set_result(5)
    assert await value.get() == 5
    assert await value.get() == 5
    assert len(answers) == 2, "the value was not fresh any more"
    answers[1].set_result(6)
    assert await value.get() == 6


async def test_a_fresh_value_is_not_read_again() -> None:
    read = 0

    async def count() -> int:
        nonlocal read
        read += 1
        return read

    value = Lately(count, 0, fresh_seconds=60.0)
    assert [await value.get(), await value.get()] == [1, 1]
