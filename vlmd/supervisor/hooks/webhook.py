"""Telling a server: one POST with the document, and a signature that only who knows the secret can make.

`Vlmd-Signature: t=SECONDS,v1=HEX`, where HEX is HMAC-SHA256 over `SECONDS.BODY`: the time is signed too, so that an
old notice cannot be told again by somebody who overheard it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import stat
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from vlmd import __version__
from vlmd.core.errors import ConfigError
from vlmd.core.names import shown
from vlmd.supervisor.hooks.document import Told

_SHORTEST_SECRET = 16


def read_secret(path: Path) -> bytes:
    """The key in this file, without white space around it. Raises `ConfigError` where it is none, or everybody's."""
    where = f"hooks.secret_file: {path}"
    try:
        secret, mode = path.read_bytes().strip(), path.stat().st_mode
    except OSError as error:
        raise ConfigError([f"{where} cannot be read: {error.strerror}"]) from error
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigError([f"{where} can be read or changed by everybody; `chmod 600` it and choose a new secret"])
    if len(secret) < _SHORTEST_SECRET:
        raise ConfigError([f"{where} holds fewer than {_SHORTEST_SECRET} bytes; make one with `openssl rand -hex 32`"])
    return secret


def signature(secret: bytes, body: bytes, seconds: int) -> str:
    """The value of `Vlmd-Signature`."""
    digest = hmac.new(secret, b"%d.%s" % (seconds, body), hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


async def post(url: str, told: Told, secret: bytes, limit_seconds: float) -> str | None:
    """None when the server took it (2xx), else the reason. A redirect is none: nobody signed the other address."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"vlmd/{__version__}",
        "Vlmd-Event": told.event,
        "Vlmd-Delivery": told.delivery,
        "Vlmd-Signature": signature(secret, told.body, int(time.time())),
    }
    try:
        async with (
            asyncio.timeout(limit_seconds),
            httpx.AsyncClient(timeout=limit_seconds) as client,
            client.stream("POST", url, content=told.body, headers=headers) as answer,
        ):
            return None if answer.is_success else f"{_server(url)} answered {answer.status_code}"
    except TimeoutError:
        return f"{_server(url)} did not answer within {limit_seconds:g} s (hooks.timeout_seconds)"
    except (httpx.HTTPError, OSError) as error:
        return f"{_server(url)} cannot be told: {shown(str(error)) or type(error).__name__}"


def _server(url: str) -> str:
    """The address without what may be a secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
