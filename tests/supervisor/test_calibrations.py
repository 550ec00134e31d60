"""A pipeline's calibration is found by its name; one that cannot be used is a sentence that names it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from vlmd.config import Settings, parse_settings
from vlmd.core.calibration import Calibration, FittedOn, Scaling
from vlmd.core.errors import UsageError
from vlmd.supervisor.calibrations import calibration_of, calibration_path

FITTED = FittedOn(task="events", pipelines=["p"], models=["m"], videos=[], truth=[], matching="5 s")
SCALING = Scaling(slope=1.0, intercept=0.0, threshold=0.5, examples=9, right=5)
LEAGUE = Calibration(name="league", fitted_on=FITTED, pooled=SCALING, labels={}, too_few={})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    pipeline = {"model": "m", "labels": ["Goal"]}
    pipelines = {"plain": pipeline, "fitted": {**pipeline, "calibration": "league"}}
    models, paths = {"m": {"path": "/x"}}, {"state": str(tmp_path), "inbox": "/inbox"}
    found = parse_settings({"models": models, "pipelines": pipelines, "paths": paths})
    calibration_path(found, "league").parent.mkdir()
    return found


def test_by_name(settings: Settings) -> None:
    calibration_path(settings, "league").write_bytes(msgspec.json.encode(LEAGUE))
    assert calibration_of(settings, "fitted") == LEAGUE
    assert calibration_of(settings, "plain") is None


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b"[" * 100_000, b" " * (2 << 20)])
def test_what_cannot_be_used_is_named(settings: Settings, content: bytes | None) -> None:
    if content is not None:
        calibration_path(settings, "league").write_bytes(content)
    with pytest.raises(UsageError, match="calibration league"):
        calibration_of(settings, "fitted")
