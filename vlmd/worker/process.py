"""The life of a worker, from its first message to its exit.

Three threads: one hears the supervisor, one decodes ahead (`leases`), and this one, the main one, generates.
When the link ends, the process ends at once: nobody is left to answer to.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from vlmd import log
from vlmd.core.answers import Timings, Usage
from vlmd.core.errors import Code, Failure, WorkerError
from vlmd.core.messages.worker import (
    BatchBegun,
    Beat,
    Cancel,
    CannotStart,
    LeaseEnded,
    LoadModel,
    RunWindows,
    Shutdown,
    ToWorker,
    WindowAnswered,
    WindowFailed,
)
from vlmd.core.recipe import Recipe
from vlmd.link import Link
from vlmd.log import about
from vlmd.worker.batching import Batch, Batches
from vlmd.worker.leases import LeaseReader
from vlmd.worker.load_failures import refuse_faults
from vlmd.worker.questions import Question, Reply

EXIT_CANNOT_START = 78
EXIT_DEVICE_LOST = 70
EXIT_THREAD_LOST = 71
_BEAT_SECONDS = 0.5

logger = logging.getLogger("vlmd.worker")

EngineFactory = Callable[[LoadModel, Callable[[str], None]], Any]
"""Loads what answers: `Engine` in the product; tests hand in a scripted one."""


class Worker:
    """Answers leases until told to stop."""

    def __init__(self, link: Link[ToWorker], engine: Any, max_batch: int) -> None:
        self._link = link
        self._engine = engine
        self._max_batch = max_batch
        self._last_beat = 0.0
        self._reader = LeaseReader(2 * max_batch, engine.edge, lambda lease: self._beat("decode", lease))

    def run(self) -> None:
        threading.Thread(target=self._listen, name="link", daemon=True).start()
        batches = Batches(self._reader, self._max_batch, self._engine.most_at_once)
        while (batch := batches.next()) is not None:
            self._serve(batch)

    def _listen(self) -> None:
        """Hear the supervisor; without one, or with one that talks nonsense, there is nothing to live for."""
        while (message := self._link.receive()) is not None:
            match message:
                case RunWindows():
                    self._reader.put(message)
                case Cancel(lease=lease):
                    self._reader.cancel(lease)
                case Shutdown():
                    self._reader.stop()
                case _:
                    logger.error("unexpected message: %s", type(message).__name__)
        os._exit(0)

    def _serve(self, batch: Batch) -> None:
        if batch.questions:
            self._answer(batch.questions)
        for item in batch.unanswerable:
            self._fail(item.run.lease, item.window.index, item.failure, item.retry)
        for done in batch.done:
            self._engine.forget(done.lease)
            self._link.send(LeaseEnded(lease=done.lease, void=done.void))

    def _answer(self, questions: list[Question]) -> None:
        """One batch; after running out of memory, or a failure on the CPU, its halves; at last with coarser frames."""
        self._link.send(BatchBegun(windows=[question.key for question in questions]))
        begun = time.monotonic()
        open_rows = dict(enumerate(questions))

        def reply(row: int, said: Reply) -> None:
            self._reply(open_rows.pop(row), said, begun, len(questions))

        failure = self._generate(questions, reply)
        left = list(open_rows.values())
        if failure is None or not left:
            return
        if len(left) == 1:
            self._answer_coarser(left[0], failure)
            return
        self._answer(left[: len(left) // 2])
        self._answer(left[len(left) // 2 :])

    def _answer_coarser(self, question: Question, failure: Failure) -> None:
        """A window that fits no memory is asked with fewer tokens a frame; where there are no fewer, it has failed."""
        recipe: Recipe | None = None
        if failure.code == Code.OUT_OF_MEMORY:
            recipe = self._engine.coarser(question.run.recipe)
        if recipe is None:
            self._fail(*question.key, failure, retry=False)
            return
        logger.warning("tried again with %d tokens a frame", recipe.frame_tokens, extra=_ids([question]))
        self._answer([dataclasses.replace(question, run=msgspec.structs.replace(question.run, recipe=recipe))])

    def _generate(self, questions: list[Question], reply: Callable[[int, Reply], None]) -> Failure | None:
        """None when every question was answered. A lost device ends the process: nothing after it is right."""
        lease, window = questions[0].key
        try:
            self._engine.answer(questions, lambda rows: self._beat("generate", lease, window, rows), reply)
            return None
        except Exception as error:  # noqa: BLE001  whatever a model raises concerns memory, its windows, or the device
            words = repr(error)  # not the error itself: whoever keeps it keeps all that the batch had
            logger.warning("a batch of %d windows failed: %s", len(questions), words, extra=_ids(questions))
            failure: Failure | None = self._engine.explain(error)
        if failure is None:
            logger.critical("the device is lost; this process ends")
            os._exit(EXIT_DEVICE_LOST)
        if failure.code == Code.OUT_OF_MEMORY:
            self._engine.release()  # only now: while an error is handled, it holds on to what the batch had
        return failure

    def _reply(self, question: Question, reply: Reply, begun: float, batch: int) -> None:
        if not reply.finite:
            held = question.run.recipe.grammar is not None
            or_else = ", or has no token for what its answer has to hold next" if held else ""
            failure = Failure(Code.NON_FINITE, f"the model computed NaN or infinity{or_else}")
            self._fail(*question.key, failure, retry=False)
            return
        self._link.send(
            WindowAnswered(
                lease=question.run.lease,
                window=question.window.index,
                pts=question.pts,
                frame_digest=question.frame_digest(),
                text=reply.text,
                tokens=reply.tokens,
                recipe=msgspec.structs.replace(question.run.recipe, precision=self._engine.precision),
                option_logprobs=reply.option_logprobs,
                usage=Usage(prompt_tokens=reply.prompt_tokens, new_tokens=len(reply.tokens), finish=reply.finish),
                timings=Timings(
                    prepare_ms=question.prepare_ms,
                    generate_ms=int((time.monotonic() - begun) * 1000),
                    batch=batch,
                    memory_planned=reply.memory_planned,
                    memory_used=reply.memory_used,
                ),
            )
        )

    def _fail(self, lease: int, window: int, failure: Failure, retry: bool) -> None:
        self._link.send(WindowFailed(lease=lease, window=window, failure=failure, retry=retry))

    def _beat(self, stage: str, lease: int, window: int | None = None, tokens: int = 0) -> None:
        """Progress, at most twice a second: it comes from the work, so silence means that nothing moves."""
        now = time.monotonic()
        if now - self._last_beat >= _BEAT_SECONDS:
            self._last_beat = now
            self._link.send(Beat(stage=stage, lease=lease, window=window, tokens=tokens))


def _ids(questions: list[Question]) -> dict[str, Any]:
    """What a log line about a batch is about."""
    runs = [question.run for question in questions]
    windows = {question.window.index for question in questions}
    return about({run.job for run in runs}, windows, {run.lease for run in runs})


def _end_with_thread(failed: threading.ExceptHookArgs) -> None:
    """A worker without one of its threads would only look alive."""
    logger.critical("a thread failed; this process ends", exc_info=failed.exc_value)
    os._exit(EXIT_THREAD_LOST)


def load_engine(message: LoadModel, progress: Callable[[str], None]) -> Any:
    """The real thing. Imported late: the process answers its link before torch is there."""
    refuse_faults(message.model)
    progress("torch")
    from vlmd.worker.engine import Engine

    engine = Engine.load(message.model, message.device, progress, message.devices)
    if message.verify:
        from vlmd.worker.verify import verify

        engine.verification = verify(engine, progress)
        if refusal := engine.verification.refusal:
            raise WorkerError(Code.MODEL_UNSOUND, f"{message.model.path}: {refusal}")
    return engine


def main(link_fd: int, factory: EngineFactory = load_engine) -> int:
    """Load what the first message says, then answer leases; returns the exit code."""
    threading.excepthook = _end_with_thread
    link: Link[ToWorker] = Link(socket.socket(fileno=link_fd), ToWorker)
    message = link.receive()
    if not isinstance(message, LoadModel):
        return 0
    log.to_stderr(message.log_level, message.called)
    log.take_prints()
    try:
        engine = factory(message, lambda stage: link.send(Beat(stage=f"load {stage}")))
    except WorkerError as error:
        link.send(CannotStart(failure=error.failure))
        return EXIT_CANNOT_START
    link.send(engine.ready())
    Worker(link, engine, message.model.max_batch).run()
    return 0
