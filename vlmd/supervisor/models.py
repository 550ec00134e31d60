"""What a configured name stands for: its folder, its architecture, and the revision in every recipe."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from vlmd.config import ModelSettings, Settings
from vlmd.core.errors import Code, ConfigError
from vlmd.core.faults import Fault, failure_of
from vlmd.core.memory import Stored, weight_bytes
from vlmd.core.messages import ModelSpec
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
        super().__init__([f"{key}: {fault}"])
        self.failure = failure_of(where, [fault])


def model_specs(settings: Settings, known: Collection[str] = ()) -> dict[str, ModelSpec]:
    """Every model a pipeline uses, but for those that are known; reads their files. Some may be `absent`."""
    used = {pipeline.model for pipeline in settings.pipelines.values()}
    return {name: _spec_or_absent(name, settings) for name in settings.models if name in used and name not in known}


def usable(specs: dict[str, ModelSpec]) -> dict[str, ModelSpec]:
    """The same: jobs for those that are absent wait. Raises `ConfigError` where all are."""
    absent = _absent(specs)
    if absent and len(absent) == len(specs):
        raise ConfigError(absent)
    for sentence in absent:
        logger.error("%s; until then its jobs wait", sentence)
    return specs


def complete(specs: dict[str, ModelSpec]) -> dict[str, ModelSpec]:
    """The same. Raises `ConfigError` where one is absent."""
    if absent := _absent(specs):
        raise ConfigError(absent)
    return specs


def _absent(specs: dict[str, ModelSpec]) -> list[str]:
    return [f"{spec.absent.reason}; {spec.absent.remedy}" for spec in specs.values() if spec.absent is not None]


def _spec_or_absent(name: str, settings: Settings) -> ModelSpec:
    """What a worker has to know of a model, or why there is nothing that it could load."""
    try:
        return model_spec(name, settings)
    except Absent as error:
        model = settings.models[name]
        return ModelSpec(
            name=name, path=model.origin, revision="", family="", precision=model.precision,
            max_batch=model.max_batch, threads=settings.devices.threads, absent=error.failure,
        )  # fmt: skip


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
        raise Absent(
            f"models.{name}", str(folder), Fault(Code.MODEL_MISSING, found, "let the daemon's user read it")
        ) from error


def _stored(checkpoint: Checkpoint) -> dict[str, Stored]:
    """The weights by type; nothing where they cannot be read: what is wrong then is for the worker to say."""
    try:
        return stored(checkpoint.tensors.values())
    except BadWeights as error:
        logger.warning("%s: the size of its weights is not known: %s", checkpoint.folder, error)
        return {}
