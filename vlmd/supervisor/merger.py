"""One merger process from start to end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from vlmd.core.errors import Code, Failure
from vlmd.core.messages.base import Gone
from vlmd.core.messages.merger import Discard, Discarded, FromMerger, Merged, MergeFailed, MergeJob, Prepared, Publish
from vlmd.log import about
from vlmd.supervisor.process import Child, python

logger = logging.getLogger("vlmd.merging")

_STARTS = 3
_LIMIT_SECONDS = 600.0
"""A merger that takes longer is killed: parsing is linear, so something is wrong with it."""

Outcome = Merged | Discarded | MergeFailed
Wanted = Callable[[], Awaitable[bool]]
"""Asked once, before a result is put in its place: does the job still want it?"""


async def run_merger(request: MergeJob, wanted: Wanted | None = None) -> Outcome:
    """Merge in a process of its own; one that is killed is started again, a few times."""
    reason = ""
    for _ in range(_STARTS):
        try:
            outcome = await _one_merger(request, wanted)
        except OSError as error:
            return MergeFailed(failure=Failure(Code.EXHAUSTED, f"no merger can be started: {error}"))
        if not isinstance(outcome, Gone):
            return outcome
        reason = outcome.exit
        logger.warning("the merger is gone: %s", reason, extra=about(job=request.job))
    return MergeFailed(failure=Failure(Code.MERGER_FAILED, f"the merger died {_STARTS} times: {reason}"))


async def _one_merger(request: MergeJob, wanted: Wanted | None) -> Outcome | Gone:
    """`Gone` where it ended without a word."""
    child: Child[FromMerger] = await Child.start(python("vlmd.merger"), FromMerger)
    try:
        async with asyncio.timeout(_LIMIT_SECONDS) as limit:
            child.send(request)
            return await _heard(child, wanted, limit)
    except TimeoutError:
        return MergeFailed(failure=Failure(Code.MERGER_FAILED, f"it took longer than {_LIMIT_SECONDS:.0f} s"))
    finally:
        child.kill()


async def _heard(child: Child[FromMerger], wanted: Wanted | None, limit: asyncio.Timeout) -> Outcome | Gone:
    outcome: Outcome | None = None
    async for message in child.messages():
        match message:
            case Gone():
                return outcome or message
            case Prepared():
                assert wanted is not None
                limit.reschedule(None)  # what the database takes its time for is not the merger's fault
                child.send(Publish() if await wanted() else Discard())
                limit.reschedule(asyncio.get_running_loop().time() + _LIMIT_SECONDS)
            case _:
                outcome = message
    raise AssertionError("the messages of a process end with Gone")
