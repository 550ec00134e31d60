"""Every bad model is told of in one sentence, the same by the doctor and at load, with a code and what helps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.models.bad import DEMO, IN_FILES, LAYER, NOT_IN_FILES, Bad, adapter, copy_of_demo, edit, weights
from vlmd.config import ModelSettings
from vlmd.core.errors import OF_THE_MODEL, Code, Failure, WorkerError
from vlmd.core.messages.worker import LoadModel, ModelSpec
from vlmd.doctor.models import judged
from vlmd.weights import faults_of, revision_of
from vlmd.worker.fitting import said_of
from vlmd.worker.process import load_engine


def spec(folder: Path, **other: str) -> ModelSpec:
    settings = {"precision": "fp32", **other}
    return ModelSpec(name="m", path=str(folder), revision="r", family="f", max_batch=1, threads=1, **settings)


def refusal(model: ModelSpec) -> Failure:
    """What a worker says as it loads this."""
    with pytest.raises(WorkerError) as caught:
        load_engine(LoadModel(model=model, device="cpu", called="cpu:0"), lambda stage: None)
    return caught.value.failure


def spoilt(folder: Path, bad: Bad) -> tuple[Path, dict[str, str]]:
    bad.spoil(copy_of_demo(folder / "model"))
    return folder / "model", {"adapter": str(folder / "adapter")} if bad.adapter else {}


@pytest.mark.parametrize("name", IN_FILES)
def test_what_files_tell_is_told_alike(name: str, tmp_path: Path) -> None:
    bad = IN_FILES[name]
    folder, other = spoilt(tmp_path, bad)
    failure = refusal(spec(folder, **other))
    assert (failure.code, bad.told in failure.reason) == (bad.code, True), failure
    assert failure.reason.startswith(str(folder)) and "\n" not in failure.reason
    assert failure.code in OF_THE_MODEL and failure.remedy.endswith((", then `vlmd resume`", ", then restart vlmd"))
    finding = judged("model m", folder, ModelSettings(path=str(folder), **other))
    assert (finding.level, finding.found, finding.remedy) == ("fail", failure.reason, failure.remedy)


@pytest.mark.parametrize("name", NOT_IN_FILES)
def test_what_loading_tells_the_doctor_tells_without_reading_weights(name: str, tmp_path: Path) -> None:
    bad = NOT_IN_FILES[name]
    folder, _ = spoilt(tmp_path, bad)
    assert faults_of(folder) == []
    failure = refusal(spec(folder))
    assert (failure.code, bad.told in failure.reason) == (bad.code, True), failure
    assert failure.reason.startswith(str(folder)) and "\n" not in failure.reason
    assert said_of(str(folder)) == {"reason": failure.reason, "remedy": failure.remedy}


def test_flash_attention_on_a_cpu(tmp_path: Path) -> None:
    failure = refusal(spec(DEMO, attention="flash"))
    assert 'attention = "flash" needs' in failure.reason and '"auto"' in failure.remedy


def test_what_is_no_fault(tmp_path: Path) -> None:
    """A head that is tied, old buffers, a config of an older or newer version, an adapter that fits."""
    folder = copy_of_demo(tmp_path / "model")
    weights(
        lambda tensors: tensors.update(
            {"model.vision_model.embeddings.position_ids": torch.arange(64), "lm_head.weight": _tied(tensors)}
        )
    )(folder)
    edit(transformers_version="99.0.0")(folder)
    adapter()(folder)
    laid_over = tmp_path / "adapter"
    assert faults_of(folder, adapter=laid_over) == []
    assert said_of(str(folder), str(laid_over)) is None
    engine = load_engine(
        LoadModel(model=spec(folder, adapter=str(laid_over)), device="cpu", called="cpu:0"), lambda stage: None
    )
    assert engine.ready().parameters > 0


def _tied(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return tensors["model.text_model.embed_tokens.weight"].clone()


def test_another_adapter_is_another_model(tmp_path: Path) -> None:
    folder = copy_of_demo(tmp_path / "model")
    adapter()(folder)
    cache, laid_over = tmp_path / "digests.json", tmp_path / "adapter"
    seen = [revision_of(folder, cache), revision_of(folder, cache, laid_over)]
    assert revision_of(folder, cache, laid_over) == seen[1]
    weights_file = laid_over / "adapter_model.safetensors"
    weights_file.write_bytes(weights_file.read_bytes()[:-1] + b"!")
    seen.append(revision_of(folder, cache, laid_over))
    edit("adapter_config.json", lora_alpha=9)(laid_over)
    seen.append(revision_of(folder, cache, laid_over))
    (laid_over / "README.md").write_text("says nothing about answers")
    assert revision_of(folder, cache, laid_over) == seen[3]
    assert len(set(seen)) == 4, LAYER


@pytest.mark.parametrize(
    ("module", "into", "told"),
    [
        ("model.connector.modality_projection.proj", 7, "mismatched keys: "),
        ("model.connector.nothing", 7, "Target modules {'model.connector.nothing'} not found"),
    ],
)
def test_an_adapter_that_its_files_say_nothing_against(module: str, into: int, told: str, tmp_path: Path) -> None:
    folder, laid_over = copy_of_demo(tmp_path / "model"), str(tmp_path / "adapter")
    adapter(module, into)(folder)
    assert faults_of(folder, adapter=Path(laid_over)) == []
    failure = refusal(spec(folder, adapter=laid_over))
    assert (failure.code, told in failure.reason) == (Code.INCOMPATIBLE_VERSION, True), failure
    assert said_of(str(folder), laid_over) == {"reason": failure.reason, "remedy": failure.remedy}
