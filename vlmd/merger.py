"""A merger process: `python -m vlmd.merger --link-fd N --parent PID`. One job, one result, then it ends."""

from __future__ import annotations

import argparse
import json
import logging
import socket
import sys
from pathlib import Path

import msgspec

from vlmd import log
from vlmd.core.errors import Code, Failure, VlmdError
from vlmd.core.messages import Merged, MergeFailed, MergeJob
from vlmd.core.recipe import Recipe
from vlmd.core.video import VideoFacts
from vlmd.link import Link, die_with_parent
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


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="vlmd.merger")
    parser.add_argument("--link-fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args(arguments)
    die_with_parent(options.parent)
    log.to_stderr(logging.INFO)
    link: Link[MergeJob] = Link(socket.socket(fileno=options.link_fd), MergeJob)
    request = link.receive()
    if request is None:
        return 0
    try:
        link.send(merge(request))
    except (OSError, VlmdError) as error:
        link.send(_failed(str(error)))
    return 0


def _failed(reason: str) -> MergeFailed:
    return MergeFailed(failure=Failure(Code.MERGER_FAILED, reason))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
