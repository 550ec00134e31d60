"""Verbs for files: what was seen in the inbox or submitted, and the jobs that follow from it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import aiosqlite
import msgspec

from vlmd.core.errors import Code, Failure
from vlmd.core.inputs import Inputs
from vlmd.core.states import ACTIVE_JOBS
from vlmd.core.video import FileIdentity, FileRef
from vlmd.store import collections, needs
from vlmd.store.rows import change, every, insert, one
from vlmd.store.twins import wake_twins

_ACTIVE = ", ".join(f"'{state}'" for state in ACTIVE_JOBS)


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be: which file, which pipeline, how it is called and where its result is to lie."""

    file: FileRef
    origin: str
    pipeline: str
    name: str
    base: str
    inputs: Inputs | None = None
    priority: int = 0
    once: bool = False
    """A job that has ended counts, too, if nothing else has been asked since that has the same place for its result:
    what was asked once is not asked again but by `vlmd retry`."""
    sample: int | None = None
    """Its number in the manifest that asks."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A file that cannot have a job, and why."""

    file: FileRef
    origin: str
    failure: Failure


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """A file that has no job of its own: a video that others ask of, or the file in which they do."""

    file: FileRef
    origin: str


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """The samples of a manifest, once those of them that have jobs are registered."""

    source: bytes
    """The manifest's path."""
    base: str
    pipeline: str
    samples: list[collections.Sampled]
    jobs: dict[int, int] = {}
    """By the samples' numbers."""


class Taken(msgspec.Struct, frozen=True):
    """What became of a file; `voided` are jobs that ended because this content took their file's place."""

    job: int | None
    voided: list[int]


async def take(
    db: aiosqlite.Connection, found: Sequence[NewJob | Refusal | Noted | Collected], now: int
) -> list[Taken]:
    """Register or refuse many files at once: fifty thousand transactions of their own would take minutes."""
    taken = []
    for file in found:
        if isinstance(file, NewJob):
            taken.append(Taken(*await register(db, file, now)))
        elif isinstance(file, Collected):
            asked = [(sample, file.jobs.get(sample.number)) for sample in file.samples]
            await collections.keep(db, file.source, file.base, file.pipeline, asked)
            taken.append(Taken(None, []))
        elif isinstance(file, Noted):
            voided = await supersede(db, file.file.path, now, keep=file.file.identity)
            await _file(db, file.file, file.origin, now)
            taken.append(Taken(None, voided))
        else:
            taken.append(Taken(None, await refuse(db, file, now)))
    return taken


async def register(db: aiosqlite.Connection, new: NewJob, now: int) -> tuple[int, list[int]]:
    """A job for a file. The same file, pipeline and inputs keep the job they have while that is under way.

    Returns the job's id, and the ids of jobs that ended because this content took their file's place.
    """
    voided = await supersede(db, new.file.path, now, keep=new.file.identity)
    file_id = await _file(db, new.file, new.origin, now)
    inputs = None if new.inputs is None else msgspec.json.encode(new.inputs).decode()
    running = await one(
        db,
        f"SELECT id FROM jobs WHERE file_id = ? AND pipeline = ? AND inputs IS ? AND (state IN ({_ACTIVE})"
        " OR (? AND id = (SELECT max(id) FROM jobs WHERE base = ?)))",
        (file_id, new.pipeline, inputs, new.once, new.base),
    )
    if running is not None:
        return running["id"], voided
    values = (file_id, new.pipeline, new.name, new.base, inputs, new.priority, now, now)
    job_id = await insert(
        db,
        "INSERT INTO jobs (file_id, pipeline, name, base, inputs, priority, state, created_at, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, 'indexing', ?, ?)",
        values,
    )
    return job_id, voided


async def refuse(db: aiosqlite.Connection, refusal: Refusal, now: int) -> list[int]:
    """Record that the file cannot have a job, and why. Returns the ids of jobs its earlier content had."""
    voided = await supersede(db, refusal.file.path, now, keep=None)
    await _insert_file(db, refusal.file, refusal.origin, "refused", refusal.failure, now)
    return voided


async def supersede(db: aiosqlite.Connection, path: bytes, now: int, keep: FileIdentity | None) -> list[int]:
    """Close the rows of `path` whose content is not `keep`; their unfinished jobs are void. Returns those jobs."""
    voided: list[int] = []
    rows = await every(db, "SELECT * FROM files WHERE path = ? AND state <> 'superseded'", (path,))
    for row in rows:
        if row["state"] == "registered" and keep is not None and _identity(row) == keep:
            continue
        await change(db, "UPDATE files SET state = 'superseded', changed_at = ? WHERE id = ?", (now, row["id"]))
        jobs = await every(
            db,
            f"SELECT id FROM jobs WHERE file_id = ? AND state IN ({_ACTIVE}) ORDER BY state = 'waiting' DESC",
            (row["id"],),
        )
        voided += [job["id"] for job in jobs]
    for job_id in voided:
        await end(db, job_id, "cancelled", Failure(Code.FILE_CHANGED, "the file changed before its job was done"), now)
    return voided


async def known(db: aiosqlite.Connection) -> dict[bytes, FileIdentity]:
    """The newest content of every path that was ever seen."""
    return {row["path"]: _identity(row) for row in await every(db, "SELECT * FROM files WHERE state <> 'superseded'")}


async def refused(db: aiosqlite.Connection, root: bytes) -> set[bytes]:
    """Paths below `root` that are refused now."""
    return {
        row["path"] for row in await every(db, "SELECT path FROM files WHERE state = 'refused' AND root = ?", (root,))
    }


async def forget_refusals(db: aiosqlite.Connection, codes: list[Code], now: int) -> None:
    """Let the inbox look again at files that were refused for a reason the configuration may have removed."""
    marks = ", ".join("?" for _ in codes)
    await change(
        db,
        f"UPDATE files SET state = 'superseded', changed_at = ? WHERE state = 'refused' AND code IN ({marks})",
        (now, *codes),
    )


async def forget_unasked(db: aiosqlite.Connection, root: bytes, but: Collection[bytes], now: int) -> None:
    """Let the inbox look again at files that never had a job, but for those whose names end in one of `but`."""
    rows = await every(
        db,
        "SELECT id, path FROM files WHERE state = 'registered' AND root = ?"
        " AND NOT EXISTS (SELECT 1 FROM jobs WHERE file_id = files.id)",
        (root,),
    )
    again = [(now, row["id"]) for row in rows if not row["path"].lower().endswith(tuple(but))]
    await db.executemany("UPDATE files SET state = 'superseded', changed_at = ? WHERE id = ?", again)


async def drop_refusals(db: aiosqlite.Connection, present: Collection[bytes], root: bytes, now: int) -> None:
    """Forget refused files below `root` that are not there any more."""
    rows = await every(db, "SELECT id, path FROM files WHERE state = 'refused' AND root = ?", (root,))
    gone = [(now, row["id"]) for row in rows if row["path"] not in present]
    await db.executemany("UPDATE files SET state = 'superseded', changed_at = ? WHERE id = ?", gone)


async def end(db: aiosqlite.Connection, job_id: int, state: str, failure: Failure, now: int) -> None:
    """End a job without a result: its leased windows go back, so that late answers find no lease, and twins wake.

    Jobs that wait for its result have failed with it. A job that has ended by now, with one it needed, say, stays as
    it is.
    """
    job = await one(db, f"SELECT * FROM jobs WHERE id = ? AND state IN ({_ACTIVE})", (job_id,))
    if job is None:
        return
    await return_leases(db, job_id, now)
    await change(
        db,
        "UPDATE jobs SET state = ?, code = ?, reason = ?, finished_at = ?, changed_at = ? WHERE id = ?",
        (state, failure.code, failure.reason, now, now, job_id),
    )
    await wake_twins(db, job_id, now)
    for dependent in await needs.dependents(db, job_id):
        await end(db, dependent, "failed", needs.failure_of_need(job, state, failure.reason), now)


async def return_leases(db: aiosqlite.Connection, job_id: int, now: int) -> None:
    """Queue whatever workers hold of this job; what they say of it now is late."""
    await change(
        db,
        "UPDATE windows SET state = 'queued', lease = NULL, changed_at = ? WHERE job_id = ? AND state = 'leased'",
        (now, job_id),
    )


def file_ref(row: aiosqlite.Row) -> FileRef:
    """The file of a row that carries a file's columns."""
    return FileRef(row["root"], row["path"], _identity(row))


def inputs_of(row: aiosqlite.Row) -> Inputs | None:
    """What came with the video of a job's row."""
    return None if row["inputs"] is None else msgspec.json.decode(row["inputs"], type=Inputs)


async def _file(db: aiosqlite.Connection, file: FileRef, origin: str, now: int) -> int:
    row = await one(db, "SELECT id FROM files WHERE path = ? AND state = 'registered'", (file.path,))
    if row is None:
        return await _insert_file(db, file, origin, "registered", None, now)
    file_id: int = row["id"]
    return file_id


async def _insert_file(
    db: aiosqlite.Connection, file: FileRef, origin: str, state: str, failure: Failure | None, now: int
) -> int:
    identity = file.identity
    why = (failure.code, failure.reason) if failure else (None, None)
    return await insert(
        db,
        "INSERT INTO files (root, path, inode, size, mtime_ns, origin, state, code, reason, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (file.root, file.path, *msgspec.structs.astuple(identity), origin, state, *why, now),
    )


def _identity(row: aiosqlite.Row) -> FileIdentity:
    return FileIdentity(row["inode"], row["size"], row["mtime_ns"])
