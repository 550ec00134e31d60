"""LoRA adapters over a loaded checkpoint: what a fine-tuning run leaves, laid over the weights it was trained on."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from vlmd.core.errors import Code, WorkerError


def lay_over(model: Any, folder: str) -> None:
    """Load the adapter in `folder`. Raises `WorkerError` unless every one of its weights has its place in `model`."""
    if find_spec("peft") is None:
        raise _refused(folder, "an adapter needs the package peft; install vlmd[adapters]")
    _check_files(Path(folder))
    try:
        report = model.load_adapter(folder)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        said = str(error).splitlines()[0] if str(error) else repr(error)
        raise _refused(folder, f"it does not fit this checkpoint: {said}") from error
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(str(key) for key in getattr(report, kind, None) or ()):
            reason = f"it was made for another model ({kind.replace('_', ' ')}: {', '.join(keys[:3])})"
            raise _refused(folder, reason)


def _check_files(folder: Path) -> None:
    if not (folder / "adapter_config.json").is_file():
        raise _refused(str(folder), "it holds no adapter_config.json; expected the folder that peft saved")
    if (folder / "adapter_model.safetensors").is_file():
        return
    if (folder / "adapter_model.bin").exists():
        raise _refused(str(folder), "its weights are pickles, which can run code: save them as safetensors")
    raise _refused(str(folder), "it holds no adapter_model.safetensors")


def _refused(folder: str, reason: str) -> WorkerError:
    return WorkerError(Code.MODEL_CANNOT_LOAD, f"adapter {folder}: {reason}")
