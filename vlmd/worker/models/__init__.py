"""One file a family, and one line in this registry: the architecture named in a checkpoint's config.json.

To add a family:
  1. write `models/<family>.py` with a class that offers what `Idefics3` offers (see its docstring);
  2. add its architecture and class to `FAMILIES`;
  3. add a tiny checkpoint of it to the tests, which run every family through the same checks.

Nothing is imported before a checkpoint of that family is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vlmd.core.errors import Code, WorkerError

FAMILIES = {
    "Idefics3ForConditionalGeneration": "vlmd.worker.models.idefics3:Idefics3",
}


def family(architecture: str) -> Any:
    """The class that serves `architecture`; raises `WorkerError` for one nobody wrote a family for."""
    if architecture not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise WorkerError(
            Code.UNKNOWN_ARCHITECTURE, f"no family for architecture {architecture}; there is one for {known}"
        )
    module, name = FAMILIES[architecture].split(":")
    return getattr(import_module(module), name)
