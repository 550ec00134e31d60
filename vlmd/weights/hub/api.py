"""Requests to the hub. What passes is waited for, visibly; what does not is a sentence.

Where it is and who asks: HF_ENDPOINT, HF_TOKEN, or a systemd credential `hf_token`. The token goes to the hub alone,
never to where a download is redirected.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from vlmd.weights.hub.listing import Listing, parse_listing
from vlmd.weights.hub.refusals import HubError, Passing, raise_for

ENDPOINT = "https://huggingface.co"
_SECONDS = httpx.Timeout(30.0, connect=15.0)
_TRIES = 5
"""In a row, without a byte between them."""
_LARGEST_SMALL = 64 << 20


class Patience:
    """Waits longer after each failure in a row, or as long as the hub asks for, and says so; at last it gives up."""

    def __init__(self, say: Callable[[str], None], pause: Callable[[float], None] = time.sleep) -> None:
        self._say = say
        self._pause = pause
        self._failed = 0

    def moved(self) -> None:
        """Something arrived: what fails next is the first again."""
        self._failed = 0

    def wait(self, reason: Passing, what: str) -> None:
        """Raises `HubError` when it was tried often enough."""
        self._failed += 1
        if self._failed >= _TRIES:
            raise HubError(f"{what}: {reason.reason}, {_TRIES} times in a row; run it again later, it goes on there")
        seconds = float(1 << (self._failed - 1)) if reason.wait is None else reason.wait
        self._say(f"{what}: {reason.reason}; trying again in {seconds:.0f} s")
        self._pause(seconds)


class Hub:
    """The hub's files and facts. Every method waits out what passes and raises `HubError` for the rest."""

    def __init__(
        self,
        endpoint: str,
        token: str | None,
        agent: str,
        say: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint
        self._with_token = token is not None
        self._say = say
        self._pause = pause
        headers = {"user-agent": agent, "accept-encoding": "identity"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        self._http = httpx.Client(headers=headers, timeout=_SECONDS, follow_redirects=True)

    @classmethod
    def of(cls, environ: Mapping[str, str], agent: str, say: Callable[[str], None]) -> Hub:
        """As the environment says."""
        return cls(_endpoint(environ), _token(environ), agent, say)

    def close(self) -> None:
        self._http.close()

    def listing(self, name: str, revision: str) -> Listing:
        """What a repository holds at a revision, with its commit."""
        path = f"/api/models/{name}/revision/{quote(revision, safe='')}"
        content = self._patiently(name, f"revision {revision}", f"{path}?blobs=true")
        return parse_listing(content, name)

    def small(self, name: str, commit: str, file: str) -> bytes:
        """The content of a file that is read before anything is fetched."""
        return self._patiently(name, file, _file_path(name, commit, file))

    def patience(self) -> Patience:
        return Patience(self._say, self._pause)

    @contextlib.contextmanager
    def stream(self, name: str, commit: str, file: str, offset: int) -> Iterator[httpx.Response]:
        """A file from an offset on. One try: raises `Passing`, also from what is read of it."""
        headers = {"range": f"bytes={offset}-"} if offset else {}
        with self._get(name, file, _file_path(name, commit, file), headers) as response:
            yield response

    def _patiently(self, name: str, what: str, path: str) -> bytes:
        patience = self.patience()
        while True:
            try:
                with self._get(name, what, path, {}) as response:
                    return _content(response, what)
            except Passing as reason:
                patience.wait(reason, f"{name}, {what}")

    @contextlib.contextmanager
    def _get(self, name: str, what: str, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        try:
            with self._http.stream("GET", f"{self.endpoint}{path}", headers=headers) as response:
                if response.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise_for(response, name, what, self.endpoint, self._with_token)
                yield response
        except httpx.TransportError as error:
            raise Passing(_told(error, self.endpoint)) from error
        except (httpx.TooManyRedirects, httpx.InvalidURL) as error:
            raise HubError(
                f"{self.endpoint} redirects {what} of {name} to nowhere ({error}); see HF_ENDPOINT"
            ) from error


def _content(response: httpx.Response, what: str) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > _LARGEST_SMALL:
            raise HubError(f"{what} is larger than anything of its kind; take another repository")
    return bytes(content)


def _file_path(name: str, commit: str, file: str) -> str:
    return f"/{name}/resolve/{commit}/{quote(file)}"


def _told(error: httpx.TransportError, endpoint: str) -> str:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return f"{endpoint} cannot be reached ({error or 'no answer'}); is there a network?"
    if isinstance(error, httpx.TimeoutException):
        return "the hub fell silent"
    return f"the connection broke off ({error or type(error).__name__})"


def _endpoint(environ: Mapping[str, str]) -> str:
    endpoint = environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HubError(f'HF_ENDPOINT is "{endpoint}"; expected an address such as {ENDPOINT}')
    return endpoint


def _token(environ: Mapping[str, str]) -> str | None:
    """From the environment, else from a credential that systemd hands over."""
    token, source = environ.get("HF_TOKEN", "").strip(), "HF_TOKEN"
    if not token and (folder := environ.get("CREDENTIALS_DIRECTORY")):
        file = Path(folder) / "hf_token"
        source = str(file)
        try:
            token = file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise HubError(f"{file} cannot be read ({error}); see LoadCredential= of the unit") from error
    if token and (not token.isascii() or not token.isprintable() or " " in token):
        raise HubError(f"{source} holds no token: there is more than letters, digits and signs in it")
    return token or None
