"""LoRA adapters over a loaded checkpoint: what a fine-tuning run leaves, laid over the weights it was trained on.

What their files tell is judged before (`weights/adapters.py`).
"""

from __future__ import annotations

from typing import Any

from safetensors import SafetensorError

from vlmd.core.errors import Code, WorkerError


def lay_over(model: Any, folder: str) -> None:
    """Load the adapter in `folder`. Raises `WorkerError` unless every one of its weights has its place in `model`."""
    try:
        report = model.load_adapter(folder, ignore_mismatched_sizes=True)  # only so that the refusal can name them
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        said = str(error).splitlines()[0] if str(error) else repr(error)
        raise _refused(folder, f"it does not fit this checkpoint: {said}") from error
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(str(key) for key in getattr(report, kind, None) or ()):
            reason = f"it was made for another model ({kind.replace('_', ' ')}: {', '.join(keys[:3])})"
            raise _refused(folder, reason)


def _refused(folder: str, reason: str) -> WorkerError:
    advice = "name an adapter that was trained on this checkpoint, then restart vlmd"
    return WorkerError(Code.INCOMPATIBLE_VERSION, f"adapter {folder}: {reason}", advice)
