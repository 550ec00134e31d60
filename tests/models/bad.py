"""Checkpoints of the demo's model, each spoilt in one way: what becomes of it, and the words that tell of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file

from vlmd.core.errors import Code

DEMO = Path(str(resources.files("vlmd.demo") / "model"))
Spoil = Callable[[Path], object]
LAYER = "model.text_model.layers.0.self_attn.q_proj"


class Bad(NamedTuple):
    """One way."""

    spoil: Spoil
    code: Code
    told: str
    adapter: bool = False
    """Also asked with the adapter in the folder `adapter` beside it."""
    settings: tuple[tuple[str, str], ...] = ()
    """Other keys of the model's configuration."""


def copy_of_demo(folder: Path) -> Path:
    shutil.copytree(DEMO, folder)
    return folder


def unlink(*patterns: str) -> Spoil:
    return lambda folder: [path.unlink() for pattern in patterns for path in folder.glob(pattern)]


def edit(name: str = "config.json", **changes: Any) -> Spoil:
    def change(folder: Path) -> None:
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | changes))

    return change


def write(name: str, text: str) -> Spoil:
    return lambda folder: (folder / name).write_text(text)


def cut(count: int) -> Spoil:
    def change(folder: Path) -> None:
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:count])

    return change


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Spoil:
    def rewrite(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    return rewrite


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def in_parts(folder: Path) -> None:
    """Two parts, of which one was never copied."""
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    named = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))


def nested(**changes: Any) -> Spoil:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        config["text_config"] |= changes
        (folder / "config.json").write_text(json.dumps(config | {"transformers_version": "99.1.0"}))

    return change


def both(*spoils: Spoil) -> Spoil:
    return lambda folder: [spoil(folder) for spoil in spoils]


def adapter(module: str = LAYER, into: int = 128, out: int = 128, **config: Any) -> Spoil:
    """An adapter for one module, as peft writes it, in the folder `adapter` beside the checkpoint."""

    def make(folder: Path) -> None:
        place = folder.with_name("adapter")
        place.mkdir()
        told = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": [module], **config}
        (place / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "a/b", **told}))
        halves = {"A": torch.randn(4, into), "B": torch.randn(out, 4)}
        named = {f"base_model.model.{module}.lora_{half}.weight": tensor for half, tensor in halves.items()}
        save_file(named, place / "adapter_model.safetensors", {"format": "pt"})

    return make


def of_adapter(spoil: Spoil) -> Spoil:
    return both(adapter(), lambda folder: spoil(folder.with_name("adapter")))


IN_FILES: dict[str, Bad] = {
    "no folder": Bad(shutil.rmtree, Code.MODEL_MISSING, "holds no config.json"),
    "no config": Bad(unlink("config.json"), Code.MODEL_MISSING, "holds no config.json"),
    "config no JSON": Bad(write("config.json", "{"), Code.MODEL_MISSING, "is no JSON"),
    "architecture": Bad(edit(architectures=["Newfangled"]), Code.UNKNOWN_ARCHITECTURE, "no family for Newfangled"),
    "own code": Bad(
        edit(architectures=["Newfangled"], auto_map={"AutoModel": "x.Y"}),
        Code.MODEL_UNSAFE,
        "Newfangled asks for code of its own, which vlmd never runs",
    ),
    "newer type": Bad(edit(model_type="idefics9"), Code.INCOMPATIBLE_VERSION, 'says model_type "idefics9"'),
    "GPTQ": Bad(
        edit(quantization_config={"quant_method": "gptq", "bits": 4}),
        Code.PRECISION_UNSUPPORTED,
        "its weights are quantized already (gptq)",
    ),
    "bitsandbytes": Bad(
        edit(quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}),
        Code.PRECISION_UNSUPPORTED,
        "its weights are quantized already (bitsandbytes)",
    ),
    "fp8": Bad(
        weights(
            lambda tensors: tensors.update({LAYER + ".weight": tensors[LAYER + ".weight"].to(torch.float8_e4m3fn)})
        ),
        Code.PRECISION_UNSUPPORTED,
        "quantized already (to F8_E4M3), and config.json does not say how",
    ),
    "pickles": Bad(pickled, Code.MODEL_UNSAFE, "its weights are pickles, which can run code"),
    "no weights": Bad(unlink("model.safetensors"), Code.MODEL_DAMAGED, "there are no weights"),
    "cut header": Bad(cut(5000), Code.MODEL_DAMAGED, "model.safetensors was cut off: it ends in the middle"),
    "cut weights": Bad(cut(-5000), Code.MODEL_DAMAGED, "model.safetensors was cut off: it has"),
    "missing part": Bad(in_parts, Code.MODEL_DAMAGED, "1 of 2 weight files are missing, such as model-00002-of-00002"),
    "no tokenizer": Bad(unlink("tokenizer*"), Code.MODEL_DAMAGED, "there is no tokenizer"),
    "tokenizer no JSON": Bad(write("tokenizer.json", "{]"), Code.MODEL_DAMAGED, "tokenizer.json makes no sense"),
    "no processor": Bad(unlink("*processor*"), Code.MODEL_DAMAGED, "there is no processor"),
    "no image processor": Bad(
        write("processor_config.json", '{"image_seq_len": 4}'), Code.MODEL_DAMAGED, "tells nothing of images"
    ),
    "no template": Bad(unlink("chat_template*"), Code.MODEL_DAMAGED, "there is no chat template"),
    "blind template": Bad(
        write("chat_template.jinja", "{{ messages[0].content }}"), Code.MODEL_DAMAGED, "shows no images"
    ),
    "adapter missing": Bad(lambda folder: None, Code.MODEL_MISSING, "it holds no adapter_config.json", True),
    "adapter pickled": Bad(
        of_adapter(lambda folder: (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")),
        Code.MODEL_UNSAFE,
        "its weights are pickles, which can run code",
        True,
    ),
    "adapter no weights": Bad(
        of_adapter(unlink("*.safetensors")), Code.MODEL_DAMAGED, "it holds no adapter_model.safetensors", True
    ),
    "adapter cut": Bad(
        of_adapter(write("adapter_model.safetensors", "cut off here")),
        Code.MODEL_DAMAGED,
        "adapter_model.safetensors is no safetensors file",
        True,
    ),
    "adapter of another kind": Bad(adapter(peft_type="IA3"), Code.INCOMPATIBLE_VERSION, "it is of kind IA3", True),
    "adapter of two trainings": Bad(
        adapter(target_modules=["q_proj", "v_proj"]), Code.MODEL_DAMAGED, "says that it changes v_proj", True
    ),
    "adapter for other layers": Bad(
        adapter("model.text_model.layers.77.self_attn.q_proj"),
        Code.INCOMPATIBLE_VERSION,
        "it was made for another model, a/b: this one has no model.text_model.layers.77",
        True,
    ),
    "adapter for other shapes": Bad(
        adapter(into=64),
        Code.INCOMPATIBLE_VERSION,
        f"it was made for another model, a/b: {LAYER} is 128x64 there and 128x128 here",
        True,
    ),
}
"""What the files tell: nothing is imported, nothing loaded."""

NOT_IN_FILES: dict[str, Bad] = {
    "missing key": Bad(
        weights(lambda tensors: tensors.pop(LAYER + ".weight")),
        Code.MODEL_DAMAGED,
        f"its weights are not those of its config.json: missing keys: {LAYER}.weight",
    ),
    "left-over key": Bad(
        weights(lambda tensors: tensors.update({"model.other.weight": torch.zeros(3)})),
        Code.MODEL_DAMAGED,
        "its weights are not those of its config.json: unexpected keys: model.other.weight",
    ),
    "misshapen key": Bad(
        weights(lambda tensors: tensors.update({LAYER + ".weight": torch.zeros(64, 128)})),
        Code.MODEL_DAMAGED,
        "its weights are not those of its config.json: mismatched keys:",
    ),
    "newer part": Bad(nested(model_type="newfangled"), Code.MODEL_CANNOT_LOAD, "(transformers 99.1.0 wrote it, and 5."),
    "template that drops images": Bad(
        write("chat_template.jinja", "{# no image #}{{ messages[0].content[-1].text }}"),
        Code.MODEL_DAMAGED,
        "its chat template shows 0 of 2 images",
    ),
    "template with a mistake": Bad(
        write("chat_template.jinja", "{{ raise_exception('image') }}"),
        Code.MODEL_DAMAGED,
        "its chat template cannot be used",
    ),
    "tokenizer that is none": Bad(write("tokenizer.json", '{"version": "1.0"}'), Code.MODEL_CANNOT_LOAD, ""),
}
"""What is seen when everything but the weights is read."""
