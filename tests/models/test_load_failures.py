"""A checkpoint that does not load is told of in one sentence, with what helps: each is broken in one way and loaded."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from vlmd.core.errors import OF_THE_MODEL, Code, WorkerError
from vlmd.core.messages import ModelSpec
from vlmd.worker.engine import Engine
from vlmd.worker.load_failures import explained, load_failure

DEMO = Path(str(resources.files("vlmd.demo") / "model"))


def unlink(*patterns: str) -> Callable[[Path], None]:
    return lambda folder: [path.unlink() for pattern in patterns for path in folder.glob(pattern)] and None


def edit(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return change


def cut(count: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:count])

    return change


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("broken", "code", "words"),
    [
        (unlink("*"), Code.MODEL_MISSING, "is not a checkpoint folder"),
        (unlink("config.json"), Code.MODEL_MISSING, "is not a checkpoint folder"),
        (edit(architectures=["NewfangledModel"]), Code.UNKNOWN_ARCHITECTURE, "no family for architecture Newfangled"),
        (edit(model_type="newfangled"), Code.INCOMPATIBLE_VERSION, "does not recognize this architecture"),
        (edit(model_type="new", auto_map={"AutoConfig": "x.Y"}), Code.MODEL_UNSAFE, "custom code"),
        (unlink("model.safetensors"), Code.MODEL_DAMAGED, "no file named model.safetensors"),
        (pickled, Code.MODEL_UNSAFE, "its weights are pickles"),
        (cut(5000), Code.MODEL_DAMAGED, "invalid header length"),
        (cut(-5000), Code.MODEL_DAMAGED, "incomplete metadata"),
        (unlink("tokenizer*"), Code.MODEL_DAMAGED, "tokenizer"),
        (unlink("*processor*"), Code.MODEL_DAMAGED, "processor"),
    ],
)
def test_each_kind_has_its_code(broken: Callable[[Path], None], code: Code, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(DEMO, folder)
    broken(folder)
    spec = ModelSpec(name="m", path=str(folder), revision="r", family="f", precision="auto", max_batch=1, threads=1)
    with pytest.raises(WorkerError) as caught:
        Engine.load(spec, "cpu", lambda stage: None)
    failure = caught.value.failure
    assert (failure.code, words in failure.reason) == (code, True), failure
    assert str(folder) in failure.reason or "architecture" in failure.reason
    assert "\n" not in failure.reason
    assert code in OF_THE_MODEL


def test_loading_says_how_many_weights_are_there() -> None:
    spec = ModelSpec(name="m", path=str(DEMO), revision="r", family="f", precision="auto", max_batch=1, threads=1)
    said: list[str] = []
    Engine.load(spec, "cpu", said.append)
    (done,) = (stage for stage in said if stage.startswith("weights ") and " of " in stage)
    number, total = done.removeprefix("weights ").split(" of ")
    assert number == total
    assert int(total) > 10


def test_a_full_disk_and_a_missing_package_are_told_apart() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert load_failure(str(DEMO), full).code == Code.LOAD_DISK_FULL
    missing = ModuleNotFoundError("No module named 'bitsandbytes'")
    assert load_failure(str(DEMO), missing).code == Code.INCOMPATIBLE_VERSION
    assert load_failure(str(DEMO), ValueError("something else")).code == Code.MODEL_CANNOT_LOAD


def test_what_is_explained_already_is_left_as_it_is() -> None:
    error = WorkerError(Code.MODEL_DAMAGED, "as it was")
    assert explained(str(DEMO), error) is error


def test_a_page_of_words_becomes_a_sentence() -> None:
    failure = load_failure(str(DEMO), ValueError("First\nthings first. Then a lot more. " + "x" * 4000))
    assert failure.reason == f"{DEMO}: First things first"
