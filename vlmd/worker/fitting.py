"""Whether checkpoints would load, for `vlmd doctor`: `python -m vlmd.worker.fitting FD MODELS`.

MODELS is a JSON list of pairs, each a folder and that of its adapter or null; the answer is a list as long.
Everything that loading does is done but reading the weights: their names and shapes are compared with the model's, on
torch's meta device.
"""

from __future__ import annotations

import json
import sys

import torch
import transformers

from vlmd.core.errors import WorkerError
from vlmd.worker import models
from vlmd.worker.load_failures import load_explained
from vlmd.worker.loading import Checkpoint, architecture


def said_of(path: str, adapter: str | None = None) -> dict[str, str] | None:
    """Why it cannot be loaded, and what helps; None where it can, as far as that is seen without its weights."""
    checkpoint = Checkpoint(
        path=path, precision="bf16", dtype=torch.bfloat16, device="meta", attention="sdpa", adapter=adapter
    )
    try:
        load_explained(models.family(architecture(path)), checkpoint, lambda stage: None)
    except WorkerError as error:
        return {"reason": error.failure.reason, "remedy": error.failure.remedy}
    return None


def main(fd: int, asked: list[tuple[str, str | None]]) -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    said = [said_of(path, adapter) for path, adapter in asked]
    with open(fd, "w", encoding="utf-8") as pipe:
        json.dump({"said": said}, pipe)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
