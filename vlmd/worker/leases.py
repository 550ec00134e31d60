"""From leases to questions: one long-lived thread decodes ahead of the model.

Each picture of a lease is decoded and resized once, however many windows share it. A window is passed on as
soon as its last picture is there. The thread that starts decoders must outlive them: the kernel kills a
decoder when the thread that started it ends.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vlmd.core.errors import Code, Failure, MediaError, WorkerError
from vlmd.core.messages.worker import RunWindows
from vlmd.core.recipe import Recipe, fit_edge
from vlmd.core.tasks.prompts import fill_window
from vlmd.core.windows import Window
from vlmd.media.client import Decoder
from vlmd.worker.questions import Picture, Question
from vlmd.worker.remembered import Remembered

_VOID = (Code.FILE_CHANGED, Code.FILE_MISSING, Code.NOT_REGULAR, Code.UNREADABLE, Code.NO_SANDBOX)
"""Failures of the file, not of a window: the job as a whole has to know."""


@dataclass(frozen=True)
class Unanswerable:
    """A window for which the model is not even asked."""

    run: RunWindows
    window: Window
    failure: Failure
    retry: bool


@dataclass(frozen=True)
class LeaseDone:
    """Nothing more comes from this lease."""

    lease: int
    void: Failure | None = None


Item = Question | Unanswerable | LeaseDone


class LeaseReader:
    """Takes leases, gives items, in order.

    `edge` tells the longest edge of the pictures a recipe wants; `progress` is called whenever the decoder gets on.
    """

    def __init__(self, ahead: int, edge: Callable[[Recipe], int], progress: Callable[[int], None]) -> None:
        self._leases: queue.Queue[RunWindows | None] = queue.Queue()
        self._items: queue.Queue[Item | None] = queue.Queue(maxsize=ahead)
        self._edge = edge
        self._progress = progress
        self._cancelled: set[int] = set()
        self._remembered = Remembered()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="decode", daemon=True)
        self._thread.start()

    def put(self, run: RunWindows) -> None:
        self._leases.put(run)

    def cancel(self, lease: int) -> None:
        """Read no further in this lease; what was read already is dropped by whoever takes it."""
        self._cancelled.add(lease)

    def is_cancelled(self, lease: int) -> bool:
        return lease in self._cancelled

    def stop(self) -> None:
        """Let the next `get` return None, whatever is still to be read."""
        self._stopping.set()
        self._leases.put(None)

    def get(self, timeout: float | None = None) -> Item | None:
        """The next item; None once stopped. Raises `queue.Empty` after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._stopping.is_set():
            left = 0.2 if deadline is None else min(0.2, deadline - time.monotonic())
            try:
                return self._items.get(timeout=max(0.0, left))
            except queue.Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
        return None

    def _work(self) -> None:
        while (run := self._leases.get()) is not None:
            for item in self._read(run):
                if not self._pass_on(item):
                    return

    def _pass_on(self, item: Item) -> bool:
        while not self._stopping.is_set():
            try:
                self._items.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def _read(self, run: RunWindows) -> Iterator[Item]:
        waiting = list(run.windows)
        void = None
        try:
            for question in self._questions(run):
                waiting.remove(question.window)
                yield question
                if self.is_cancelled(run.lease):
                    waiting.clear()
                    break
        except MediaError as error:
            if error.failure.code in _VOID:
                void = error.failure
            elif waiting:
                yield Unanswerable(run, waiting.pop(0), error.failure, retry=True)
        except WorkerError as error:
            yield from (Unanswerable(run, window, error.failure, retry=False) for window in waiting)
        except (OSError, MemoryError) as error:
            failure = Failure(Code.DECODER_LIMIT, f"its pictures could not be taken in: {error!r}")
            if waiting:
                yield Unanswerable(run, waiting.pop(0), failure, retry=True)
        else:
            nothing = Failure(Code.UNDECODABLE, "none of its pictures could be decoded")
            yield from (Unanswerable(run, window, nothing, retry=False) for window in waiting)
        yield LeaseDone(run.lease, void)

    def _questions(self, run: RunWindows) -> Iterator[Question]:
        """The lease's windows that show at least one picture that can be decoded."""
        begun = time.monotonic()
        width, height = fit_edge(run.width, run.height, self._edge(run.recipe))
        wanted = sorted({pts for window in run.windows for pts in window.pts})
        pictures: dict[int, Picture] = {}
        pending = list(run.windows)
        key = (run.file, width, height)
        if (known := self._remembered.all_of(key, wanted)) is not None:
            for window in pending:
                yield from self._question(run, window, known, begun)
            return
        keeps = self._remembered.worth(key, len(wanted))
        with Decoder.start(run.file, run.limits) as decoder:
            stream = decoder.frames(
                wanted, run.windows[0].seek, width, height, run.rotation, on_progress=lambda: self._progress(run.lease)
            )
            for slot, pts in stream:
                while pending and pending[0].pts[-1] < pts:
                    yield from self._question(run, pending.pop(0), pictures, begun)
                pictures[pts] = stream.picture(slot)
                if keeps:
                    self._remembered.keep(pts, pictures[pts])
                while pending and pending[0].pts[-1] == pts:
                    yield from self._question(run, pending.pop(0), pictures, begun)
                _forget(pictures, pending)
        for window in pending:
            yield from self._question(run, window, pictures, begun)

    def _question(
        self, run: RunWindows, window: Window, pictures: dict[int, Picture], begun: float
    ) -> Iterator[Question]:
        pts = [moment for moment in window.pts if moment in pictures]
        if pts:
            times = [run.times_ms[moment] for moment in pts] if run.times_ms else []
            prompt = fill_window(run.recipe.prompt, window.start_ms, window.end_ms, len(pts), times)
            elapsed = int((time.monotonic() - begun) * 1000)
            yield Question(run, window, pts, [pictures[moment] for moment in pts], prompt, elapsed)


def _forget(pictures: dict[int, Picture], pending: list[Window]) -> None:
    """Drop pictures no coming window shows."""
    if pending:
        for pts in [pts for pts in pictures if pts < pending[0].pts[0]]:
            del pictures[pts]
