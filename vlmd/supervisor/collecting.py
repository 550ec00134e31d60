"""When all jobs of a manifest have ended, a list of its samples is written, and for questions with choices a CSV."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vlmd.config import Live
from vlmd.core.errors import REMEDY, Code, Problem
from vlmd.outputs.encoding import as_text
from vlmd.outputs.formats.cells import lines
from vlmd.outputs.mount import missing, mount_of
from vlmd.outputs.write import Draft, holder
from vlmd.store import Store, collections
from vlmd.supervisor.pool import Pool

logger = logging.getLogger("vlmd.collecting")

SCHEMA = "vlmd.collection/1"
_AGAIN_SECONDS = 10.0
"""Until what could not be written is tried again."""


class Collector:
    """Writes what is due, also what was due when the daemon last ended."""

    def __init__(self, live: Live, store: Store) -> None:
        self._live = live
        self._store = store
        self._mount = mount_of(live.now.paths.results)
        self._problem: Problem | None = None
        self._pool = Pool(1, self._due, self._collect)

    def wake(self) -> None:
        """A job may have ended."""
        self._pool.wake()

    def problems(self) -> list[Problem]:
        """Why a list waits."""
        return [self._problem] if self._problem else []

    async def settled(self) -> bool:
        """Nothing is due, or it cannot be written."""
        return self._problem is not None or not await self._due()

    async def run(self) -> None:
        await self._pool.run()

    async def _due(self) -> Sequence[collections.Due]:
        return await self._store.write(collections.due)

    async def _collect(self, due: collections.Due) -> None:
        pipeline = self._live.now.pipelines.get(due.pipeline)
        choices = pipeline is not None and pipeline.task == "choice"
        listed = [_entry(dict(row), choices) for row in await self._store.write(collections.samples, due.id)]
        try:
            await asyncio.to_thread(self._write, due, listed, choices)
        except OSError as error:
            self._wait(due, str(error))
            await asyncio.sleep(_AGAIN_SECONDS)
            return
        self._problem = None
        await self._store.write(collections.written, due.id, due.version)
        logger.info("every job of %s has ended: %s.json lists them", due.base, due.base)

    def _wait(self, due: collections.Due, reason: str) -> None:
        if self._problem is None:
            logger.error("the list of %s cannot be written: %s; waiting", due.base, reason)
        what = f"the list of {due.base} cannot be written"
        self._problem = Problem(what, reason, REMEDY[Code.RESULT_UNWRITABLE])

    def _write(self, due: collections.Due, listed: list[dict[str, Any]], choices: bool) -> None:
        root = self._live.now.paths.results
        if away := missing(root, self._mount):
            raise OSError(away)
        document = {"schema": SCHEMA, "pipeline": due.pipeline, "samples": listed}
        if choices:
            _publish(root, root / f"{due.base}.csv", lines([("id", "answer"), *_answers(listed)]))
        _publish(root, root / f"{due.base}.json", [as_text(document)])


def _answers(listed: list[dict[str, Any]]) -> Iterable[tuple[str, str | None]]:
    """One row for each id: a sample that took another's id is only listed, and told as wrong."""
    answers: dict[str, str | None] = {}
    for one in listed:
        answers.setdefault(one["id"], one["answer"])
    return answers.items()


def _publish(root: Path, path: Path, pieces: Iterable[str]) -> None:
    if holder(path):
        raise OSError(f"{path} is the result of a video; move it away")
    draft = Draft(path, root)
    draft.write(pieces)
    draft.publish()


def _entry(row: dict[str, Any], choices: bool) -> dict[str, Any]:
    """A sample as it is listed; an answer only of a job that is done: a letter, or all that was said."""
    done = row["state"] == "done"
    told = json.loads(row["outcome"])["text"] if done and row["outcome"] and row["outcome"] != "{}" else ""
    missing_job = "missing" if row["lacking"] else "forgotten"
    return {
        "id": row["name"],
        "video": row["video"],
        "job": row["job_id"],
        "state": row["state"] or missing_job,
        "code": row["code"],
        "reason": row["lacking"] or row["reason"],
        "result": f"{row['result']}.json" if done else None,
        "answer": (told.partition(".")[0] if choices else told) or None,
    }
