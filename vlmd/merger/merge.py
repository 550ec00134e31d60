"""One job, one result: reads the stored answers, builds the result, writes it where it belongs."""

from __future__ import annotations

import json
import socket
import sqlite3
from pathlib import Path

import msgspec

from vlmd import log
from vlmd.core.errors import Code, Failure, VlmdError
from vlmd.core.inputs import Outcome
from vlmd.core.messages import Discarded, Merged, MergeFailed, MergeJob, Prepared, Publish, ToMerger
from vlmd.core.recipe import Recipe
from vlmd.core.video import VideoFacts
from vlmd.link import Link
from vlmd.outputs import result
from vlmd.outputs.write import Draft, as_text, holder
from vlmd.store import reader


def main(link_fd: int) -> int:
    link: Link[ToMerger] = Link(socket.socket(fileno=link_fd), ToMerger)
    request = link.receive()
    if isinstance(request, MergeJob):
        log.to_stderr(request.log_level)
        try:
            link.send(_serve(link, request))
        except OSError as error:
            link.send(_failed(Code.RESULT_UNWRITABLE, str(error)))
        except VlmdError as error:
            link.send(_failed(Code.MERGER_FAILED, str(error)))
    return 0


def _serve(link: Link[ToMerger], request: MergeJob) -> Merged | Discarded | MergeFailed:
    built = _built(request)
    if built is None:
        return _failed(Code.MERGER_FAILED, f"job {request.job} has not been planned")
    merged, body = Merged(summary=json.dumps(built.summary), outcome=built.outcome), as_text(built.document)
    if request.target is None:
        return msgspec.structs.replace(merged, body=body)
    target = Path(request.target)
    if holder(target) not in (None, built.document["video"]["sha256"]):
        return _failed(Code.MERGER_FAILED, f"{target} is not a result of this video; move it away")
    return _place(link, Draft(target, Path(request.root)), body, merged)


def _place(link: Link[ToMerger], draft: Draft, body: str, merged: Merged) -> Merged | Discarded:
    """All that takes time is done before the supervisor is asked whether the job still wants its result."""
    draft.write(body)
    link.send(Prepared())
    if not isinstance(link.receive(), Publish):
        draft.discard()
        return Discarded()
    draft.publish()
    return merged


def _built(request: MergeJob) -> result.Built | None:
    """The job's result, from one moment of the database; None if it has not been planned."""
    with reader.snapshot(Path(request.database)) as db:
        row = reader.job(db, request.job)
        if row is None or row["facts"] is None:
            return None
        source = result.Source(
            job=row["id"],
            pipeline=row["pipeline"],
            name=row["name"],
            facts=msgspec.json.decode(row["facts"], type=VideoFacts),
            recipe=msgspec.json.decode(row["recipe_body"], type=Recipe),
            inputs=request.inputs,
            needed=_needed(db, request.job),
            reused=row["reused"],
            created_at=row["created_at"],
            started_at=row["started_at"],
        )
        return result.build(source, request.task, list(reader.windows(db, request.job)))


def _needed(db: sqlite3.Connection, job: int) -> dict[str, Outcome]:
    """What other pipelines found, by their names. Raises `VlmdError` for one that has found nothing yet."""
    found = {}
    for one in reader.needed(db, job):
        if one["outcome"] is None:
            raise VlmdError(f"it needs the result of {one['pipeline']}, whose job {one['job']} is {one['state']}")
        found[one["pipeline"]] = msgspec.json.decode(one["outcome"], type=Outcome)
    return found


def _failed(code: Code, reason: str) -> MergeFailed:
    return MergeFailed(failure=Failure(code, reason))
