"""The client's side of a decoder: starts a process for one file, asks it one thing, checks what it says.

    with Decoder.start(ref, limits) as decoder:
        index = decoder.index()

    with Decoder.start(ref, limits) as decoder:
        stream = decoder.frames(window.pts, window.seek, width, height, rotation)
        for slot, pts in stream:
            picture = stream.picture(slot)

A decoder takes a single request. It dies with the *thread* that started it (the kernel's parent-death signal
goes by threads), so start it in a thread that outlives the work. Whatever is wrong is a `MediaError`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import msgspec
from msgspec.structs import replace

from vlmd.core.errors import Code, LinkError, MediaError
from vlmd.core.messages.decoder import (
    CutsFound,
    DecodeEnded,
    DecodeFrames,
    DecodeLimits,
    DecodeProgress,
    DecoderFailed,
    FindCuts,
    FrameDecoded,
    FromDecoder,
    Indexed,
    IndexProgress,
    IndexVideo,
    Sandboxed,
)
from vlmd.core.video import FileRef, VideoIndex
from vlmd.link import Link
from vlmd.media.fingerprint import Fingerprint
from vlmd.media.memory import Pixels, create_slots, map_slots
from vlmd.media.opening import identity_of, open_video
from vlmd.media.plausible import check_cuts, check_index, failure_of
from vlmd.media.process import DecoderProcess

_MAX_MESSAGE = 96 << 20
"""Bytes of the longest message of a decoder, an index of `MAX_PICTURES` that are all keyframes, and a little more."""


class Decoder:
    """One decoder process for one file; a context manager that leaves no process and no descriptor behind."""

    def __init__(self, ref: FileRef, limits: DecodeLimits, video: int, process: DecoderProcess) -> None:
        self.missing_sandbox: list[str] = []
        """What the kernel could not give to the sandbox; known once the decoder has begun its work."""
        self._ref = ref
        self._limits = limits
        self._video = video
        self._process = process
        self._link: Link[FromDecoder] = Link(process.socket, FromDecoder, _MAX_MESSAGE)
        self._waited = 0.0
        self._asked = False
        self._killed = False
        self._closed = False

    @classmethod
    def start(cls, ref: FileRef, limits: DecodeLimits) -> Decoder:
        """Open the file safely and start a process for it. Raises `MediaError`."""
        video = open_video(ref)
        try:
            return cls(ref, limits, video, DecoderProcess())
        except BaseException:
            os.close(video)
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def index(self, on_progress: Callable[[int], None] | None = None) -> VideoIndex:
        """The video's index; `on_progress` is told the bytes read so far. Raises `MediaError`.

        The fingerprint is made here, from bytes the decoder has just read.
        """
        fingerprint, size = Fingerprint(self._video), self._ref.identity.size
        self._ask(IndexVideo(limits=self._limits), [self._video])
        while not isinstance(message := self._receive(), Indexed):
            if not isinstance(message, IndexProgress):
                raise self._broken(f"{type(message).__name__} is no answer to IndexVideo")
            fingerprint.follow(min(message.bytes_read, size), self._may_go_on)
            if on_progress is not None:
                on_progress(fingerprint.done)
        self._require_unchanged()
        if problem := check_index(message.index, size, self._limits):
            raise self._broken(problem)
        fingerprint.follow(size, self._may_go_on)
        self._require_unchanged()
        if fingerprint.done < size:
            raise self._process.death()
        facts = replace(message.index.facts, fingerprint=fingerprint.digest())
        return replace(message.index, facts=facts)

    def cuts(
        self,
        index: VideoIndex,
        threshold: float,
        width: int,
        height: int,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[int]:
        """Ticks of the pictures of an indexed video that begin a scene, ascending, without the first.

        Compared at `width` x `height`; `threshold` as PySceneDetect's content detector has it; `on_progress` is told
        the packets read so far. Raises `MediaError`.
        """
        rotation = index.facts.rotation
        request = FindCuts(limits=self._limits, width=width, height=height, rotation=rotation, threshold=threshold)
        self._ask(request, [self._video])
        while not isinstance(message := self._receive(), CutsFound):
            if not isinstance(message, DecodeProgress):
                raise self._broken(f"{type(message).__name__} is no answer to FindCuts")
            if on_progress is not None:
                on_progress(message.packets)
        self._require_unchanged()
        if problem := check_cuts(message.pts):
            raise self._broken(problem)
        known = set(index.pts[1:])
        return [pts for pts in message.pts if pts in known]

    def frames(
        self,
        pts: list[int],
        seek: int | None,
        width: int,
        height: int,
        rotation: int,
        on_progress: Callable[[], None] | None = None,
    ) -> FrameStream:
        """The pictures at `pts` (ascending ticks, not empty), upright, as `width` × `height`.

        `on_progress` is called at every sign of life while they are decoded.
        """
        request = DecodeFrames(limits=self._limits, pts=pts, seek=seek, width=width, height=height, rotation=rotation)
        memory = create_slots(len(pts), width, height)
        try:
            slots = map_slots(memory, len(pts), width, height, writable=False)
            self._ask(request, [self._video, memory])
        except MemoryError as error:
            raise MediaError(Code.DECODER_LIMIT, str(error)) from error
        finally:
            os.close(memory)
        return FrameStream(self, pts, slots, on_progress or (lambda: None))

    def kill(self) -> None:
        """End the process, from any thread; `index` and `frames` then raise `MediaError`."""
        self._killed = True
        self._process.kill()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._process.close()
            os.close(self._video)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: msgspec.Struct, fds: list[int]) -> None:
        if self._asked:
            raise RuntimeError("a decoder takes one request")
        self._asked = True
        self._process.socket.settimeout(self._limits.stall_seconds)
        try:
            self._link.send(request, fds)
        except TimeoutError as error:
            raise self._stalled() from error
        except OSError as error:
            raise self._process.death() from error
        message = self._receive()
        if not isinstance(message, Sandboxed):
            raise self._broken(f"{type(message).__name__} came before Sandboxed")
        self.missing_sandbox = message.missing
        if message.missing and self._limits.require_sandbox:
            raise self._broken("it went on without a sandbox")

    def _receive(self) -> FromDecoder:
        """The next message. Raises `MediaError` for a failure, silence, death and what is no message."""
        patience = min(self._limits.stall_seconds, self._limits.wall_seconds - self._waited)
        if patience <= 0:
            raise self._never_done()
        begun = time.monotonic()
        try:
            message = self._link.receive(patience)
        except TimeoutError as error:
            raise (self._never_done() if patience < self._limits.stall_seconds else self._stalled()) from error
        except LinkError as error:
            raise self._broken(str(error)) from error
        finally:
            self._waited += time.monotonic() - begun
        if message is None:
            raise self._process.death()
        if isinstance(message, DecoderFailed):
            self._require_unchanged()
            raise failure_of(message.failure)
        return message

    def _require_unchanged(self) -> None:
        if identity_of(self._video) != self._ref.identity:
            raise MediaError(Code.FILE_CHANGED, "the file was written to while it was read")

    def _may_go_on(self) -> bool:
        return not self._killed

    def _stalled(self) -> MediaError:
        self.kill()
        return MediaError(
            Code.DECODER_LIMIT, f"the decoder gave no sign of life for {self._limits.stall_seconds:g} seconds"
        )

    def _never_done(self) -> MediaError:
        """Lively, and without end."""
        self.kill()
        return MediaError(Code.DECODER_LIMIT, f"the decoder was not done after {self._limits.wall_seconds:g} seconds")

    def _broken(self, what: str) -> MediaError:
        """The decoder does what ours never does: it has been taken over, or there is a mistake here."""
        self.kill()
        return MediaError(Code.DECODER_CRASHED, f"the decoder broke the protocol: {what}")


class FrameStream:
    """Pictures as they are decoded. Iterate once: (slot, pts), ascending, without those that failed."""

    def __init__(self, decoder: Decoder, pts: list[int], slots: Pixels, on_progress: Callable[[], None]) -> None:
        self.bad_packets = 0
        """Packets that could not be decoded; known at the end."""
        self._decoder = decoder
        self._pts = pts
        self._slots = slots
        self._on_progress = on_progress

    def __iter__(self) -> Iterator[tuple[int, int]]:
        last = -1
        while not isinstance(message := self._decoder._receive(), DecodeEnded):
            self._on_progress()
            if isinstance(message, DecodeProgress):
                continue
            self._decoder._require_unchanged()
            last = self._check(message, last)
            yield last, self._pts[last]
        self._decoder._require_unchanged()
        self.bad_packets = message.bad_packets

    def picture(self, slot: int) -> Pixels:
        """The picture in `slot` as (height, width, 3) RGB, read-only; valid while it is referenced."""
        picture: Pixels = self._slots[slot]
        return picture

    def _check(self, message: FromDecoder, last: int) -> int:
        """The slot that `message` fills."""
        if not isinstance(message, FrameDecoded):
            raise self._decoder._broken(f"{type(message).__name__} is no answer to DecodeFrames")
        if not last < message.slot < len(self._pts) or self._pts[message.slot] != message.pts:
            raise self._decoder._broken(f"picture {message.pts} in slot {message.slot} was not asked for")
        return message.slot
