"""Idefics3: several pictures a prompt, each shown whole: one tile, a fixed number of tokens.

Tiling would make seventeen of each: over 40,000 tokens for 15 pictures.

What a family offers:

    Family.load(path, dtype, device, progress) -> Family
    family.model                 the transformers model, for `generate`
    family.tokenizer
    family.prepare(questions)    tensors on the device, rows left-padded, ready for `generate`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from vlmd.core.errors import Code, WorkerError
from vlmd.worker.questions import Question


class Idefics3:
    """A loaded checkpoint of `Idefics3ForConditionalGeneration`."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.tokenizer.padding_side = "left"

    @classmethod
    def load(cls, path: str, dtype: torch.dtype, device: str, progress: Callable[[str], None]) -> Idefics3:
        """Read a local checkpoint: safetensors only, no remote code, no network, no key missing or left over."""
        progress("processor")
        processor = AutoProcessor.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        processor.image_processor.do_image_splitting = False
        progress("weights")
        model, report = AutoModelForImageTextToText.from_pretrained(
            path,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # only so that the refusal below can name them
        )
        _refuse_misfits(path, report)
        progress("device")
        return cls(model.eval().to(device), processor)

    def prepare(self, questions: Sequence[Question]) -> dict[str, torch.Tensor]:
        """Token ids and masks (rows, tokens), pixel values (rows, pictures, 3, height, width) in the model's dtype."""
        texts = [self._chat(question) for question in questions]
        images = [[Image.fromarray(picture) for picture in question.pictures] for question in questions]
        batch = self.processor(text=texts, images=images, padding=True, return_tensors="pt")
        return {name: self._place(tensor) for name, tensor in batch.items()}

    def _chat(self, question: Question) -> str:
        pictures = [{"type": "image"} for _ in question.pictures]
        turn = {"role": "user", "content": [*pictures, {"type": "text", "text": question.prompt}]}
        text: str = self.processor.apply_chat_template([turn], add_generation_prompt=True)
        return text

    def _place(self, tensor: torch.Tensor) -> torch.Tensor:
        dtype = self.model.dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(self.model.device, dtype)


def _refuse_misfits(path: str, report: dict[str, Any]) -> None:
    """A weight that is missing, left over or misshapen means another model than the checkpoint says."""
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        if report.get(kind):
            named = ", ".join(str(key) for key in list(report[kind])[:3])
            raise WorkerError(Code.MODEL_CANNOT_LOAD, f"{path}: {kind.replace('_', ' ')}: {named}")
