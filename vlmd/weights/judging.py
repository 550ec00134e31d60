"""What is wrong with a checkpoint: each fault one sentence, with what helps.

Most is seen from the names of the files and config.json alone, so that a repository of the hub is judged before
anything large is fetched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from vlmd.core.families import FAMILIES, known
from vlmd.core.hub_names import name_to_use
from vlmd.weights.checkpoint import Checkpoint, NoCheckpoint, architecture_in, read_checkpoint, weights_among
from vlmd.weights.headers import BadWeights

PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5"})
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
_AGAIN = "fetch or copy the checkpoint again, all of its files"
_INTERNVL = "InternVLChatModel"
"""The architecture of InternVL's repositories that bring their own code."""


class Fault(NamedTuple):
    """One thing that is wrong, and what to do about it."""

    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.found}; {self.remedy}"


def faults_of(folder: Path, name: str | None = None) -> list[Fault]:
    """All that keeps the checkpoint in a folder from being loaded; `name` is how people call it, if otherwise."""
    try:
        checkpoint = read_checkpoint(folder)
    except NoCheckpoint as error:
        return [Fault(str(error), "name the folder that holds config.json and *.safetensors, as downloaded")]
    listed = list(faults_in_listing(name or folder.name, checkpoint.names, checkpoint.config))
    return listed + list(_faults_in_weights(checkpoint))


def faults_in_listing(name: str, names: Collection[str], config: Any, again: str = _AGAIN) -> Iterator[Fault]:
    """What the names of a checkpoint's files and its config.json tell; `again` is what helps where one is missing."""
    yield from _not_loadable(name, names, config)
    if not weights_among(names) and any(Path(file).suffix in PICKLES for file in names):
        yield Fault(
            "its weights are pickles, which can run code: only safetensors are read",
            "take a revision or a repository with model.safetensors, or convert it",
        )
    elif not weights_among(names):
        yield Fault("there are no weights (model.safetensors, or its index and parts)", again)
    if not any(file in names for file in TOKENIZERS):
        yield Fault(f"there is no tokenizer ({', '.join(TOKENIZERS)})", again)
    if not any(file in names for file in PROCESSORS):
        yield Fault(f"there is no processor ({', '.join(PROCESSORS)})", again)


def _not_loadable(name: str, names: Collection[str], config: Any) -> Iterator[Fault]:
    """Code that comes along is no fault where vlmd has a family: it is never looked at then."""
    try:
        architecture = architecture_in(config)
    except NoCheckpoint as error:
        yield Fault(f"config.json {error}", "take a checkpoint of a whole model, not of a part or an adapter")
        return
    if architecture in FAMILIES:
        return
    if "auto_map" in config or any(file.endswith(".py") for file in names):
        yield Fault(
            f"{architecture} asks for code of its own, which vlmd never runs",
            _other_form(name, architecture) or f"take a checkpoint of an architecture that vlmd has: {known()}",
        )
    else:
        remedy = _other_form(name, architecture) or "take a checkpoint of one of these"
        yield Fault(f"vlmd has no family for {architecture}, only for {known()}", remedy)


def _other_form(name: str, architecture: str) -> str | None:
    """Where the same weights lie in the form that loads without code."""
    if same := name_to_use(name) or name_to_use(f"OpenGVLab/{name}"):
        return f"take {same}, the same weights in the form that loads without it"
    if architecture == _INTERNVL:
        return "take the repository whose name ends in -HF, such as OpenGVLab/InternVL3_5-4B-HF"
    return None


def _faults_in_weights(checkpoint: Checkpoint) -> Iterator[Fault]:
    if not weights_among(checkpoint.names):
        return
    try:
        if not checkpoint.tensors:
            yield Fault("its weight files hold no tensor", _AGAIN)
    except BadWeights as error:
        yield Fault(str(error), _AGAIN)
