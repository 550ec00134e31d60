"""Checkpoints: complete, of a family that vlmd has, safetensors; and what their weights take."""

from __future__ import annotations

import math
from pathlib import Path

from vlmd.catalog.figures import known_figures
from vlmd.core import plans
from vlmd.core.errors import VlmdError
from vlmd.core.plans import Shape
from vlmd.doctor.findings import Finding, Setting, fail, ok, warn
from vlmd.weights import NotFetched, faults_of, read_checkpoint
from vlmd.weights import folder_of as place_of

_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1, "nf4": 0.5}


def configured(setting: Setting) -> list[Finding]:
    """The models that pipelines use."""
    settings = setting.settings
    if not settings.pipelines:
        return [warn("models", "no pipeline is configured", "add a model and a pipeline to config.toml")]
    used = sorted({pipeline.model for pipeline in settings.pipelines.values()})
    return [_configured(setting, name) for name in used]


def _configured(setting: Setting, name: str) -> Finding:
    model = setting.settings.models[name]
    try:
        folder = folder_of(setting, name)
    except NotFetched as error:
        return fail(f"model {name}", str(error), f"run `vlmd models fetch {name}`")
    except VlmdError as error:
        return fail(f"model {name}", str(error), "run the doctor as the daemon's user")
    return judged(f"model {name}", folder, model.precision, model.hub)


def folder_of(setting: Setting, name: str) -> Path:
    """Raises `NotFetched` where a model of the hub is not here."""
    return place_of(setting.settings.models[name], setting.settings.paths.models)


def judged(check: str, folder: Path, precision: str, hub: str | None = None) -> Finding:
    """A checkpoint's folder: all that is wrong with it, in one line."""
    if faults := faults_of(folder, hub):
        remedy = "; ".join(dict.fromkeys(fault.remedy for fault in faults))
        return fail(check, f"{folder}: {'; '.join(fault.found for fault in faults)}", remedy)
    size = weight_bytes(folder, precision)
    return ok(check, f"{folder}: {read_checkpoint(folder).architecture}, {size / 1e9:.1f} GB of weights as {precision}")


def weights_on(folder: Path, precision: str, total: int, cache: Path) -> int:
    """What the weights take on a GPU with so much memory, by the figures where they are known, else by the files.

    Raises `NoCheckpoint` and `BadWeights`.
    """
    figures = known_figures(folder, cache)
    if figures is None:
        return weight_bytes(folder, precision)
    if precision == "auto":
        precision = plans.automatic(figures, Shape(), total, "bf16")
    return plans.weights(figures, precision)


def weight_bytes(folder: Path, precision: str) -> int:
    """Their numbers times the bytes of one, at the least where they are quantized; "auto" counts two, as on GPUs.

    Raises `NoCheckpoint` and `BadWeights`.
    """
    each = _BYTES.get(precision, 2)
    return sum(int(math.prod(tensor.shape) * each) for tensor in read_checkpoint(folder).tensors.values())
