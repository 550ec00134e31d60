"""The decoder process: takes one request, locks itself up, answers it, ends.

Everything it needs is imported and tried out before it locks itself up; a late import would fail.
"""

from __future__ import annotations

import io
import socket
import sys
import time
from collections.abc import Callable

import av
import av.audio.codeccontext
import av.subtitles.codeccontext
import msgspec
import numpy as np

from vlmd.core.errors import Code, Failure, MediaError
from vlmd.core.messages.decoder import (
    CutsFound,
    DecodeEnded,
    DecodeFrames,
    DecodeProgress,
    DecoderFailed,
    FindCuts,
    FrameDecoded,
    Indexed,
    IndexProgress,
    IndexVideo,
    Sandboxed,
    ToDecoder,
)
from vlmd.link import Link
from vlmd.media import sandbox
from vlmd.media.frames import FrameJob, Scaler
from vlmd.media.indexing import index_video
from vlmd.media.memory import map_slots

_PROGRESS_SECONDS = 0.5


def main(link_fd: int) -> None:
    av.logging.set_level(None)
    warm_up()
    link: Link[ToDecoder] = Link(socket.socket(fileno=link_fd), ToDecoder)
    request, fds = link.receive_with_fds(2)
    if request is not None:
        serve(link, request, fds)


def warm_up() -> None:
    """Encode and decode a tiny video, so that whatever is imported or allocated late is there."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="avi") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 16
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
        output.mux([*stream.encode(picture), *stream.encode()])
    memory.seek(0)
    with av.open(memory, container_options={"format_whitelist": "avi"}) as container:
        for frame in container.decode(video=0):
            Scaler(8, 8, 90).scale(frame)
    msgspec.msgpack.encode(DecodeEnded(bad_packets=0))


def serve(link: Link[ToDecoder], request: ToDecoder, fds: list[int]) -> None:
    """Answer `request` about the descriptors that came with it, from within the sandbox."""
    if isinstance(request, FindCuts):
        prepare_cuts()
    try:
        link.send(Sandboxed(missing=sandbox.enter(request.limits)))
        if isinstance(request, IndexVideo):
            index(link, request, fds[0])
        elif isinstance(request, FindCuts):
            cuts(link, request, fds[0])
        else:
            decode(link, request, fds[0], fds[1])
    except MediaError as error:
        link.send(DecoderFailed(failure=error.failure))
    except MemoryError:
        reason = f"decoding needs more than {request.limits.memory_bytes >> 20} MiB of memory"
        link.send(DecoderFailed(failure=Failure(Code.DECODER_LIMIT, reason)))
    except BrokenPipeError:
        sys.exit(1)  # nobody is listening any more
    except OSError as error:
        link.send(DecoderFailed(failure=Failure(Code.UNREADABLE, f"reading the file failed: {error}")))


def index(link: Link[ToDecoder], request: IndexVideo, video: int) -> None:
    beat = every(_PROGRESS_SECONDS, lambda done: link.send(IndexProgress(bytes_read=done)))
    link.send(Indexed(index=index_video(video, request.limits, beat)))


def decode(link: Link[ToDecoder], request: DecodeFrames, video: int, memory: int) -> None:
    slots = map_slots(memory, len(request.pts), request.width, request.height, writable=True)
    job = FrameJob(
        video,
        request,
        slots,
        on_frame=lambda slot, pts: link.send(FrameDecoded(slot=slot, pts=pts)),
        on_progress=every(_PROGRESS_SECONDS, lambda packets: link.send(DecodeProgress(packets=packets))),
    )
    link.send(DecodeEnded(bad_packets=job.run()))


def prepare_cuts() -> None:
    """OpenCV takes a third of a second to import, so only who needs it does."""
    from vlmd.media.cuts import warm_up

    warm_up()


def cuts(link: Link[ToDecoder], request: FindCuts, video: int) -> None:
    from vlmd.media.cuts import find_cuts

    beat = every(_PROGRESS_SECONDS, lambda packets: link.send(DecodeProgress(packets=packets)))
    link.send(CutsFound(pts=find_cuts(video, request, beat)))


def every(seconds: float, send: Callable[[int], None]) -> Callable[[int], None]:
    """`send`, but no more often than every so many `seconds`, however often it is called."""
    due = time.monotonic() + seconds

    def beat(value: int) -> None:
        nonlocal due
        if (now := time.monotonic()) >= due:
            due = now + seconds
            send(value)

    return beat
