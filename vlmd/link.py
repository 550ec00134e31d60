"""Framed messages over a socket pair, with file descriptors where needed.

A frame is a 4-byte big-endian length and that many bytes of msgpack. `Link` is the blocking end (workers,
decoders); the supervisor reads the same frames through asyncio (`read_frame`). Anything that is not a message
of the expected kind raises `LinkError`: garbage ends a link, it is never guessed at.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from vlmd.core.errors import LinkError

if TYPE_CHECKING:
    import asyncio

MAX_FRAME = 256 << 20
_HEADER = struct.Struct(">I")

T = TypeVar("T")


def encode_frame(message: msgspec.Struct) -> bytes:
    body = msgspec.msgpack.encode(message)
    return _HEADER.pack(len(body)) + body


class Link(Generic[T]):
    """The blocking end of a socket pair, receiving messages of type `T`. Sending is safe from any thread."""

    def __init__(self, sock: socket.socket, receives: Any, most: int = MAX_FRAME) -> None:
        """`most`: bytes of the longest message taken from the other end."""
        self._socket = sock
        self._most = most
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(receives)
        self._lock = threading.Lock()

    def send(self, message: msgspec.Struct, fds: Sequence[int] = ()) -> None:
        frame = encode_frame(message)
        with self._lock:
            sent = socket.send_fds(self._socket, [frame], list(fds)) if fds else 0
            self._socket.sendall(frame[sent:])

    def receive(self, timeout: float | None = None) -> T | None:
        """The next message, or None at the end of the link. Raises TimeoutError after `timeout` seconds."""
        message, fds = self.receive_with_fds(0, timeout)
        _close_all(fds)
        return message

    def receive_with_fds(self, count: int, timeout: float | None = None) -> tuple[T | None, list[int]]:
        """The next message, and up to `count` descriptors that came with its first bytes.

        It must be there as a whole within `timeout` seconds: a peer that sends byte after byte gains nothing.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        self._wait_until(deadline)
        fds: list[int] = []
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, _HEADER.size, count)
            header = data + self._read(_HEADER.size - len(data), deadline) if data else b""
            if not header:
                return None, fds
            (length,) = _HEADER.unpack(header)
            _refuse_longer(length, self._most)
            return decode_message(self._decoder, self._read(length, deadline)), fds
        except (ConnectionResetError, EOFError):
            _close_all(fds)
            return None, []
        except BaseException:
            _close_all(fds)
            raise

    def close(self) -> None:
        self._socket.close()

    def _read(self, length: int, deadline: float | None) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            self._wait_until(deadline)
            part = self._socket.recv(min(length - len(parts), 1 << 20))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def _wait_until(self, deadline: float | None) -> None:
        """Let the next operation last until `deadline`."""
        self._socket.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.001))


def decode_message(decoder: msgspec.msgpack.Decoder[T], body: bytes) -> T:
    """The message in a frame's body. Raises `LinkError` for whatever else the bytes may be."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LinkError(f"not a message: {error}") from error


async def read_frame(reader: asyncio.StreamReader, most: int = MAX_FRAME) -> bytes | None:
    """The body of the next frame, or None at the end of the link.

    A peer that died while something was written to it also counts as the end: asyncio tells the reader of that.
    """
    try:
        (length,) = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        _refuse_longer(length, most)
        return await reader.readexactly(length)
    except (EOFError, ConnectionError):  # asyncio's IncompleteReadError is an EOFError
        return None


def _refuse_longer(length: int, most: int) -> None:
    if length > most:
        raise LinkError(f"a frame of {length} bytes was announced; at most {most} are allowed")


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
