"""LoRA adapters: laid over the weights they were trained on, and refused by any others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from tests.models.checkpoints import answers, load, pictures, question, shared_checkpoint, shared_folder
from vlmd.core.errors import WorkerError
from vlmd.weights import faults_of


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_checkpoint(shared_folder(tmp_path_factory), "idefics2")


@pytest.fixture
def adapter(checkpoint: Path, tmp_path: Path) -> Path:
    """As peft saves it after training; its weights are random and large enough to matter."""
    torch.manual_seed(1)
    model = AutoModelForImageTextToText.from_pretrained(checkpoint)
    config = LoraConfig(r=4, lora_alpha=64, target_modules=r".*text_model.*(q_proj|v_proj)", init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_an_adapter_changes_what_is_said_and_batches_still_agree(checkpoint, adapter):
    asked = [question(pictures(seed, 3), "What happens?") for seed in (1, 2)]
    assert faults_of(checkpoint, adapter=adapter) == []
    plain, tuned = load(checkpoint), load(checkpoint, adapter=str(adapter))
    together = answers(tuned, asked)
    assert [reply.text for reply in together] != [reply.text for reply in answers(plain, asked)]
    assert [reply.text for reply in together] == [answers(tuned, [one])[0].text for one in asked]


def test_it_computes_what_peft_computes(checkpoint, adapter):
    from peft import PeftModel

    engine = load(checkpoint, adapter=str(adapter))
    reference = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(checkpoint), adapter).eval()
    inputs = engine._prepare([question(pictures(3, 3), "What happens?")], lambda rows: None)
    with torch.inference_mode():
        torch.testing.assert_close(engine._family.model(**inputs).logits, reference(**inputs).logits)


def test_it_lies_over_quantized_weights_too(checkpoint, adapter):
    engine = load(checkpoint, "nf4", adapter=str(adapter))
    assert answers(engine, [question(pictures(4, 3), "What happens?")])[0].finite


def test_one_for_other_layers_is_refused(checkpoint, adapter):
    config = adapter / "adapter_config.json"
    config.write_text(config.read_text().replace("text_model", "decoder"))
    with pytest.raises(WorkerError, match="does not fit this checkpoint"):
        load(checkpoint, adapter=str(adapter))


@pytest.mark.parametrize("change", ["drop", "add", "bend"])
def test_one_whose_weights_have_no_place_is_refused(checkpoint, adapter, change):
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    name = sorted(weights)[0]
    if change == "add":
        weights[name.replace("layers.0", "layers.7")] = weights[name].clone()
    elif change == "drop":
        del weights[name]
    else:
        weights[name] = weights[name][:, :-1].contiguous()
    save_file(weights, path)
    assert faults_of(checkpoint, adapter=adapter), "the files tell already"
    with pytest.raises(WorkerError, match=r"adapter .*(another model|does not fit)"):
        load(checkpoint, adapter=str(adapter))
