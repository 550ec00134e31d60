"""One job, one result: reads the stored answers, builds the result, writes it where it belongs."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from vlmd import log
from vlmd.core.errors import Code, Failure, UsageError, VlmdError
from vlmd.core.messages.merger import Discarded, Merged, MergeFailed, MergeJob, Prepared, Publish, ToMerger
from vlmd.link import Link
from vlmd.merger.build import built
from vlmd.merger.games import waits_for_game, write_games
from vlmd.outputs.encoding import as_text
from vlmd.outputs.formats import FORMATS, Document, pieces
from vlmd.outputs.write import Draft, holder


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


def _serve(link: Link[ToMerger], request: MergeJob) -> Merged | Discarded:
    result = built(Path(request.database), request.job, request.task, request.inputs, request.calibration)
    merged = Merged(summary=json.dumps(result.summary), outcome=result.outcome)
    if request.target is None:
        return msgspec.structs.replace(merged, body=as_text(result.document))
    target = Path(request.target)
    if holder(target) not in (None, result.document["video"]["sha256"]):
        raise UsageError(f"{target} is not a result of this video; move it away")
    with _drafts(target, Path(request.root), request.outputs, result.document) as drafts:
        link.send(Prepared())
        if not isinstance(link.receive(), Publish):
            return Discarded()
        while drafts:
            drafts[0].publish()
            drafts.pop(0)
    write_games(target, Path(request.root), request.outputs)
    return merged


@contextmanager
def _drafts(target: Path, root: Path, outputs: Iterable[str], document: Document) -> Iterator[list[Draft]]:
    """Every file, written whole, the result itself last; what is still in the list at the end is discarded.

    All that takes time is done before the supervisor is asked whether the job still wants its result.
    """
    drafts: list[Draft] = []
    try:
        chosen = [FORMATS[name] for name in outputs if name != "json" and not waits_for_game(target, FORMATS[name])]
        for fmt in [*chosen, FORMATS["json"]]:
            path = target.with_name(target.name.removesuffix(".json") + fmt.suffix)
            if fmt.name != "json" and holder(path):
                raise UsageError(f"{path} is the result of another video; move it away")
            drafts.append(Draft(path, root))
            drafts[-1].write(pieces(fmt, [document]))
        yield drafts
    finally:
        for draft in drafts:
            draft.discard()


def _failed(code: Code, reason: str) -> MergeFailed:
    return MergeFailed(failure=Failure(code, reason))
