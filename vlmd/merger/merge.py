"""One job, one result: reads the stored answers, builds the result, writes it where it belongs."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import msgspec

from vlmd import log
from vlmd.core.errors import Code, Failure, VlmdError
from vlmd.core.messages import Merged, MergeFailed, MergeJob
from vlmd.core.recipe import Recipe
from vlmd.core.video import VideoFacts
from vlmd.link import Link
from vlmd.outputs import result
from vlmd.outputs.write import as_text, holder, write_whole
from vlmd.store import reader


def merge(request: MergeJob) -> Merged | MergeFailed:
    """Read the job's answers, build its result, write it where it belongs."""
    with reader.snapshot(Path(request.database)) as db:
        row = reader.job(db, request.job)
        if row is None or row["facts"] is None:
            return _failed(f"job {request.job} has not been planned")
        source = result.Source(
            job=row["id"],
            pipeline=row["pipeline"],
            name=row["name"],
            facts=msgspec.json.decode(row["facts"], type=VideoFacts),
            recipe=msgspec.json.decode(row["recipe_body"], type=Recipe),
            reused=row["reused"],
            created_at=row["created_at"],
            started_at=row["started_at"],
        )
        document = result.build(source, request.task, list(reader.windows(db, request.job)))
    summary, body = json.dumps(result.summary(document)), as_text(document)
    if request.target is None:
        return Merged(summary=summary, body=body)
    target = Path(request.target)
    held = holder(target)
    if held not in (None, source.facts.fingerprint):
        return _failed(f"{target} is not a result of this video; move it away")
    write_whole(target, body)
    return Merged(summary=summary)


def main(link_fd: int) -> int:
    link: Link[MergeJob] = Link(socket.socket(fileno=link_fd), MergeJob)
    request = link.receive()
    if request is None:
        return 0
    log.to_stderr(request.log_level)
    try:
        link.send(merge(request))
    except (OSError, VlmdError) as error:
        link.send(_failed(str(error)))
    return 0


def _failed(reason: str) -> MergeFailed:
    return MergeFailed(failure=Failure(Code.MERGER_FAILED, reason))
