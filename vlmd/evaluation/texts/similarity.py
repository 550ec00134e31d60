"""Similarity by a BERT from a local folder, computed by a process of its own, so that torch stays out of this one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vlmd.core.errors import UsageError
from vlmd.core.names import shown

_SECONDS = 3600


def similarities(folder: Path, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """Cosines of mean-pooled texts. Raises `UsageError` where the folder holds no such model."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as answer:
        command = [sys.executable, "-P", "-m", "vlmd.worker.similarity", str(answer.fileno()), str(folder)]
        done = subprocess.run(
            command,
            input=json.dumps(pairs),
            text=True,
            pass_fds=[answer.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SECONDS,
        )
        if done.returncode:
            words = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["it said nothing"]
            raise UsageError(f"the BERT model in {shown(str(folder))} cannot be used: {shown(words[0])[:300]}")
        answer.seek(0)
        scores: list[float] = json.load(answer)
        return scores
