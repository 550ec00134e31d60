"""Verbs for manifests: their samples, which jobs they have, and whether a list of them is due."""

from __future__ import annotations

from collections.abc import Sequence

import aiosqlite
import msgspec

from vlmd.core.states import ACTIVE_JOBS
from vlmd.store.rows import change, every, insert, one

_ACTIVE = ", ".join(f"'{state}'" for state in ACTIVE_JOBS)


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """A sample: its number in the manifest, its name, the video as the manifest calls it, and why it has no job."""

    number: int
    name: str
    video: str
    reason: str | None = None


class Due(msgspec.Struct, frozen=True):
    """A collection whose jobs have all ended; `version` says what of it is about to be written."""

    id: int
    base: str
    pipeline: str
    version: int


async def other(db: aiosqlite.Connection, source: bytes, base: str) -> bytes | None:
    """The path of another manifest whose results lie under `base`."""
    row = await one(db, "SELECT source FROM collections WHERE base = ? AND source <> ?", (base, source))
    return None if row is None else row["source"]


async def keep(
    db: aiosqlite.Connection,
    source: bytes,
    base: str,
    pipeline: str,
    samples: Sequence[tuple[Sampled, int | None]],
) -> None:
    """A manifest's samples, each with its job; they take the place of those that were kept under `base`."""
    row = await one(db, "SELECT id FROM collections WHERE base = ?", (base,))
    kept = (
        row["id"]
        if row
        else await insert(
            db, "INSERT INTO collections (source, base, pipeline) VALUES (?, ?, ?)", (source, base, pipeline)
        )
    )
    await change(db, "DELETE FROM samples WHERE collection_id = ?", (kept,))
    await db.executemany(
        "INSERT INTO samples (collection_id, number, name, video, job_id, reason) VALUES (?, ?, ?, ?, ?, ?)",
        [(kept, one.number, one.name, one.video, job, one.reason) for one, job in samples],
    )
    await change(
        db,
        "UPDATE collections SET source = ?, pipeline = ?, version = version + 1, active = (SELECT count(*) FROM samples"
        f" JOIN jobs ON jobs.id = job_id WHERE collection_id = collections.id AND state IN ({_ACTIVE})) WHERE id = ?",
        (source, pipeline, kept),
    )


async def due(db: aiosqlite.Connection) -> list[Due]:
    """Collections whose jobs have all ended, and that changed since they were written."""
    rows = await every(db, "SELECT * FROM collections WHERE active = 0 AND version <> written ORDER BY id")
    return [Due(row["id"], row["base"], row["pipeline"], row["version"]) for row in rows]


async def samples(db: aiosqlite.Connection, collection: int) -> list[aiosqlite.Row]:
    """Its samples in order, with what became of their jobs."""
    return await every(
        db,
        "SELECT number, samples.name, video, job_id, samples.reason AS lacking, state, code, jobs.reason, result,"
        " outcome FROM samples LEFT JOIN jobs ON jobs.id = job_id WHERE collection_id = ? ORDER BY number",
        (collection,),
    )


async def written(db: aiosqlite.Connection, collection: int, version: int) -> None:
    """Its files lie there, as of this version."""
    await change(db, "UPDATE collections SET written = ? WHERE id = ?", (version, collection))
