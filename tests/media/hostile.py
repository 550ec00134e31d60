"""A decoder that has been taken over: says what its first argument tells it to, and then waits.

Started by the tests in place of `vlmd.media`.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import time

from msgspec.structs import replace

from vlmd.core.errors import Code, Failure
from vlmd.core.messages.decoder import (
    DecodeEnded,
    DecodeFrames,
    DecodeProgress,
    DecoderFailed,
    FrameDecoded,
    Indexed,
    IndexProgress,
    IndexVideo,
    Sandboxed,
    ToDecoder,
)
from vlmd.core.video import MAX_PICTURES, VideoFacts, VideoIndex
from vlmd.link import Link

FACTS = VideoFacts(
    fingerprint="0" * 64,
    size_bytes=7,
    container="avi",
    codec="mpeg4",
    pixel_format="yuv420p",
    width=64,
    height=48,
    rotation=0,
    duration_ms=3000,
    start_ms=0,
    frames=3,
    truncated=False,
    bad_packets=0,
)
INDEX = VideoIndex(facts=FACTS, time_base=(1, 1000), pts=[0, 1000, 2000], keyframes=[0])

SAID = {
    "nothing wrong": [Sandboxed(missing=[]), Indexed(index=INDEX)],
    "no sandbox": [Sandboxed(missing=["seccomp"]), Indexed(index=INDEX)],
    "index first": [Indexed(index=INDEX)],
    "wrong kind": [Sandboxed(missing=[]), FrameDecoded(slot=0, pts=0)],
    "wrong direction": [Sandboxed(missing=[]), IndexVideo(limits=None)],  # type: ignore[arg-type]
    "unsorted": [Sandboxed(missing=[]), Indexed(index=replace(INDEX, pts=[0, 2000, 1000]))],
    "no pictures": [Sandboxed(missing=[]), Indexed(index=replace(INDEX, pts=[]))],
    "stopped clock": [Sandboxed(missing=[]), Indexed(index=replace(INDEX, time_base=(0, 1)))],
    "no such keyframe": [Sandboxed(missing=[]), Indexed(index=replace(INDEX, keyframes=[500]))],
    "huge": [Sandboxed(missing=[]), Indexed(index=replace(INDEX, facts=replace(FACTS, width=1 << 40)))],
    "crooked": [Sandboxed(missing=[]), Indexed(index=replace(INDEX, facts=replace(FACTS, rotation=45)))],
    "another video": [
        Sandboxed(missing=[]),
        IndexProgress(bytes_read=1 << 40),
        Indexed(index=replace(INDEX, facts=replace(FACTS, fingerprint="f" * 64))),
    ],
    "too many": [Sandboxed(missing=[]), Indexed(index=replace(INDEX, pts=list(range(MAX_PICTURES + 1))))],
    "escape": [Sandboxed(missing=[]), Indexed(index=replace(INDEX, facts=replace(FACTS, codec="\x1b[31m")))],
    "short": [Sandboxed(missing=[]), Indexed(index=replace(INDEX, facts=replace(FACTS, duration_ms=2000)))],
    "impossible reason": [Sandboxed(missing=[]), DecoderFailed(failure=Failure(Code.WORKER_LOST, "x"))],
    "slot out of range": [Sandboxed(missing=[]), FrameDecoded(slot=3, pts=0)],
    "negative slot": [Sandboxed(missing=[]), FrameDecoded(slot=-1, pts=2000)],
    "other picture": [Sandboxed(missing=[]), FrameDecoded(slot=0, pts=1000)],
    "descending": [Sandboxed(missing=[]), FrameDecoded(slot=1, pts=1000), FrameDecoded(slot=0, pts=0)],
    "twice": [Sandboxed(missing=[]), FrameDecoded(slot=1, pts=1000), FrameDecoded(slot=1, pts=1000)],
    "frames": [
        Sandboxed(missing=[]),
        DecodeProgress(packets=1),
        FrameDecoded(slot=0, pts=0),
        FrameDecoded(slot=2, pts=2000),
        DecodeEnded(bad_packets=1),
    ],
}


def main() -> None:
    what, sock = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
    link: Link[ToDecoder] = Link(sock, ToDecoder)
    request, fds = link.receive_with_fds(2)
    if isinstance(request, DecodeFrames):
        try:
            os.ftruncate(fds[1], 0)
        except PermissionError:
            print("sealed", file=sys.stderr)
    for message in SAID.get(what, [Sandboxed(missing=[])]):
        link.send(message)
    if what == "garbage":
        sock.sendall(b"\0\0\0\3abc")
    if what == "long":
        sock.sendall((97 << 20).to_bytes(4))
    if what == "endless":
        sock.sendall(b"\xff\xff\xff\xff")
    if what == "byte after byte":
        for byte in b"\0\0\0\xff" + bytes(255):
            time.sleep(0.2)
            sock.sendall(bytes([byte]))
    if what == "spin":
        resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
        while True:
            pass
    if what == "busy":
        while True:
            time.sleep(0.1)
            link.send(IndexProgress(bytes_read=0) if isinstance(request, IndexVideo) else DecodeProgress(packets=0))
    if what == "exit":
        sys.exit("a \x1b[31mred\x1b[0m word")
    if what == "hang up":
        sock.close()
    time.sleep(60)


if __name__ == "__main__":
    main()
