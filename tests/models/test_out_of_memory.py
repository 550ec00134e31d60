"""A worker whose model runs out of memory: halves its batches, shows frames more coarsely, and goes on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.checkpoints import load, pictures, question, shared_checkpoint, shared_folder
from vlmd.core.errors import Code
from vlmd.core.messages.worker import FromWorker, WindowAnswered, WindowFailed
from vlmd.core.recipe import is_degraded
from vlmd.link import Link
from vlmd.worker.engine import Engine
from vlmd.worker.process import Worker
from vlmd.worker.questions import Question

LATENTS = 4
WHOLE, SPLIT = LATENTS + 2, 5 * LATENTS + 6
FRAMES = 3


class Small:
    """A device on which a batch of more prompt tokens than this takes too much; `held` tells what is still in use."""

    def __init__(self, engine: Engine, tokens: int) -> None:
        self.tokens = tokens
        self.batches: list[tuple[int, int]] = []
        self._generate = engine._family.generate
        engine._family.generate = self.generate  # type: ignore[method-assign]

    def generate(self, inputs: dict[str, Any], **options: Any) -> Any:
        rows, length = inputs["input_ids"].shape
        self.batches.append((rows, length))
        if rows * length > self.tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return self._generate(inputs, **options)


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return load(shared_checkpoint(shared_folder(tmp_path_factory), "idefics2"))


def windows(count: int, frame_tokens: int | None = SPLIT) -> list[Question]:
    return [question(pictures(at, FRAMES), "What happens?", frame_tokens, new=4) for at in range(count)]


def serve(engine: Engine, questions: list[Question]) -> list[WindowAnswered | WindowFailed]:
    """What the supervisor hears of these windows, of which one batch is made."""
    ours, theirs = socket.socketpair()
    worker = Worker(Link(theirs, Any), engine, max_batch=8)
    heard: list[Any] = []
    listening = threading.Thread(target=lambda: heard.extend(messages(Link(ours, FromWorker))))
    listening.start()
    worker._answer(questions)
    theirs.shutdown(socket.SHUT_RDWR)
    listening.join(20)
    return [message for message in heard if isinstance(message, (WindowAnswered, WindowFailed))]


def messages(link: Link[Any]) -> Iterator[Any]:
    while (message := link.receive()) is not None:
        yield message


def length(engine: Engine, frame_tokens: int) -> int:
    """Tokens of a prompt with frames of this size."""
    return int(engine._prepare(windows(1, frame_tokens), lambda rows: None)["input_ids"].shape[1])


def test_halves_until_they_fit_and_the_next_batch_is_no_larger(engine):
    small = Small(engine, 2 * length(engine, SPLIT))
    heard = serve(engine, windows(8))
    assert len(heard) == 8 and all(isinstance(message, WindowAnswered) for message in heard)
    assert [rows for rows, _ in small.batches] == [8, 4, 2, 2, 4, 2, 2]
    assert engine.most_at_once(windows(1)[0].run.recipe) == 2
    assert {message.timings.batch for message in heard} == {2}


def test_a_window_that_fits_no_memory_is_shown_more_coarsely_and_says_so(engine):
    small = Small(engine, length(engine, WHOLE))
    asked = windows(2)
    heard = serve(engine, asked)
    assert all(isinstance(message, WindowAnswered) for message in heard)
    assert {message.recipe.frame_tokens for message in heard} == {WHOLE}
    assert all(is_degraded(asked[0].run.recipe, message.recipe) for message in heard)
    assert [rows for rows, _ in small.batches] == [2, 1, 1, 1, 1]
    undisturbed = load(Path(engine.spec.path))
    coarse = serve(undisturbed, windows(2, WHOLE))
    assert [message.text for message in heard] == [message.text for message in coarse]


def test_what_was_asked_is_no_less_where_it_fits(engine):
    asked = windows(2)
    heard = serve(engine, asked)
    assert not any(is_degraded(asked[0].run.recipe, message.recipe) for message in heard)
    assert {message.recipe.frame_tokens for message in heard} == {SPLIT}


def test_what_fits_with_no_size_fails_and_the_others_go_on(engine):
    short = length(engine, WHOLE)
    Small(engine, short)
    asked = windows(1)
    long = question(pictures(9, FRAMES), "What happens? " * 40, SPLIT, new=4)
    heard = {message.window: message for message in serve(engine, [renumbered(long, 1), renumbered(asked[0], 0)])}
    assert isinstance(heard[0], WindowAnswered)
    assert isinstance(heard[1], WindowFailed)
    assert (heard[1].failure.code, heard[1].retry) == (Code.OUT_OF_MEMORY, False)


def renumbered(asked: Question, index: int) -> Question:
    from dataclasses import replace

    import msgspec

    return replace(asked, window=msgspec.structs.replace(asked.window, index=index))


def test_nothing_of_the_failed_batch_is_held_when_memory_is_given_back(engine, monkeypatch):
    """Else there would be no more room for the halves than for the whole."""
    import gc
    import weakref

    held: list[weakref.ref[torch.Tensor]] = []
    seen: list[int] = []
    small = Small(engine, 2 * length(engine, SPLIT))
    generate, release = small.generate, engine.release

    def watched(inputs: dict[str, Any], **options: Any) -> Any:
        held.append(weakref.ref(inputs["input_ids"]))
        return generate(inputs, **options)

    def counted() -> None:
        release()
        gc.collect()
        seen.append(sum(ref() is not None for ref in held))

    engine._family.generate = watched  # type: ignore[method-assign]
    monkeypatch.setattr(engine, "release", counted)
    serve(engine, windows(4))
    assert seen == [0], "one batch of four ran out"
    assert len(engine._frames) > 0
