"""Why a model does not load: what its files tell beforehand, and what transformers, safetensors and the disk raise."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from vlmd.core.abilities import Wishes, missing_packages
from vlmd.core.errors import Code, WorkerError
from vlmd.core.faults import Fault, failure_of
from vlmd.core.messages.worker import ModelSpec
from vlmd.weights import faults_of, installed

_LONGEST = 300
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (OSError, ValueError, TypeError, LookupError, AttributeError, ImportError, SafetensorError)
"""What libraries raise over files that they do not take."""
_SIGNS: tuple[tuple[str, Code], ...] = (
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
"""For what no file tells: the first that is found in the message, in small letters, decides."""


def refuse_faults(model: ModelSpec) -> None:
    """What is known from files and packages is told before torch is imported. Raises `WorkerError`."""
    adapter = None if model.adapter is None else Path(model.adapter)
    wishes = Wishes(model.precision, model.attention, adapter is not None)
    refuse(model.path, *faults_of(Path(model.path), adapter=adapter), *missing_packages(wishes, installed()))


def refuse(path: str, *faults: Fault) -> None:
    """Raises `WorkerError` where there is a fault."""
    if faults:
        failure = failure_of(path, faults)
        raise WorkerError(failure.code, failure.reason, failure.advice)


def load_explained(family: Any, checkpoint: Any, progress: Callable[[str], None]) -> Any:
    """The loaded family. Raises `WorkerError` where a second try would fail the same way."""
    try:
        return family.load(checkpoint, progress)
    except _REFUSED as error:
        raise explained(checkpoint.path, error) from error
    except Exception as error:
        if type(error) is Exception:  # as tokenizers raises it
            raise explained(checkpoint.path, error) from error
        raise


def explained(path: str, error: BaseException) -> WorkerError:
    """What is to be said of an error that loading `path` raised."""
    if isinstance(error, WorkerError):
        return error
    return WorkerError(_code(error), f"{path}: {_sentence(error)}{written_by_newer(Path(path))}")


def _code(error: BaseException) -> Code:
    if isinstance(error, OSError) and error.errno in _FULL:
        return Code.LOAD_DISK_FULL
    if isinstance(error, ImportError):
        return Code.INCOMPATIBLE_VERSION
    if isinstance(error, SafetensorError | json.JSONDecodeError):
        return Code.MODEL_DAMAGED
    text = str(error).lower()
    return next((code for sign, code in _SIGNS if re.search(sign, text)), Code.MODEL_CANNOT_LOAD)


def _sentence(error: BaseException) -> str:
    """The first sentence of a message that may be a page long."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = f"it holds no {text}" if isinstance(error, KeyError) else text
    first = re.split(r"(?<=[a-z0-9)`'\"])\. (?=[A-Z])", text, maxsplit=1)[0].rstrip(".")
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 1]}…"


def written_by_newer(folder: Path) -> str:
    """That it was written by a later transformers than there is, which may be why."""
    try:
        wrote = json.loads((folder / "config.json").read_text())["transformers_version"]
        here = version("transformers")
        later = _numbers(wrote) > _numbers(here)
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    return f" (transformers {wrote} wrote it, and {here} is installed)" if later else ""


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)[:2]]
