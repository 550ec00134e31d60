"""A little model hub on the loopback, with the paths, redirects and headers of the real one, and faults on demand.

Large files (safetensors, pickles) are redirected to a second server, as the real hub redirects to its CDN.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin", ".gguf", ".model")
_CHUNK = 64 << 10


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def blob(content: bytes) -> str:
    """git's digest."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Fault:
    """What goes wrong at requests whose path holds `on`, so many times."""

    on: str
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    """Bytes of the body after which the connection is closed."""
    page: bool = False
    """A page of something on the way comes instead."""
    wrong: bool = False
    """The body has another byte."""


@dataclass
class Asked:
    """A request as it was seen."""

    server: str
    path: str
    range: str | None
    token: str | None
    sent: int = 0


@dataclass
class Repository:
    """Files by name at every commit; branches name commits."""

    commits: dict[str, dict[str, bytes]]
    branches: dict[str, str]
    gated: bool = False


class Hub:
    """`address` is what HF_ENDPOINT takes; tests put `repositories`, `faults` and `seconds_a_chunk` into it."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.tokens: set[str] = set()
        """Those that may read what is gated."""
        self.renamed: dict[str, str] = {}
        """Former names."""
        self.seconds_a_chunk = 0.0
        self.ranges = True
        self._large: dict[str, bytes] = {}
        self._servers = [_server(self, "hub"), _server(self, "cdn")]
        self.address, self._cdn = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(self, name: str, files: dict[str, bytes], branch: str = "main", gated: bool = False) -> str:
        """Put files there as the newest commit of a branch; returns the commit."""
        commit = hashlib.sha1(
            json.dumps({file: sha256(content) for file, content in files.items()}).encode()
        ).hexdigest()
        repository = self.repositories.setdefault(name, Repository({}, {}, gated))
        repository.commits[commit] = files
        repository.branches[branch] = commit
        return commit

    def sent(self, server: str) -> int:
        """Bytes of bodies that left a server."""
        return sum(asked.sent for asked in self.asked if asked.server == server)

    def answer(self, server: str, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path)
        authorization = request.headers.get("authorization")
        asked = Asked(server, unquote(path.path), request.headers.get("range"), authorization)
        self.asked.append(asked)
        fault = self._fault(f"{server}:{asked.path}")
        if fault and fault.status:
            _head(request, fault.status, {"content-length": "0", **fault.headers})
        elif fault and fault.page:
            self._send(request, Asked(server, asked.path, None, None), b"<html>log in</html>", {}, None)
        elif moved := next((old for old in self.renamed if f"/{old}/" in asked.path), None):
            _head(request, 307, {"location": request.path.replace(moved, self.renamed[moved]), "content-length": "0"})
        elif server == "cdn":
            self._send(request, asked, self._large[asked.path.strip("/")], {}, fault)
        else:
            self._hub(request, asked, parse_qs(path.query), fault)

    def _hub(
        self, request: BaseHTTPRequestHandler, asked: Asked, query: dict[str, list[str]], fault: Fault | None
    ) -> None:
        match asked.path.strip("/").split("/"):
            case ["api", "models", owner, name, "revision", *revision]:
                self._describe(request, asked, f"{owner}/{name}", "/".join(revision), "blobs" in query)
            case [owner, name, "resolve", commit, *file]:
                self._resolve(request, asked, f"{owner}/{name}", commit, "/".join(file), fault)
            case _:
                _refuse(request, 404, "", "no such page")

    def _describe(self, request: Any, asked: Asked, name: str, revision: str, blobs: bool) -> None:
        if self._refused(request, asked, name, gate=False):
            return
        repository = self.repositories[name]
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            _refuse(request, 404, "RevisionNotFound", "Invalid rev id")
            return
        siblings = [_sibling(file, content, blobs) for file, content in repository.commits[commit].items()]
        gated = "manual" if repository.gated else False
        body = {"id": name, "sha": commit, "private": False, "gated": gated, "siblings": siblings, "tags": ["x"]}
        self._send(request, asked, json.dumps(body).encode(), {"content-type": "application/json"}, None)

    def _resolve(self, request: Any, asked: Asked, name: str, commit: str, file: str, fault: Fault | None) -> None:
        if self._refused(request, asked, name, gate=True):
            return
        content = self.repositories[name].commits.get(commit, {}).get(file)
        if content is None:
            _refuse(request, 404, "EntryNotFound", "Entry not found")
            return
        headers = {"x-repo-commit": commit, "etag": f'"{blob(content)}"'}
        if not file.endswith(LARGE):
            self._send(request, asked, content, headers, fault)
            return
        self._large[sha256(content)] = content
        linked = {"x-linked-etag": f'"{sha256(content)}"', "x-linked-size": str(len(content))}
        location = {"location": f"{self._cdn}/{sha256(content)}?signature=x", "content-length": "0"}
        _head(request, 302, {**headers, **linked, **location})

    def _refused(self, request: Any, asked: Asked, name: str, gate: bool) -> bool:
        token = (asked.token or "").removeprefix("Bearer ")
        if asked.token is not None and token not in self.tokens:
            _refuse(request, 401, "", "Invalid credentials in Authorization header")
        elif name not in self.repositories:
            _refuse(request, 404 if token else 401, "RepoNotFound", "Repository not found")
        elif gate and self.repositories[name].gated and not token:
            _refuse(request, 401, "GatedRepo", f"Access to model {name} is restricted.")
        else:
            return False
        return True

    def _send(self, request: Any, asked: Asked, content: bytes, headers: dict[str, str], fault: Fault | None) -> None:
        begin, status, size = 0, 200, len(content)
        if asked.range and self.ranges:
            begin, status = int(asked.range.removeprefix("bytes=").rstrip("-")), 206
            if begin >= size:
                _head(request, 416, {"content-range": f"bytes */{size}", "content-length": "0"})
                return
            headers = headers | {"content-range": f"bytes {begin}-{size - 1}/{size}"}
        body = content[begin:]
        if fault and fault.wrong:
            body = bytes([body[0] ^ 1]) + body[1:]
        _head(request, status, headers | {"content-length": str(len(body)), "accept-ranges": "bytes"})
        self._trickle(request, asked, body if fault is None or fault.cut_after is None else body[: fault.cut_after])
        if fault and fault.cut_after is not None:
            request.close_connection = True

    def _trickle(self, request: Any, asked: Asked, body: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            for begin in range(0, len(body), _CHUNK):
                request.wfile.write(body[begin : begin + _CHUNK])
                asked.sent += len(body[begin : begin + _CHUNK])
                time.sleep(self.seconds_a_chunk)

    def _fault(self, where: str) -> Fault | None:
        for fault in self.faults:
            if fault.on in where and fault.times:
                fault.times -= 1
                return fault
        return None


@contextlib.contextmanager
def running() -> Iterator[Hub]:
    hub = Hub()
    try:
        yield hub
    finally:
        hub.close()


def files_of(folder: Path) -> dict[str, bytes]:
    """A folder's files as a repository holds them."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _sibling(file: str, content: bytes, blobs: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"rfilename": file}
    if blobs:
        told |= {"size": len(content), "blobId": blob(content)}
    if blobs and file.endswith(LARGE):
        told["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 135}
    return told


def _refuse(request: Any, status: int, code: str, message: str) -> None:
    _head(request, status, {"x-error-code": code, "x-error-message": message, "content-length": "0"})


def _head(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()


def _server(hub: Hub, called: str) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.answer(called, self)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name=called, daemon=True).start()
    return server
