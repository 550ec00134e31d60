"""Jobs that ask the same of the same content: one of them is asked, the others wait for its answers."""

from __future__ import annotations

import aiosqlite

from vlmd.store.rows import change


async def wake_twins(db: aiosqlite.Connection, job_id: int, now: int) -> None:
    """The next job that waited for this one looks again at what is left to ask; when it ends, the one after it."""
    await change(
        db,
        "UPDATE jobs SET state = 'indexing', changed_at = ? WHERE id = (SELECT min(twin.id) FROM jobs AS twin, jobs"
        " WHERE twin.state = 'waiting' AND jobs.id = ? AND (twin.fingerprint, twin.recipe) ="
        " (jobs.fingerprint, jobs.recipe))",
        (now, job_id),
    )
