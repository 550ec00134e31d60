"""Why a checkpoint does not load: what transformers, safetensors and the disk raise, as a code and one sentence."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

from safetensors import SafetensorError

from vlmd.core.errors import Code, Failure, WorkerError

_LONGEST = 300
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SIGNS: tuple[tuple[str, Code], ...] = (
    (r"gated repo|restricted|401 client error|403 client error", Code.MODEL_GATED),
    (
        r"does not recognize this architecture|out of date|requires? .*(version|transformers|torch|accelerate"
        r"|bitsandbytes)|cannot import name|no module named",
        Code.INCOMPATIBLE_VERSION,
    ),
    (r"custom code|trust_remote_code|weights_only|pickle", Code.MODEL_UNSAFE),
    (
        r"incompletemetadata|headertoo|invalidheader|deserializing header|no file named|does not appear to have a file"
        r"|is not a valid json|no such file|can't load|couldn't instantiate the backend tokenizer",
        Code.MODEL_DAMAGED,
    ),
    (
        r"not supported (on|by) (this|the) (device|gpu|cpu)|does not support (bf16|bfloat16|int8)",
        Code.PRECISION_UNSUPPORTED,
    ),
)
"""The first that is found in the message, in small letters, decides."""


def explained(path: str, error: BaseException) -> WorkerError:
    """What is to be said of an error that loading `path` raised."""
    if isinstance(error, WorkerError):
        return error
    failure = load_failure(path, error)
    return WorkerError(failure.code, failure.reason)


def load_failure(path: str, error: BaseException) -> Failure:
    code = _code(path, error)
    said = "its weights are pickles, which can run code" if _only_pickles(path) else _sentence(error)
    return Failure(code, f"{path}: {said}")


def _code(path: str, error: BaseException) -> Code:
    if isinstance(error, OSError) and error.errno in _FULL:
        return Code.LOAD_DISK_FULL
    if not (Path(path) / "config.json").is_file():
        return Code.MODEL_MISSING
    if _only_pickles(path):
        return Code.MODEL_UNSAFE
    if isinstance(error, ImportError):
        return Code.INCOMPATIBLE_VERSION
    if isinstance(error, SafetensorError | json.JSONDecodeError):
        return Code.MODEL_DAMAGED
    text = str(error).lower()
    return next((code for sign, code in _SIGNS if re.search(sign, text)), Code.MODEL_CANNOT_LOAD)


def _only_pickles(path: str) -> bool:
    folder = Path(path)
    return any(folder.glob("*.bin")) and not any(folder.glob("*.safetensors"))


def _sentence(error: BaseException) -> str:
    """The first sentence of a message that may be a page long."""
    text = " ".join(str(error).split()) or type(error).__name__
    first = re.split(r"(?<=[a-z0-9)`'\"])\. (?=[A-Z])", text, maxsplit=1)[0].rstrip(".")
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 1]}…"
