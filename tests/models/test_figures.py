"""Figures from a configuration alone are those of the model that is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny import MAKERS

from tests.models.checkpoints import load, shared_checkpoint, shared_folder
from vlmd.core import plans
from vlmd.core.errors import WorkerError
from vlmd.worker.figures import figures_of


@pytest.fixture(params=MAKERS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_checkpoint(shared_folder(tmp_path_factory), request.param)


def test_what_the_configuration_promises_is_what_is_loaded(checkpoint):
    figures, model = figures_of(str(checkpoint)), load(checkpoint, "bf16")._family.model
    assert figures.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert plans.weights(figures, "bf16") == sum(parameter.nbytes for parameter in model.parameters())


@pytest.mark.parametrize("precision", ["nf4", "int8"])
def test_quantized_weights_take_what_was_planned(checkpoint, precision):
    """Without what the scales take: tiny matrices have many more of them for each number. On a CPU the rest is fp32."""
    figures, model = figures_of(str(checkpoint)), load(checkpoint, precision)._family.model
    rest = (figures.parameters - figures.quantizable) * 4
    quantized = figures.quantizable // 2 if precision == "nf4" else figures.quantizable
    assert sum(parameter.nbytes for parameter in model.parameters()) == rest + quantized
    assert sum(parameter.numel() for parameter in model.parameters() if parameter.dtype in (torch.uint8, torch.int8))


def test_the_cache_takes_what_was_planned(checkpoint):
    """Keys and values of every layer, for one token more."""
    figures, model = figures_of(str(checkpoint)), load(checkpoint)._family.generator
    ids = torch.arange(7)[None]
    with torch.inference_mode():
        cache = model(input_ids=ids, use_cache=True).past_key_values
    kept = {id(layer): layer for layer in cache.layers if getattr(layer, "keys", None) is not None}
    numbers = sum(layer.keys.numel() + layer.values.numel() for layer in kept.values())
    assert numbers == 7 * figures.kv_elements


def test_weights_need_not_be_there(checkpoint, tmp_path):
    for path in checkpoint.iterdir():
        if path.name in ("config.json", "preprocessor_config.json", "processor_config.json"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert figures_of(str(tmp_path)) == figures_of(str(checkpoint))


def test_a_configuration_that_makes_no_model_is_one_sentence(checkpoint, tmp_path):
    config = json.loads((checkpoint / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WorkerError, match=r"its configuration makes no .*FileNotFoundError"):
        figures_of(str(tmp_path))
    (tmp_path / "processor_config.json").write_text("[]")
    with pytest.raises(WorkerError, match="its configuration makes no "):
        figures_of(str(tmp_path))
