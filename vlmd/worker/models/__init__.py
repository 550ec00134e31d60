"""One file a family; `vlmd.core.families` lists them. Nothing is imported before a checkpoint of it is loaded."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vlmd.core.errors import Code, WorkerError
from vlmd.core.families import FAMILIES, known


def family(architecture: str) -> Any:
    """The class that serves `architecture`; raises `WorkerError` for one nobody wrote a family for."""
    if architecture not in FAMILIES:
        reason = f"no family for architecture {architecture}; there is one for {known()}"
        raise WorkerError(Code.UNKNOWN_ARCHITECTURE, reason)
    module, name = FAMILIES[architecture].where.split(":")
    return getattr(import_module(f"vlmd.worker.models.{module}"), name)
