"""Checkpoints: complete, of a family that vlmd has, safetensors; and what their weights take."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from vlmd.catalog.figures import known_figures
from vlmd.config import ModelSettings
from vlmd.core import plans
from vlmd.core.abilities import Wishes, missing_packages
from vlmd.core.errors import VlmdError
from vlmd.core.faults import failure_of
from vlmd.core.plans import Shape
from vlmd.doctor.child import NoAnswer, ask
from vlmd.doctor.findings import Finding, Setting, fail, ok, warn
from vlmd.weights import NotFetched, faults_of, installed, not_fetched, read_checkpoint
from vlmd.weights import folder_of as place_of

_FITTING_SECONDS = 300.0
_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1, "nf4": 0.5}


def configured(setting: Setting) -> list[Finding]:
    """The models that pipelines use."""
    if not setting.settings.pipelines:
        return [warn("models", "no pipeline is configured", "add a model and a pipeline to config.toml")]
    findings, places = {}, {}
    for name in used(setting):
        try:
            places[name] = folder_of(setting, name)
        except NotFetched as error:
            failure = failure_of(setting.settings.models[name].hub or "", [not_fetched(name, error)])
            findings[name] = fail(f"model {name}", failure.reason, failure.remedy)
        except VlmdError as error:
            findings[name] = fail(f"model {name}", str(error), "run the doctor as the daemon's user")
        else:
            findings[name] = judged(f"model {name}", places[name], setting.settings.models[name])
    sound = {name: place for name, place in places.items() if findings[name].level == "ok"}
    return list({**findings, **_unfitting(setting, sound)}.values())


def used(setting: Setting) -> list[str]:
    """The models that pipelines use, by name."""
    return sorted(setting.settings.models_in_use())


def folder_of(setting: Setting, name: str) -> Path:
    """Raises `NotFetched` where a model of the hub is not here."""
    return place_of(setting.settings.models[name], setting.settings.paths.models)


def judged(check: str, folder: Path, model: ModelSettings) -> Finding:
    """A checkpoint's folder: all that is wrong with it as far as files tell, in the words that a worker has for it."""
    wishes = Wishes(model.precision, model.attention, model.adapter is not None)
    faults = [*faults_of(folder, model.hub, model.adapter), *missing_packages(wishes, installed())]
    if faults:
        failure = failure_of(str(folder), faults)
        return fail(check, failure.reason, failure.remedy)
    size, kind = weight_bytes(folder, model.precision), read_checkpoint(folder).architecture
    return ok(check, f"{folder}: {kind}, {size / 1e9:.1f} GB of weights as {model.precision}")


def _unfitting(setting: Setting, places: Mapping[str, Path]) -> dict[str, Finding]:
    """Of checkpoints whose files are sound those that would not load: weights and processors that do not belong."""
    if not places:
        return {}
    asked = [(str(place), _named(setting.settings.models[name].adapter)) for name, place in places.items()]
    try:
        said = ask("vlmd.worker.fitting", json.dumps(asked), seconds=_FITTING_SECONDS)["said"]
    except NoAnswer as error:
        remedy = "see the line for torch; what is wrong with a model is seen when it is loaded, too"
        return {"": warn("models", f"whether their weights fit is not known: {error}", remedy)}
    return {
        name: fail(f"model {name}", told["reason"], told["remedy"])
        for name, told in zip(places, said, strict=True)
        if told is not None
    }


def _named(folder: Path | None) -> str | None:
    return None if folder is None else str(folder)


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
