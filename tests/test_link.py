"""Frames carry messages and descriptors whole; whatever is not a message ends a link."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.errors import LinkError
from vlmd.core.messages.base import Gone
from vlmd.core.messages.worker import Beat, Cancel, FromWorker, LoadModel, Shutdown, ToWorker
from vlmd.link import MAX_FRAME, Link, encode_frame, read_frame


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Link[FromWorker]]]:
    """The raw end of a link, and the end that receives what workers say."""
    raw, ours = socket.socketpair()
    with raw, ours:
        yield raw, Link(ours, FromWorker)


def frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def test_messages_arrive_in_order_and_the_end_is_none(pair: tuple[socket.socket, Link[FromWorker]]) -> None:
    raw, link = pair
    sent = [Beat(stage="load"), Beat(stage="généré 日本", lease=3, window=4, tokens=5), Gone(exit="x" * 100_000)]
    sender = threading.Thread(target=lambda: [Link(raw, ToWorker).send(message) for message in sent])
    sender.start()
    assert [link.receive(), link.receive(), link.receive()] == sent
    sender.join()
    raw.close()
    assert link.receive() is None


def test_descriptors_arrive_with_their_message(pair: tuple[socket.socket, Link[FromWorker]]) -> None:
    raw, link = pair
    read, write = os.pipe()
    Link(raw, ToWorker).send(Beat(stage="with"), [write])
    Link(raw, ToWorker).send(Beat(stage="without"))
    os.close(write)
    message, (received,) = link.receive_with_fds(1)
    assert message == Beat(stage="with") and link.receive_with_fds(1) == (Beat(stage="without"), [])
    os.write(received, b"through")
    os.close(received)
    assert (os.read(read, 100), os.read(read, 100)) == (b"through", b"")
    os.close(read)


def test_messages_of_several_threads_do_not_mix(pair: tuple[socket.socket, Link[FromWorker]]) -> None:
    raw, link = pair
    sender = Link[ToWorker](raw, ToWorker)
    stages = ["a" * 5000, "b" * 3, "c" * 20_000]
    threads = [threading.Thread(target=lambda s=s: [sender.send(Beat(stage=s)) for _ in range(50)]) for s in stages]
    for thread in threads:
        thread.start()
    heard = [link.receive() for _ in range(150)]
    for thread in threads:
        thread.join()
    assert sorted(beat.stage for beat in heard if isinstance(beat, Beat)) == sorted(stages * 50)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode(None),
        msgspec.msgpack.encode({"type": "Nonsense"}),
        msgspec.msgpack.encode({"type": "Beat"}),
        msgspec.msgpack.encode({"type": "Beat", "stage": 1}),
        msgspec.msgpack.encode(Cancel(lease=1)),
        msgspec.msgpack.encode(Beat(stage="x")) + b"more",
    ],
)
def test_what_is_no_message_of_this_direction_is_refused(
    pair: tuple[socket.socket, Link[FromWorker]], body: bytes
) -> None:
    raw, link = pair
    raw.sendall(frame(body))
    with pytest.raises(LinkError, match="not a message"):
        link.receive()


NOT_UTF8 = msgspec.msgpack.encode(Beat(stage="abc")).replace(b"abc", b"a\xff\xfe")
TOO_DEEP = b"\x83\xa4type\xa4Beat\xa5stage\xa1x\xa5extra" + b"\x91" * 5000 + b"\xc0"


@pytest.mark.parametrize("body", [NOT_UTF8, TOO_DEEP], ids=["not-utf8", "too-deep"])
def test_text_that_is_not_utf8_and_bottomless_nesting_are_refused_too(
    pair: tuple[socket.socket, Link[FromWorker]], body: bytes
) -> None:
    raw, link = pair
    raw.sendall(frame(body))
    with pytest.raises(LinkError):
        link.receive()


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_the_end(body: bytes) -> None:
    raw, ours = socket.socketpair()
    with raw, ours:
        raw.sendall(body)
        raw.close()
        with contextlib.suppress(LinkError):
            assert Link[FromWorker](ours, FromWorker).receive(5) is None


def test_an_announced_giant_is_refused_before_it_is_read(pair: tuple[socket.socket, Link[FromWorker]]) -> None:
    raw, link = pair
    raw.sendall(struct.pack(">I", MAX_FRAME + 1))
    with pytest.raises(LinkError, match="announced"):
        link.receive()


@pytest.mark.parametrize("kept", [1, 3, 4, 5, 12])
def test_half_a_frame_is_the_end(pair: tuple[socket.socket, Link[FromWorker]], kept: int) -> None:
    raw, link = pair
    raw.sendall(encode_frame(Beat(stage="load"))[:kept])
    raw.close()
    assert link.receive() is None


def test_a_frame_that_does_not_arrive_in_time_is_a_timeout(pair: tuple[socket.socket, Link[FromWorker]]) -> None:
    raw, link = pair
    with pytest.raises(TimeoutError):
        link.receive(0.05)
    raw.sendall(encode_frame(Beat(stage="load"))[:6])
    with pytest.raises(TimeoutError):
        link.receive(0.05)


async def test_asyncio_reads_the_same_frames() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(encode_frame(Shutdown()) + encode_frame(Beat(stage="load")) + b"\0\0\0\x05half")
    reader.feed_eof()
    bodies = [await read_frame(reader) for _ in range(3)]
    assert bodies == [msgspec.msgpack.encode(Shutdown()), msgspec.msgpack.encode(Beat(stage="load")), None]
    giant = asyncio.StreamReader()
    giant.feed_data(struct.pack(">I", MAX_FRAME + 1))
    with pytest.raises(LinkError):
        await read_frame(giant)


def test_every_message_has_a_name_of_its_own() -> None:
    both = msgspec.msgpack.Decoder(LoadModel | Cancel | Shutdown | Beat | Gone)
    assert both.decode(msgspec.msgpack.encode(Cancel(lease=7))) == Cancel(lease=7)
