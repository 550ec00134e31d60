"""Calibrations by name: small files in the state folder, which `vlmd evaluate --fit` writes."""

from __future__ import annotations

from pathlib import Path

from vlmd.config import Settings
from vlmd.core.calibration import Calibration, read_calibration
from vlmd.core.errors import UsageError

_MOST_BYTES = 1 << 20


def calibration_path(settings: Settings, name: str) -> Path:
    return settings.paths.state / "calibrations" / f"{name}.json"


def calibration_of(settings: Settings, pipeline: str) -> Calibration | None:
    """What a pipeline's confidences are scaled by, if anything. Raises `UsageError` for what is no calibration."""
    name = settings.pipelines[pipeline].calibration
    if name is None:
        return None
    path = calibration_path(settings, name)
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        reason = f"calibration {name} of pipeline {pipeline} cannot be read: {path}: {error.strerror}"
        raise UsageError(
            f"{reason}; fit it with `vlmd evaluate --fit {name}`, or take it out of config.toml"
        ) from error
    if len(data) > _MOST_BYTES:
        raise UsageError(f"calibration {name} cannot be read: {path} has more than {_MOST_BYTES} bytes")
    return read_calibration(data, name)
