"""What a configured name stands for: its folder, its architecture, and the revision in every recipe."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from vlmd.config import ModelSettings, Settings
from vlmd.core.errors import Code, ConfigError, Failure
from vlmd.core.faults import Fault, failure_of
from vlmd.core.memory import Stored, weight_bytes
from vlmd.core.messages.worker import ModelSpec
from vlmd.supervisor.figures import shape
from vlmd.weights import (
    BadWeights,
    Checkpoint,
    NoCheckpoint,
    NotFetched,
    folder_of,
    no_checkpoint,
    not_fetched,
    read_checkpoint,
    revision_of,
    stored,
)

logger = logging.getLogger("vlmd.models")


class Absent(ConfigError):
    """There is nothing to load where a model should be."""

    def __init__(self, key: str, where: str, fault: Fault) -> None:
        """`key` is what the configuration calls the place."""
        super().__init__([f"{key}: {fault}"])
        self.failure = failure_of(where, [fault])


def present_models(settings: Settings, known: Collection[str] = ()) -> tuple[dict[str, ModelSpec], dict[str, Failure]]:
    """Every model a pipeline uses, but for those that are known; and of those that are not here, why. Reads files."""
    specs, absent = {}, {}
    for name in settings.models_in_use():
        try:
            if name not in known:
                specs[name] = model_spec(name, settings)
        except Absent as error:
            absent[name] = error.failure
    return specs, absent


def model_spec(name: str, settings: Settings) -> ModelSpec:
    """Everything a worker has to know of a model. Raises `Absent` when there is no checkpoint."""
    model = settings.models[name]
    checkpoint = check_model(name, model, settings.paths.models)
    return ModelSpec(
        name=name,
        path=str(checkpoint.folder),
        revision=_revision(name, checkpoint.folder, settings),
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


def problems_of_models(settings: Settings) -> list[str]:
    """What of the configuration names no checkpoint, each with its key; reads next to nothing."""
    problems: list[str] = []
    for name in settings.models_in_use():
        try:
            check_model(name, settings.models[name], settings.paths.models)
        except Absent as error:
            problems += error.problems
    return problems


def check_model(name: str, model: ModelSettings, models: Path) -> Checkpoint:
    """The checkpoint of a configured model; reads next to nothing. Raises `Absent` where there is none."""
    key = f"models.{name}.{'hub' if model.hub else 'path'}"
    try:
        folder = folder_of(model, models)
        return read_checkpoint(folder)
    except NotFetched as error:
        raise Absent(key, model.hub or "", not_fetched(name, error)) from error
    except NoCheckpoint as error:
        raise Absent(key, str(folder), no_checkpoint(error)) from error


def _revision(name: str, folder: Path, settings: Settings) -> str:
    try:
        return revision_of(folder, settings.paths.state / "model-digests.json", settings.models[name].adapter)
    except OSError as error:
        found = f"{error.filename} cannot be read ({error.strerror})"
        raise Absent(f"models.{name}", str(folder), Fault(Code.MODEL_MISSING, found, "let its user read it")) from error


def _stored(checkpoint: Checkpoint) -> dict[str, Stored]:
    """The weights by type; nothing where they cannot be read: what is wrong then is for the worker to say."""
    try:
        return stored(checkpoint.tensors.values())
    except BadWeights as error:
        logger.debug("%s: the size of its weights is not known: %s", checkpoint.folder, error)
        return {}
