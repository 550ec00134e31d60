"""What is wrong with a checkpoint: each fault one sentence, with what helps.

Most is seen from the names of the files and config.json alone, so that a repository of the hub is judged before
anything large is fetched. What lies beside the weights is judged in `beside`, an adapter in `adapters`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from vlmd.core.errors import Code
from vlmd.core.families import FAMILIES, known
from vlmd.core.faults import Fault
from vlmd.core.hub_names import name_to_use
from vlmd.weights.adapters import faults_of_adapter
from vlmd.weights.beside import AGAIN, faults_beside
from vlmd.weights.checkpoint import PICKLES, Checkpoint, NoCheckpoint, architecture_in, read_checkpoint, weights_among
from vlmd.weights.headers import BadWeights
from vlmd.weights.places import NotFetched

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
_INTERNVL = "InternVLChatModel"
"""The architecture of InternVL's repositories that bring their own code."""
_PACKED = ("F8_", "F4", "F6_", "I8")
"""Types of weights that mean nothing without the scales of whoever quantized them."""


def faults_of(folder: Path, name: str | None = None, adapter: Path | None = None) -> list[Fault]:
    """All that keeps the checkpoint in a folder, and an adapter over it, from being loaded, as far as files tell.

    `name` is how people call it, if otherwise.
    """
    try:
        checkpoint = read_checkpoint(folder)
    except NoCheckpoint as error:
        return [no_checkpoint(error)]
    listed = list(faults_in_listing(name or folder.name, checkpoint.names, checkpoint.config))
    own = [*listed, *faults_beside(checkpoint), *_faults_in_weights(checkpoint)]
    return own if adapter is None else [*own, *faults_of_adapter(adapter, checkpoint)]


def no_checkpoint(error: NoCheckpoint) -> Fault:
    """There is nothing that could be judged."""
    remedy = "name the folder that holds config.json and *.safetensors, as downloaded"
    return Fault(Code.MODEL_MISSING, str(error), remedy)


def not_fetched(name: str, error: NotFetched) -> Fault:
    """The model `name` is to be fetched from the hub, and was not."""
    return Fault(Code.MODEL_MISSING, str(error), f"run `vlmd models fetch {name}`")


def faults_in_listing(name: str, names: Collection[str], config: Any, again: str = AGAIN) -> Iterator[Fault]:
    """What the names of a checkpoint's files and its config.json tell; `again` is what helps where one is missing."""
    yield from _not_loadable(name, names, config)
    yield from _quantized(config)
    if not weights_among(names) and any(Path(file).suffix in PICKLES for file in names):
        yield Fault(
            Code.MODEL_UNSAFE,
            "its weights are pickles, which can run code: only safetensors are read",
            "take a revision or a repository with model.safetensors, or convert it",
        )
    elif not weights_among(names):
        yield Fault(Code.MODEL_DAMAGED, "there are no weights (model.safetensors, or its index and parts)", again)
    if not any(file in names for file in TOKENIZERS):
        yield Fault(Code.MODEL_DAMAGED, f"there is no tokenizer ({', '.join(TOKENIZERS)})", again)
    if not any(file in names for file in PROCESSORS):
        yield Fault(Code.MODEL_DAMAGED, f"there is no processor ({', '.join(PROCESSORS)})", again)


def _not_loadable(name: str, names: Collection[str], config: Any) -> Iterator[Fault]:
    """Code that comes along is no fault where vlmd has a family: it is never looked at then."""
    try:
        architecture = architecture_in(config)
    except NoCheckpoint as error:
        remedy = "take a checkpoint of a whole model, not of a part or an adapter"
        yield Fault(Code.MODEL_MISSING, f"config.json {error}", remedy)
        return
    if architecture in FAMILIES:
        yield from _of_another_type(architecture, config)
    elif "auto_map" in config or any(file.endswith(".py") for file in names):
        yield Fault(
            Code.MODEL_UNSAFE,
            f"{architecture} asks for code of its own, which vlmd never runs",
            _other_form(name, architecture) or f"take a checkpoint of an architecture that vlmd has: {known()}",
        )
    else:
        remedy = _other_form(name, architecture) or "take a checkpoint of one of these"
        yield Fault(Code.UNKNOWN_ARCHITECTURE, f"vlmd has no family for {architecture}, only for {known()}", remedy)


def _of_another_type(architecture: str, config: Any) -> Iterator[Fault]:
    """transformers chooses its classes by the type: another one is of a later version, or of nobody's making."""
    said, expected = config.get("model_type"), FAMILIES[architecture].model_type
    if said != expected:
        found = f'config.json says model_type "{said}" of {architecture}, which is "{expected}" here'
        remedy = "take the checkpoint as its makers published it, or a newer vlmd if it is a later version"
        yield Fault(Code.INCOMPATIBLE_VERSION, found, remedy)


def _quantized(config: Any) -> Iterator[Fault]:
    """Whoever quantized it has decided what of it, the vision tower, too; and each way needs packages of its own."""
    said = config.get("quantization_config") if isinstance(config, dict) else None
    if not said:
        return
    how = said.get("quant_method") if isinstance(said, dict) else None
    yield Fault(
        Code.PRECISION_UNSUPPORTED,
        f"its weights are quantized already ({how or 'in a way that is not named'}); vlmd quantizes as it loads",
        'take the checkpoint that was not quantized, and set precision = "nf4" or "int8"',
    )


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
        tensors = checkpoint.tensors
    except BadWeights as error:
        yield Fault(Code.MODEL_DAMAGED, str(error), AGAIN)
        return
    if not tensors:
        yield Fault(Code.MODEL_DAMAGED, "its weight files hold no tensor", AGAIN)
    packed = {tensor.dtype for tensor in tensors.values() if tensor.dtype.startswith(_PACKED)}
    if packed and not checkpoint.config.get("quantization_config"):
        found = f"its weights are quantized already (to {', '.join(sorted(packed))}), and config.json does not say how"
        yield Fault(Code.PRECISION_UNSUPPORTED, found, "take the checkpoint that was not quantized")
