"""A year of daily use on one database: how large it gets with forgetting and without, and what looking at it costs.

    python tools/bench_year.py [--days 365] [--jobs 40] [--windows 200] [--keep-all]

Every job is registered, planned, leased, answered and merged with the day's time passed in, with a row for every
change of every window, as the daemon leaves it; but a day is one transaction, to get through a year. Once a day the
daemon's own sweep runs, with the retention of a plain config.toml. One answer in five holds an event. Prints Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiosqlite
import msgspec
from msgspec.structs import replace

from vlmd.config import parse_settings
from vlmd.core.answers import Token
from vlmd.core.inputs import Outcome
from vlmd.core.recipe import Generation, Recipe
from vlmd.core.retention import cutoffs
from vlmd.core.tasks.prompts import EVENTS_PROMPT
from vlmd.core.video import FileIdentity, FileRef, VideoFacts, VideoIndex
from vlmd.core.windows import SlidingPlan, plan_windows
from vlmd.store import Store, files, jobs, reader, views
from vlmd.store.retention import Forgotten
from vlmd.store.sweep import Sweep

DAY = 86_400_000
START = 1_800_000_000_000
LEASE = 32
EVENT = '[{"label": "Corner", "team": "home", "confidence": 0.9, "details": "taken short from the left side"}]'
_COLUMNS = ("day", "jobs", "answers", "MB", "status ms", "list ms", "job ms", "longest wait ms", "quick_check s")
RECIPE = Recipe(
    model="m", revision="r" * 64, family="F", precision="auto", frame_edge=448, fps=5.0, prompt=EVENTS_PROMPT,
    generation=Generation(),
)  # fmt: skip


@dataclass
class Year:
    """One simulated year."""

    store: Store
    database: Path
    jobs_a_day: int
    keep_all: bool
    plan: jobs.Plan
    job: int = 0
    longest_ms: float = 0.0

    async def day(self, number: int) -> Forgotten:
        now = START + number * DAY
        await self.store.write(self._jobs, now)
        if self.keep_all:
            return Forgotten()
        keep = parse_settings({}).retention
        sweep = Sweep(self.store, self.database, cutoffs(keep, now + DAY), rest=False)
        await sweep.run()
        self.longest_ms = max(self.longest_ms, sweep.longest_ms)
        return sweep.done

    async def _jobs(self, db: aiosqlite.Connection, now: int) -> None:
        for at in range(self.jobs_a_day):
            await self._one_job(db, now + at * DAY // self.jobs_a_day)

    async def _one_job(self, db: aiosqlite.Connection, now: int) -> None:
        self.job += 1
        path = f"/srv/vlmd/inbox/soccer/season/match-{self.job:06}.mkv".encode()
        ref = FileRef(b"/srv/vlmd/inbox", path, FileIdentity(self.job, 1 << 30, now))
        name = f"season/match-{self.job:06}.mkv"
        new = files.NewJob(file=ref, origin="inbox", pipeline="soccer", name=name, base=f"soccer/{name}")
        job, _ = await files.register(db, new, now)
        await jobs.plan(db, job, another_video(self.plan, self.job), now)
        await answer_all(db, job, now)
        await jobs.merged(db, job, '{"events": 60, "windows_with_events": 60}', Outcome(), now)


def video(count: int) -> jobs.Plan:
    """A video that is cut into so many windows of 3 s every 2 s at 5 pictures a second."""
    duration = count * 2000 + 1000
    facts = VideoFacts(
        fingerprint="", size_bytes=1 << 30, container="matroska", codec="h264", pixel_format="yuv420p",
        width=1920, height=1080, rotation=0, duration_ms=duration, start_ms=0, frames=duration // 40, truncated=False,
        bad_packets=0,
    )  # fmt: skip
    pts = list(range(0, duration, 40))
    index = VideoIndex(facts=facts, time_base=(1, 1000), pts=pts, keyframes=pts[::50])
    sliding = SlidingPlan()
    return jobs.Plan(index, RECIPE, plan_windows(index, sliding, 10**6), sliding)


def another_video(like: jobs.Plan, number: int) -> jobs.Plan:
    """The same length, other bytes."""
    facts = replace(like.index.facts, fingerprint=f"{number:064x}")
    return replace(like, index=replace(like.index, facts=facts))


async def answer_all(db: aiosqlite.Connection, job: int, now: int) -> None:
    """Every window leased, and answered; the job goes on to be merged."""
    async with db.execute("SELECT count(*), min(id) FROM windows WHERE job_id = ?", (job,)) as cursor:
        (count, first), *_ = await cursor.fetchall()
    await db.execute("UPDATE jobs SET state = 'running', started_at = ?, changed_at = ? WHERE id = ?", (now, now, job))
    for at in range(first, first + count, LEASE):
        await db.execute("INSERT INTO leases (job_id, worker, granted_at) VALUES (?, 'cuda:0', ?)", (job, now))
        await db.execute(
            "UPDATE windows SET state = 'leased', attempt = 1, changed_at = ?, lease = (SELECT max(id) FROM leases)"
            " WHERE id BETWEEN ? AND ?",
            (now, at, min(at + LEASE, first + count) - 1),
        )
    for chosen, text in (("id % 5 > 0", "None"), ("id % 5 = 0", EVENT)):
        tokens = [Token(at, -0.0123456789) for at in range(0, len(text), 3)]
        await db.execute(
            "INSERT INTO answers (fingerprint, start_ms, end_ms, asked, actual, degraded, text, tokens, finish,"
            " frame_times_ms, frames_asked, frame_digest, prompt_tokens, new_tokens, worker, attempt, batch,"
            " prepare_ms, generate_ms, answered_at)"
            " SELECT fingerprint, start_ms, end_ms, recipe, recipe, 0, ?, ?, 'stop', times_ms, 15, ?, 1200, ?,"
            f" 'cuda:0', 1, 8, 100, 900, ? FROM windows JOIN jobs ON jobs.id = job_id"
            f" WHERE job_id = ? AND windows.{chosen}",
            (text, msgspec.msgpack.encode(tokens), "d" * 64, len(tokens), now, job),
        )
    await db.execute(
        "UPDATE windows SET state = 'answered', lease = NULL, changed_at = ?, answer_id = (SELECT answers.id"
        " FROM answers JOIN jobs ON jobs.id = windows.job_id WHERE answers.fingerprint = jobs.fingerprint"
        " AND asked = recipe AND answers.start_ms = windows.start_ms AND answers.end_ms = windows.end_ms)"
        " WHERE job_id = ?",
        (now, job),
    )
    await db.execute("UPDATE jobs SET state = 'merging', changed_at = ? WHERE id = ?", (now, job))


def milliseconds(look: Callable[[sqlite3.Connection], object], database: Path) -> float:
    begun = time.perf_counter()
    with reader.snapshot(database) as db:
        look(db)
    return (time.perf_counter() - begun) * 1000


async def simulate(options: argparse.Namespace, database: Path) -> None:
    store = await Store.open(database)
    year = Year(store, database, options.jobs, options.keep_all, video(options.windows))
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
    for day in range(options.days):
        await year.day(day)
        if (day + 1) % options.every == 0 or day + 1 == options.days:
            print(row(day + 1, year), flush=True)
    await store.close()


def row(day: int, year: Year) -> str:
    with reader.snapshot(year.database) as db:
        counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("jobs", "answers")]
    looks: list[Callable[[sqlite3.Connection], object]] = [
        views.queue_status,
        lambda db: views.job_list(db, None, None, 1000),
        lambda db: views.job_detail(db, year.job),
    ]
    times = [f"{milliseconds(look, year.database):.1f}" for look in looks]
    check = milliseconds(lambda db: db.execute("PRAGMA quick_check").fetchall(), year.database) / 1000
    size = year.database.stat().st_size / 1e6
    cells = [day, *counts, f"{size:.0f}", *times, f"{year.longest_ms:.0f}", f"{check:.1f}"]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--jobs", type=int, default=40, help="videos a day")
    parser.add_argument("--windows", type=int, default=200, help="windows of a video")
    parser.add_argument("--every", type=int, default=30, help="days between two lines")
    parser.add_argument("--keep-all", action="store_true", help="forget nothing, to compare")
    parser.add_argument("--folder", type=Path, help="where the database is made [default: a temporary folder]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vlmd-year-", dir=options.folder) as folder:
        asyncio.run(simulate(options, Path(folder) / "vlmd.db"))


if __name__ == "__main__":
    main()
