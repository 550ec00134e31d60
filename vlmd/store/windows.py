"""Verbs for windows: leased, answered, failed, given back."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import aiosqlite
import msgspec

from vlmd.core.errors import Code, Failure
from vlmd.core.messages.worker import WindowAnswered
from vlmd.core.recipe import ASSUMED_EDGE, Recipe, fit_edge, is_degraded
from vlmd.core.states import ACTIVE_JOBS
from vlmd.core.video import FileRef, VideoFacts
from vlmd.core.windows import Window
from vlmd.store.files import file_ref
from vlmd.store.jobs import keep_recipe
from vlmd.store.rows import change, every, insert, one


class OpenJob(msgspec.Struct, frozen=True):
    """A job with windows to give out."""

    id: int
    model: str
    pending: int
    from_start: bool
    """Decoding can only begin at the beginning of the file: short leases would decode the same again and again."""
    priority: int = 0
    created_at: int = 0


class Lease(msgspec.Struct, frozen=True):
    id: int
    job: int
    file: FileRef
    facts: VideoFacts
    recipe: Recipe
    windows: list[Window]
    times_ms: dict[int, int]
    """When each picture is shown, by its ticks."""
    suspect: bool
    """A worker died over it: it shares neither lease nor batch with others, so that the next death has one cause."""


class Delivery(msgspec.Struct, frozen=True):
    """An answer and who gave it; the rest is known once it is stored."""

    worker: str
    answer: WindowAnswered
    job: int = 0
    since_lease_ms: int = 0


async def open_jobs(db: aiosqlite.Connection, limit: int = 64) -> list[OpenJob]:
    """The queue's first jobs of every model that have windows to give out, in its order."""
    rows = await every(
        db,
        "SELECT id, model, pending, priority, created_at,"
        " NOT EXISTS (SELECT 1 FROM windows WHERE job_id = open.id AND seek IS NOT NULL) AS from_start"
        " FROM (SELECT *, total - leased - answered - failed AS pending,"
        "              row_number() OVER (PARTITION BY model ORDER BY priority DESC, id) AS place FROM jobs"
        "       WHERE state IN ('queued', 'running') AND total - leased - answered - failed > 0) AS open"
        " WHERE place <= ? ORDER BY priority DESC, id",
        (limit,),
    )
    return [_open_job(row) for row in rows]


async def lease(
    db: aiosqlite.Connection,
    job_id: int,
    worker: str,
    size: int,
    now: int,
    suspects: bool = True,
    memory_bytes: int = 1 << 30,
) -> Lease | None:
    """Give `worker` the next run of at most `size` consecutive windows; None when there is none (any more).

    The run's pictures take at most `memory_bytes`, but it has one window at least. A window that was in hand when
    a worker died is given out alone, so that it is known whose fault a next death is; without `suspects`, it is left
    for a worker that has nothing else in hand.
    """
    job = await one(
        db,
        "SELECT jobs.facts, recipes.body, files.* FROM jobs"
        " JOIN recipes ON digest = recipe JOIN files ON files.id = file_id"
        " WHERE jobs.id = ? AND jobs.state IN ('queued', 'running')",
        (job_id,),
    )
    rows = await every(
        db,
        "SELECT * FROM windows WHERE job_id = ? AND state = 'queued' AND (failures = 0 OR ?) ORDER BY idx LIMIT ?",
        (job_id, suspects, size),
    )
    if job is None or not rows:
        return None
    facts = msgspec.json.decode(job["facts"], type=VideoFacts)
    recipe = msgspec.json.decode(job["body"], type=Recipe)
    width, height = fit_edge(facts.width, facts.height, recipe.frame_edge or ASSUMED_EDGE)
    run = _fitting(_run(rows), memory_bytes // (3 * width * height))
    lease_id = await insert(
        db, "INSERT INTO leases (job_id, worker, granted_at) VALUES (?, ?, ?)", (job_id, worker, now)
    )
    await change(
        db,
        "UPDATE windows SET state = 'leased', lease = ?, attempt = attempt + 1, changed_at = ?"
        " WHERE job_id = ? AND state = 'queued' AND idx BETWEEN ? AND ?",
        (lease_id, now, job_id, run[0]["idx"], run[-1]["idx"]),
    )
    await change(
        db,
        "UPDATE jobs SET state = 'running', started_at = coalesce(started_at, ?), changed_at = ?"
        " WHERE id = ? AND state = 'queued'",
        (now, now, job_id),
    )
    suspect = run[0]["failures"] > 0
    leased = [_window(row) for row in run]
    times = {pts: ms for row in run for pts, ms in _times(row).items()}
    return Lease(lease_id, job_id, file_ref(job), facts, recipe, leased, times, suspect)


async def checkpoint(
    db: aiosqlite.Connection, deliveries: Sequence[Delivery], now: int
) -> tuple[list[Delivery], list[tuple[Delivery, Failure]]]:
    """Write answers that arrived together. Returns those accepted, and those whose pictures are not the planned ones.

    An answer whose lease no longer holds its window is late and counts for nothing.
    """
    accepted, wrong = [], []
    for delivery in deliveries:
        answer = delivery.answer
        window = await one(
            db,
            "SELECT * FROM windows WHERE lease = ? AND idx = ? AND state = 'leased'",
            (answer.lease, answer.window),
        )
        if window is None:
            continue
        held = max(0, now - window["changed_at"])
        told = msgspec.structs.replace(delivery, job=window["job_id"], since_lease_ms=held)
        if (problem := _wrong_pictures(window, answer)) is not None:
            wrong.append((told, problem))
            continue
        await _answer(db, window, delivery, now)
        accepted.append(told)
    return accepted, wrong


async def fail(
    db: aiosqlite.Connection, lease_id: int, idx: int, failure: Failure, retry: bool, limit: int, now: int
) -> bool:
    """A window could not be answered: again, unless that is pointless or was tried `limit` times. False if late."""
    window = await one(db, "SELECT * FROM windows WHERE lease = ? AND idx = ? AND state = 'leased'", (lease_id, idx))
    if window is None:
        return False
    failures = window["failures"] + 1
    state = "queued" if retry and failures < limit else "failed"
    await change(
        db,
        "UPDATE windows SET state = ?, lease = NULL, failures = ?, code = ?, reason = ?, changed_at = ? WHERE id = ?",
        (state, failures, failure.code, failure.reason, now, window["id"]),
    )
    await _complete(db, window["job_id"], now)
    return True


async def release(
    db: aiosqlite.Connection,
    leases: Collection[int],
    begun: Collection[tuple[int, int]],
    failure: Failure,
    limit: int,
    now: int,
) -> None:
    """Give back what a lost worker held: windows it had begun count a failure, the others do not."""
    for lease_id, idx in begun:
        await fail(db, lease_id, idx, failure, True, limit, now)
    for lease_id in leases:
        await change(
            db,
            "UPDATE windows SET state = 'queued', lease = NULL, changed_at = ? WHERE lease = ? AND state = 'leased'",
            (now, lease_id),
        )


async def job_of(db: aiosqlite.Connection, lease_id: int) -> int | None:
    """The job a lease still holds windows of."""
    row = await one(db, "SELECT job_id FROM windows WHERE lease = ? LIMIT 1", (lease_id,))
    return None if row is None else row["job_id"]


async def all_ended(db: aiosqlite.Connection) -> bool:
    """No job has anything left to do."""
    marks = ", ".join(f"'{state}'" for state in ACTIVE_JOBS)
    return await one(db, f"SELECT 1 FROM jobs WHERE state IN ({marks}) LIMIT 1") is None


async def only_windows_left(db: aiosqlite.Connection) -> bool:
    """There is something left to do, and all of it waits for workers."""
    left = await every(
        db, "SELECT DISTINCT state FROM jobs WHERE state IN ('indexing', 'merging', 'queued', 'running')"
    )
    return bool(left) and {row["state"] for row in left} <= {"queued", "running"}


async def recover(db: aiosqlite.Connection, now: int) -> int:
    """After a crash nobody holds a lease: every leased window is queued again. Returns how many."""
    return await change(
        db, "UPDATE windows SET state = 'queued', lease = NULL, changed_at = ? WHERE state = 'leased'", (now,)
    )


def _open_job(row: aiosqlite.Row) -> OpenJob:
    return OpenJob(
        id=row["id"],
        model=row["model"],
        pending=row["pending"],
        from_start=bool(row["from_start"]),
        priority=row["priority"],
        created_at=row["created_at"],
    )


def _run(rows: list[aiosqlite.Row]) -> list[aiosqlite.Row]:
    """The leading rows that follow each other without a gap; a suspect stands alone."""
    if rows[0]["failures"]:
        return rows[:1]
    run = rows[:1]
    for row in rows[1:]:
        if row["failures"] or row["idx"] != run[-1]["idx"] + 1:
            break
        run.append(row)
    return run


def _fitting(run: list[aiosqlite.Row], pictures: int) -> list[aiosqlite.Row]:
    """The leading rows that together show at most so many pictures; one at least."""
    shown: set[int] = set()
    for count, row in enumerate(run):
        shown |= set(_window(row).pts)
        if count and len(shown) > pictures:
            return run[:count]
    return run


def _window(row: aiosqlite.Row) -> Window:
    pts = msgspec.msgpack.decode(row["pts"], type=list[int])
    return Window(row["idx"], row["start_ms"], row["end_ms"], pts, row["seek"])


def _times(row: aiosqlite.Row) -> dict[int, int]:
    """Milliseconds of a window's pictures, by their ticks."""
    planned = msgspec.msgpack.decode(row["pts"], type=list[int])
    return dict(zip(planned, msgspec.json.decode(row["times_ms"], type=list[int]), strict=True))


def _wrong_pictures(window: aiosqlite.Row, answer: WindowAnswered) -> Failure | None:
    """Why the pictures the model saw are not this window's; None if they are (some may be missing)."""
    planned = msgspec.msgpack.decode(window["pts"], type=list[int])
    if answer.pts and answer.pts == [pts for pts in planned if pts in set(answer.pts)]:
        return None
    return Failure(Code.WRONG_FRAMES, f"the worker saw pictures at {answer.pts[:3]}…, planned were {planned[:3]}…")


async def _answer(db: aiosqlite.Connection, window: aiosqlite.Row, delivery: Delivery, now: int) -> None:
    answer_id = await _insert_answer(db, window, delivery, now)
    await change(
        db,
        "UPDATE windows SET state = 'answered', lease = NULL, answer_id = ?, code = NULL, reason = NULL, changed_at = ?"
        " WHERE id = ?",
        (answer_id, now, window["id"]),
    )
    await _complete(db, window["job_id"], now)


async def _insert_answer(db: aiosqlite.Connection, window: aiosqlite.Row, delivery: Delivery, now: int) -> int:
    answer = delivery.answer
    job = await one(
        db,
        "SELECT fingerprint, recipe, body FROM jobs JOIN recipes ON digest = recipe WHERE id = ?",
        (window["job_id"],),
    )
    assert job is not None
    times = _times(window)
    values = {
        "fingerprint": job["fingerprint"],
        "start_ms": window["start_ms"],
        "end_ms": window["end_ms"],
        "asked": job["recipe"],
        "actual": await keep_recipe(db, answer.recipe),
        "degraded": is_degraded(msgspec.json.decode(job["body"], type=Recipe), answer.recipe),
        "text": answer.text,
        "tokens": msgspec.msgpack.encode(answer.tokens),
        "finish": answer.usage.finish,
        "frame_times_ms": msgspec.json.encode([times[pts] for pts in answer.pts]).decode(),
        "frames_asked": len(times),
        "frame_digest": answer.frame_digest,
        "prompt_tokens": answer.usage.prompt_tokens,
        "new_tokens": answer.usage.new_tokens,
        "worker": delivery.worker,
        "attempt": window["attempt"],
        "batch": answer.timings.batch,
        "prepare_ms": answer.timings.prepare_ms,
        "generate_ms": answer.timings.generate_ms,
        "answered_at": now,
        "memory_planned": answer.timings.memory_planned,
        "memory_used": answer.timings.memory_used,
        "option_logprobs": msgspec.json.encode(answer.option_logprobs).decode(),
    }
    marks = ", ".join("?" for _ in values)
    return await insert(db, f"INSERT INTO answers ({', '.join(values)}) VALUES ({marks})", values.values())


async def _complete(db: aiosqlite.Connection, job_id: int, now: int) -> None:
    """With the last window in, the job goes on to be merged, in the same transaction."""
    await change(
        db,
        "UPDATE jobs SET state = 'merging', changed_at = ?"
        " WHERE id = ? AND state = 'running' AND answered + failed = total",
        (now, job_id),
    )
