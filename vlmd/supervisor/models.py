"""What a configured name stands for: its folder, its architecture, and the revision in every recipe."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from vlmd.config import ModelSettings, Settings
from vlmd.core.errors import Code, ConfigError, Failure
from vlmd.core.memory import Stored, weight_bytes
from vlmd.core.messages import ModelSpec
from vlmd.supervisor.figures import shape
from vlmd.weights import (
    BadWeights,
    Checkpoint,
    NoCheckpoint,
    NotFetched,
    folder_of,
    read_checkpoint,
    revision_of,
    stored,
)

logger = logging.getLogger("vlmd.models")


def present_models(settings: Settings, known: Collection[str] = ()) -> tuple[dict[str, ModelSpec], dict[str, Failure]]:
    """Every model a pipeline uses, but for those that are known; and of those that are not here, why. Reads files."""
    specs, absent = {}, {}
    for name in dict.fromkeys(pipeline.model for pipeline in settings.pipelines.values()):
        try:
            if name not in known:
                specs[name] = model_spec(name, settings)
        except ConfigError as error:
            absent[name] = Failure(Code.MODEL_MISSING, "; ".join(error.problems))
    return specs, absent


def model_spec(name: str, settings: Settings) -> ModelSpec:
    """Everything a worker has to know of a model. Raises `ConfigError` when there is no checkpoint."""
    model = settings.models[name]
    checkpoint = check_model(name, model, settings.paths.models)
    return ModelSpec(
        name=name,
        path=str(checkpoint.folder),
        revision=revision_of(checkpoint.folder, settings.paths.state / "model-digests.json"),
        family=checkpoint.architecture,
        precision=model.precision,
        max_batch=model.max_batch,
        threads=settings.devices.threads,
        attention=model.attention,
        adapter=None if model.adapter is None else str(model.adapter),
        weight_bytes=weight_bytes(_stored(checkpoint), model.precision),
        devices=model.devices_per_worker,
        shape=shape(settings, name),
    )


def check_model(name: str, model: ModelSettings, models: Path) -> Checkpoint:
    """The checkpoint of a configured model; reads next to nothing. Raises `ConfigError` where there is none."""
    try:
        return read_checkpoint(folder_of(model, models))
    except NotFetched as error:
        raise ConfigError([f"models.{name}.hub: {error}; run `vlmd models fetch {name}`"]) from error
    except NoCheckpoint as error:
        raise ConfigError([f"models.{name}.{'hub' if model.hub else 'path'}: {error}"]) from error


def _stored(checkpoint: Checkpoint) -> dict[str, Stored]:
    """The weights by type; nothing where they cannot be read: what is wrong then is for the worker to say."""
    try:
        return stored(checkpoint.tensors.values())
    except BadWeights as error:
        logger.warning("%s: the size of its weights is not known: %s", checkpoint.folder, error)
        return {}
