"""What every family is: a checkpoint that is loaded, sees frames, and is asked questions.

A family says how its architecture differs; everything else is here. The parts, in the order in which they are used:

    figures    dimensions, from the configuration alone: what fits is known before anything loads
    load       safetensors only, no remote code, no network; quantized but for what must not be
    encode     a frame becomes features, once, however many windows show it
    prepare    features and prompts become the tensors of one batch, rows left-padded
    generate   as transformers has it
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageTextToText
from transformers.modeling_outputs import BaseModelOutputWithPooling

from vlmd.core.families import FAMILIES
from vlmd.core.figures import FrameSize
from vlmd.worker.adapters import lay_over
from vlmd.worker.loading import Checkpoint, architecture, load_model, load_tokenizer, refuse_blind
from vlmd.worker.questions import Picture

Inputs = dict[str, Any]
"""Keyword arguments of `generate`: `input_ids` and `attention_mask` (rows, tokens) among them."""


@dataclass(frozen=True)
class Frame:
    """What the language model sees of one frame."""

    embeds: torch.Tensor
    """(tokens, hidden), on the device, in the precision of the arithmetic."""
    grid: tuple[int, ...] = ()
    """How the tokens lie in the picture, where the placeholders or positions depend on it."""
    deep: tuple[torch.Tensor, ...] = ()
    """Further features for deeper layers, each (tokens, hidden)."""


@dataclass(frozen=True)
class Asked:
    """One row of a batch: a prompt and the frames before it."""

    prompt: str
    frames: Sequence[Frame]
    answer: int | None = None
    """Most tokens of the answer, where that is known: in some families it decides how the prompt is read."""


class Family(ABC):
    """A loaded checkpoint of one architecture."""

    auto_class: ClassVar[Any] = AutoModelForImageTextToText
    """What `from_pretrained` is called on."""
    unquantized: ClassVar[tuple[str, ...]]
    """Full paths of the modules that keep their precision: vision tower and projector. An asterisk stands for every
    layer."""
    image_token: ClassVar[str]
    """What stands for one feature vector in the expanded prompt."""
    shared: ClassVar[bool]
    """All frames of a window are shown as one picture: `sizes` are for the window, and no frame has features."""

    def __init__(self, model: Any, tokenizer: Any, image_processor: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.image_processor = image_processor

    # --- from the configuration alone -----------------------------------------------------------------------

    @classmethod
    def read_config(cls, folder: Path) -> Any:
        """The checkpoint's config.json as transformers' object."""
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    @classmethod
    @abstractmethod
    def sizes(cls, config: Any, processing: Mapping[str, Any]) -> tuple[list[FrameSize], int]:
        """The ways to show a frame, coarsest first, and which of them is preferred.

        `config` is the checkpoint's, `processing` what its preprocessor_config.json says.
        """

    @classmethod
    def text_config(cls, config: Any) -> Any:
        """The language model's part of the configuration."""
        return config.get_text_config()

    @classmethod
    def context(cls, config: Any) -> int:
        """Most tokens of prompt and answer together."""
        return int(cls.text_config(config).max_position_embeddings)

    @classmethod
    def kv_elements(cls, config: Any) -> int:
        """Numbers in the KV cache for each token: a key and a value, in every layer and KV head."""
        text = cls.text_config(config)
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        return int(2 * text.num_hidden_layers * heads * width)

    # --- loading --------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, checkpoint: Checkpoint, progress: Callable[[str], None]) -> Family:
        """Read a local checkpoint. Raises `WorkerError` where a second try would fail the same way."""
        progress("processor")
        tokenizer = cls.load_tokenizer(checkpoint)
        image_processor = cls.load_image_processor(checkpoint)
        model = load_model(cls.auto_class, checkpoint, cls.unquantized, progress)
        if checkpoint.adapter is not None:
            progress("adapter")
            lay_over(model, checkpoint.adapter)
        family = cls(model, tokenizer, image_processor)
        if FAMILIES[architecture(checkpoint.path)].templated:
            refuse_blind(checkpoint.path, family.chat, family.image_mark)
        return family

    @classmethod
    def load_tokenizer(cls, checkpoint: Checkpoint) -> Any:
        """As the checkpoint names it, padding on the left."""
        return load_tokenizer(checkpoint)

    @classmethod
    def load_image_processor(cls, checkpoint: Checkpoint) -> Any:
        """With PIL: torchvision is not needed, and where it is installed the pixels are the same."""
        return AutoImageProcessor.from_pretrained(checkpoint.path, backend="pil", local_files_only=True)

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        return torch.device(self.model.device)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the arithmetic."""
        dtype: torch.dtype = self.model.dtype
        return dtype

    # --- frames ---------------------------------------------------------------------------------------------

    @abstractmethod
    def encode(self, pictures: Sequence[Picture], size: FrameSize) -> list[Frame]:
        """What is kept of each picture, for every window that shows it; none depends on the others."""

    def place(self, tensor: torch.Tensor) -> torch.Tensor:
        """On the device; floating point numbers in the precision of the arithmetic."""
        return tensor.to(self.device, self.dtype if tensor.is_floating_point() else tensor.dtype)

    # --- prompts --------------------------------------------------------------------------------------------

    def chat(self, prompt: str, count: int) -> str:
        """The checkpoint's own chat template, with one `image_mark` for each of `count` frames."""
        frames = [{"type": "image"} for _ in range(count)]
        turn = {"role": "user", "content": [*frames, {"type": "text", "text": prompt}]}
        text: str = self.tokenizer.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
        return text

    @property
    def image_mark(self) -> str:
        """What the chat template writes for a frame."""
        return self.image_token

    @abstractmethod
    def prepare(self, rows: Sequence[Asked]) -> Inputs:
        """The tensors of a batch, on the device, ready for `generate`."""

    def tokenize(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """Left-padded; the token that begins a text is added where the chat template has not written it."""
        begin = self.tokenizer.bos_token
        written = begin is not None and texts[0].startswith(begin)
        tokens: dict[str, torch.Tensor] = self.tokenizer(
            list(texts), padding=True, padding_side="left", return_tensors="pt", add_special_tokens=not written
        )
        return tokens

    # --- generation -----------------------------------------------------------------------------------------

    @property
    def generator(self) -> Any:
        """The module that generates, with its generation_config."""
        return self.model

    def generate(self, inputs: Inputs, **options: Any) -> Any:
        """Token ids (rows, prompt and answer), or what the options ask for in their place."""
        return self.generator.generate(**inputs, **options)


class FrameFamily(Family):
    """A family in which a frame has features of its own, whatever is asked and shown beside it. All but one are."""

    shared = False

    @abstractmethod
    def pixels(self, pictures: Sequence[Picture], size: FrameSize) -> dict[str, torch.Tensor]:
        """What the model's own encoder takes for these pictures, all of one shape, each as a prompt of its own."""

    @abstractmethod
    def features(self, pixels: dict[str, torch.Tensor]) -> list[Frame]:
        """One for each picture; none depends on the others."""

    def encode(self, pictures: Sequence[Picture], size: FrameSize) -> list[Frame]:
        """Pictures as the language model sees them."""
        return self.features({name: self.place(tensor) for name, tensor in self.pixels(pictures, size).items()})

    @abstractmethod
    def placeholder(self, frame: Frame) -> str:
        """What takes the mark's place: as many image tokens as the frame has features, and markers."""

    def expanded(self, asked: Asked) -> str:
        """The prompt with every mark replaced; a mark inside the question's own words is no frame's."""
        mark = self.image_mark
        text = self.chat(asked.prompt.replace(mark, ""), len(asked.frames))
        parts = text.split(mark)
        if len(parts) != len(asked.frames) + 1:
            raise ValueError(f"the chat template shows {len(parts) - 1} of {len(asked.frames)} frames")
        shown = [word for frame, part in zip(asked.frames, parts[1:], strict=True)
                 for word in (self.placeholder(frame), part)]  # fmt: skip
        return "".join([parts[0], *shown])

    def prepare(self, rows: Sequence[Asked]) -> Inputs:
        """The tensors of a batch, on the device, ready for `generate`."""
        texts = [self.expanded(row) for row in rows]
        tokens = self.tokenize(texts)
        frames = [frame for row in rows for frame in row.frames]
        return {
            "input_ids": tokens["input_ids"].to(self.device),
            "attention_mask": tokens["attention_mask"].to(self.device),
            **self.extras(tokens["input_ids"].to(self.device), frames),
            "mm_encoder_outputs": {"image": self.packed(frames)},
        }

    def extras(self, ids: torch.Tensor, frames: Sequence[Frame]) -> Inputs:
        """What else the model's forward needs to place the frames; `ids` is (rows, tokens)."""
        return {}

    def packed(self, frames: Sequence[Frame]) -> Any:
        """The frames of a whole batch as the model's forward takes them from its own encoder."""
        return BaseModelOutputWithPooling(pooler_output=[frame.embeds for frame in frames])
