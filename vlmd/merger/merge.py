"""One job, one result: reads the stored answers, builds the result, writes it where it belongs."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import msgspec

from vlmd import log
from vlmd.core.errors import Code, Failure, VlmdError
from vlmd.core.messages import Discarded, Merged, MergeFailed, MergeJob, Prepared, Publish, ToMerger
from vlmd.link import Link
from vlmd.merger.build import built
from vlmd.outputs.write import Draft, as_text, holder


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
    result = built(Path(request.database), request.job, request.task, request.inputs)
    merged, body = Merged(summary=json.dumps(result.summary), outcome=result.outcome), as_text(result.document)
    if request.target is None:
        return msgspec.structs.replace(merged, body=body)
    target = Path(request.target)
    if holder(target) not in (None, result.document["video"]["sha256"]):
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


def _failed(code: Code, reason: str) -> MergeFailed:
    return MergeFailed(failure=Failure(code, reason))
