"""What libraries and the disk raise as a model is loaded, as a code and one sentence; how far loading is."""

from __future__ import annotations

import errno

from tests.models.bad import DEMO
from vlmd.core.errors import Code, WorkerError
from vlmd.core.messages.worker import ModelSpec
from vlmd.worker.engine import Engine
from vlmd.worker.load_failures import explained


def test_loading_says_how_many_weights_are_there() -> None:
    spec = ModelSpec(name="m", path=str(DEMO), revision="r", family="f", precision="auto", max_batch=1, threads=1)
    said: list[str] = []
    Engine.load(spec, "cpu", said.append)
    (done,) = (stage for stage in said if stage.startswith("weights ") and " of " in stage)
    number, total = done.removeprefix("weights ").split(" of ")
    assert number == total
    assert int(total) > 10


def test_a_full_disk_and_a_missing_package_are_told_apart() -> None:
    def code(error: Exception) -> Code:
        return explained(str(DEMO), error).failure.code

    assert code(OSError(errno.ENOSPC, "No space left on device")) == Code.LOAD_DISK_FULL
    assert code(ModuleNotFoundError("No module named 'bitsandbytes'")) == Code.INCOMPATIBLE_VERSION
    assert code(ValueError("something else")) == Code.MODEL_CANNOT_LOAD


def test_what_is_explained_already_is_left_as_it_is() -> None:
    error = WorkerError(Code.MODEL_DAMAGED, "as it was")
    assert explained(str(DEMO), error) is error


def test_a_page_of_words_becomes_a_sentence() -> None:
    failure = explained(str(DEMO), ValueError("First\nthings first. Then a lot more. " + "x" * 4000)).failure
    assert failure.reason == f"{DEMO}: First things first"
