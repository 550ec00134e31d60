"""One file of the hub: what is there of it is kept, the rest is loaded, and the whole is verified.

It is called `<name>.part` until its digest was compared with the hub's.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import httpx

from vlmd.weights.hub.api import Hub
from vlmd.weights.hub.listing import HubFile
from vlmd.weights.hub.refusals import HubError, Passing

_CHUNK = 1 << 20
_PART = ".part"
_FULL = {errno.ENOSPC, errno.EDQUOT}


def bytes_here(folder: Path, file: HubFile) -> int:
    """How much of a file need not be loaded again."""
    for path, most in ((folder / file.name, file.size), (_part(folder, file), file.size)):
        if path.is_file():
            size = path.stat().st_size
            return size if size <= most else 0
    return 0


def download(hub: Hub, name: str, commit: str, file: HubFile, folder: Path, arrived: Callable[[int], None]) -> str:
    """Make the file whole in the folder; returns its sha256. `arrived` hears how much of it is there.

    Raises `HubError`, with what has arrived kept.
    """
    target = folder / file.name
    try:
        if target.exists() and (found := _sha256_if_right(target, file)):
            arrived(file.size)
            return found
        target.parent.mkdir(exist_ok=True)
        return _into_part(hub, name, commit, file, target, _part(folder, file), arrived)
    except OSError as error:
        raise HubError(_cannot_write(error, target)) from error


def _into_part(
    hub: Hub, name: str, commit: str, file: HubFile, target: Path, part: Path, arrived: Callable[[int], None]
) -> str:
    begun_anew = not part.exists()
    while True:
        _load_patiently(hub, name, commit, file, part, arrived)
        if found := _sha256_if_right(part, file):
            os.replace(part, target)
            return found
        part.unlink()
        if begun_anew:
            raise HubError(f"{file.name} of {name} arrived otherwise than the hub describes it; run it again")
        begun_anew = True


def _load_patiently(
    hub: Hub, name: str, commit: str, file: HubFile, part: Path, arrived: Callable[[int], None]
) -> None:
    """Until the part has the size that the file should have. Only what goes further than before counts as progress."""
    patience = hub.patience()
    furthest = part.stat().st_size if part.exists() else 0

    def reached(count: int) -> None:
        nonlocal furthest
        if count > furthest:
            furthest = count
            patience.moved()
        arrived(count)

    while not part.exists() or part.stat().st_size != file.size:
        try:
            _load(hub, name, commit, file, part, reached)
        except Passing as reason:
            patience.wait(reason, f"{name}, {file.name}")


def _load(hub: Hub, name: str, commit: str, file: HubFile, part: Path, arrived: Callable[[int], None]) -> None:
    """Append what is missing. Raises `Passing` when the end is not reached."""
    have = part.stat().st_size if part.exists() else 0
    if have > file.size:
        part.unlink()
        have = 0
    with hub.stream(name, commit, file.name, have) as response:
        offset = have if _goes_on_at(response, have) else 0
        _require_that_file(response, file, offset)
        with part.open("r+b" if part.exists() else "wb") as output:
            output.seek(offset)
            output.truncate()
            reached = _copy(response, output, offset, file, arrived)
            os.fsync(output.fileno())
    if reached < file.size:
        raise Passing(f"it ended after {reached} of {file.size} bytes")


def _copy(
    response: httpx.Response, output: BinaryIO, reached: int, file: HubFile, arrived: Callable[[int], None]
) -> int:
    if response.is_error:
        return reached
    for chunk in response.iter_bytes():
        output.write(chunk)
        reached += len(chunk)
        arrived(reached)
        if reached > file.size:
            raise HubError(f"{file.name} is longer than the {file.size} bytes that the hub tells; try again later")
    return reached


def _goes_on_at(response: httpx.Response, offset: int) -> bool:
    """Whether the answer is the rest from there on; otherwise it is the whole file, or nothing of use."""
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return False
    told: str = response.headers.get("content-range", "")
    return told.startswith(f"bytes {offset}-")


def _require_that_file(response: httpx.Response, file: HubFile, offset: int) -> None:
    """What has arrived is not given up for the page of a proxy. Raises `Passing`."""
    length = response.headers.get("content-length")
    if response.is_success and length is not None and length != str(file.size - offset):
        raise Passing(f"something else came, of {length} bytes")


def _sha256_if_right(path: Path, file: HubFile) -> str | None:
    """The sha256 of a file that is what the hub describes; git's digest is of a header and the content."""
    if path.stat().st_size != file.size:
        return None
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    digests = [sha256] if file.blob is None else [sha256, git]
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            for digest in digests:
                digest.update(chunk)
    right = file.sha256 in (None, sha256.hexdigest()) and file.blob in (None, git.hexdigest())
    return sha256.hexdigest() if right else None


def _part(folder: Path, file: HubFile) -> Path:
    return folder / f"{file.name}{_PART}"


def _cannot_write(error: OSError, target: Path) -> str:
    if error.errno in _FULL:
        return f"the disk under {target.parent} is full; make room and run it again, what has arrived is kept"
    return f"{error.filename or target} cannot be written ({error.strerror}); run it again when that is mended"
