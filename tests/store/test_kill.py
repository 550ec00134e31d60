"""A writer killed at any moment loses nothing it has acknowledged, and keeps nothing by halves."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

from tests.store.making import answered, delivery, leased, planned, rows, state
from vlmd.store import Store, windows

KILLS = 20
WINDOWS = 2000


async def prepare(database: Path) -> None:
    store = await Store.open(database)
    await planned(store, count=WINDOWS)
    await store.close()


async def serve(database: Path) -> None:
    """Answer windows, a few at a time, and say which ones are on disk, until killed."""
    store = await Store.open(database)
    await store.write(windows.recover, 3)
    while True:
        lease = await leased(store, 1, random.randint(1, 12))
        given = [delivery(lease.id, window.index, f"answer {window.index}") for window in lease.windows]
        while given:
            batch, given = given[:5], given[5:]
            accepted, _ = await store.write(windows.checkpoint, batch, 4)
            print(*(one.answer.window for one in accepted), flush=True)


def killed_while_serving(database: Path, dice: random.Random) -> set[int]:
    """The windows one life of a writer acknowledged before it was killed."""
    command = [sys.executable, "-m", "tests.store.test_kill", str(database)]
    acknowledged: set[int] = set()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as writer:
        assert writer.stdout is not None
        for _ in range(dice.randint(1, 20)):
            acknowledged |= set(map(int, writer.stdout.readline().split()))
        writer.kill()
        acknowledged |= {int(word) for line in writer.stdout if line.endswith("\n") for word in line.split()}
    return acknowledged


async def test_a_killed_writer_loses_nothing_acknowledged(database: Path) -> None:
    await prepare(database)
    dice, acknowledged = random.Random(0), set[int]()
    for _ in range(KILLS):
        more = killed_while_serving(database, dice)
        assert more and not more & acknowledged
        acknowledged |= more
        kept = rows(
            database,
            "SELECT idx, text FROM windows JOIN answers ON answers.id = answer_id WHERE windows.state = 'answered'",
        )
        assert all(row["text"] == f"answer {row['idx']}" for row in kept)
        assert {row["idx"] for row in kept} >= acknowledged
    assert rows(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    (job,) = rows(database, "SELECT answered, total FROM jobs")
    assert (job["answered"], job["total"]) == (len(kept), WINDOWS)
    assert len(rows(database, "SELECT * FROM answers")) == len(kept)
    store = await Store.open(database)
    await store.write(windows.recover, 5)
    await answered(store, 1, "at last")
    await store.close()
    assert state(database, 1) == "merging"


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
