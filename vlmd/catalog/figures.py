"""Figures of checkpoints: from the catalog, from what was worked out before, or from a child that imports torch.

The child builds a model without memory behind its weights; it takes some seconds, most of them to import torch.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from vlmd import catalog
from vlmd.core.families import family_name
from vlmd.core.figures import Figures

logger = logging.getLogger("vlmd.figures")

Answer = Figures | str
"""Figures, or one sentence that says why there are none."""

CACHE = "model-figures.json"
"""Beside the database."""
_FILES = ("config.json", "preprocessor_config.json", "processor_config.json")
_SECONDS, _SECONDS_EACH = 180.0, 30.0
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "CUDA_VISIBLE_DEVICES": "",
}


def configuration(folder: Path) -> str:
    """sha256 in hex over everything in a checkpoint that its figures depend on."""
    digest = hashlib.sha256()
    for name in _FILES:
        path = folder / name
        digest.update(f"{name}\0".encode() + (path.read_bytes() if path.is_file() else b"") + b"\0")
    return digest.hexdigest()


def known_figures(folder: Path, cache: Path | None = None) -> Figures | None:
    """What is known without asking anybody; None where that is nothing."""
    try:
        made_from = configuration(folder)
        entry = next((one for one in catalog.entries().values() if one.configuration == made_from), None)
        if entry is not None and entry.figures.family == family_name(entry.figures.architecture):
            return entry.figures
        return _remembered(cache).get(_key(made_from, folder))
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None  # who asks the child hears what is wrong with the folder


def figures_of(folders: Sequence[Path], cache: Path | None = None, say: Callable[[str], None] = logger.info,
               ) -> dict[Path, Answer]:  # fmt: skip
    """The figures of checkpoints; what a child had to work out is remembered in `cache`. Takes seconds."""
    known = {folder: known_figures(folder, cache) for folder in folders}
    missing = [folder for folder, figures in known.items() if figures is None]
    fresh = worked_out(missing, say) if missing else {}
    remember(cache, fresh)
    return {folder: fresh[folder] if figures is None else figures for folder, figures in known.items()}


def worked_out(folders: Sequence[Path], say: Callable[[str], None]) -> dict[Path, Answer]:
    """From a child. Takes seconds."""
    say(f"working out what {', '.join(folder.name for folder in folders)} takes; this needs some seconds")
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command(), stdin=pipe, stdout=pipe, stderr=pipe, env=environment(), start_new_session=True
    )
    try:
        said, words = process.communicate(asked(folders), patience(folders))
    except subprocess.TimeoutExpired:
        said, words = b"", b"it took too long"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return answers(folders, said, words)


# --- the child ------------------------------------------------------------------------------------------------


def command() -> list[str]:
    """It dies with whoever starts it."""
    return [*_python("vlmd.lifeline"), str(os.getpid()), *_python("vlmd.worker.figures")]


def environment() -> dict[str, str]:
    return {**os.environ, **_ENVIRONMENT}


def asked(folders: Sequence[Path]) -> bytes:
    """What it is told."""
    return json.dumps([str(folder) for folder in folders]).encode()


def patience(folders: Sequence[Path]) -> float:
    """Seconds it may take."""
    return _SECONDS + _SECONDS_EACH * len(folders)


def answers(folders: Sequence[Path], said: bytes, words: bytes) -> dict[Path, Answer]:
    """What it said of each folder; where it said nothing, the last of its `words` tells why."""
    told: dict[str, Answer] = {}
    for line in said.splitlines():
        answer: dict[str, Any] = msgspec.json.decode(line)
        figures = answer.get("figures")
        told[answer["folder"]] = msgspec.convert(figures, Figures) if figures else str(answer["problem"])
    lost = f"what it takes could not be worked out: {_last_line(words)}"
    return {folder: told.get(str(folder), f"{folder}: {lost}") for folder in folders}


def _python(module: str) -> list[str]:
    return [sys.executable, "-P", "-m", module]


def _last_line(words: bytes) -> str:
    lines = [line.strip() for line in words.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


# --- what was worked out before -------------------------------------------------------------------------------


def _key(made_from: str, folder: Path) -> str:
    """Other libraries, or another version of the family, may come to other figures."""
    architecture = json.loads((folder / "config.json").read_text())["architectures"][0]
    return f"{made_from} {family_name(architecture)} transformers {version('transformers')}"


def _remembered(cache: Path | None) -> dict[str, Figures]:
    if cache is None:
        return {}
    try:
        return msgspec.json.decode(cache.read_bytes(), type=dict[str, Figures])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        logger.warning("%s cannot be read (%s); figures are worked out again", cache, error)
        return {}


def remember(cache: Path | None, answers: Mapping[Path, Answer]) -> None:
    """Keep what was worked out. Where the cache may not be written, the next one to ask waits some seconds."""
    told = {folder: figures for folder, figures in answers.items() if isinstance(figures, Figures)}
    fresh = {_key(configuration(folder), folder): figures for folder, figures in told.items()}
    if cache is None or not fresh:
        return
    temporary = cache.with_suffix(f".{os.getpid()}.tmp")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_bytes(msgspec.json.encode(_remembered(cache) | fresh))
        os.replace(temporary, cache)
    except OSError as error:
        logger.debug("%s cannot be written: %s", cache, error)
