"""The architectures that vlmd serves, as a checkpoint's config.json names them. One line each; pure data.

To add a family:
  1. write `worker/models/<file>.py` with a class over `FrameFamily` in `base.py`; its docstrings say what it asks;
  2. add its line here;
  3. add how a tiny checkpoint of it is made to `tools/tiny/`: the tests run every family through the same checks.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Trained(IntEnum):
    """What pictures a family learnt from, as its authors say."""

    SINGLE = 0
    SEVERAL = 1
    VIDEO = 2

    @property
    def words(self) -> str:
        return ("a picture", "pictures", "videos")[self]


class Entry(NamedTuple):
    """Where a family lives, what its checkpoints look like, and its version."""

    where: str
    """Module below `vlmd.worker.models`, and class; imported when a checkpoint of it is loaded."""
    model_type: str
    """As config.json names it beside the architecture."""
    version: int = 1
    """Raised whenever the same weights would be asked in another way: stored answers are then no longer valid."""
    trained: Trained = Trained.SINGLE
    """What `vlmd init` goes by where several models fit."""
    templated: bool = True
    """Whether prompts are made by the checkpoint's chat template, which has to show images then."""
    needs: tuple[str, ...] = ()
    """Folders that it needs beside what every checkpoint has."""


FAMILIES = {
    "Gemma3nForConditionalGeneration": Entry("gemma3n.family:Gemma3n", "gemma3n", trained=Trained.SEVERAL),
    "Idefics2ForConditionalGeneration": Entry("idefics2:Idefics2", "idefics2", trained=Trained.SEVERAL),
    "Idefics3ForConditionalGeneration": Entry("idefics3:Idefics3", "idefics3", trained=Trained.SEVERAL),
    "InstructBlipForConditionalGeneration": Entry(
        "instructblip:InstructBlip", "instructblip", templated=False, needs=("qformer_tokenizer",)
    ),
    "InternVLForConditionalGeneration": Entry("internvl:InternVL", "internvl", trained=Trained.VIDEO),
    "LlavaNextForConditionalGeneration": Entry("llava_next:LlavaNext", "llava_next"),
    "Phi3VForCausalLM": Entry("phi3v.family:Phi3V", "phi3_v", trained=Trained.SEVERAL, templated=False),
    "Qwen2_5_VLForConditionalGeneration": Entry("qwen2_5_vl:Qwen25VL", "qwen2_5_vl", trained=Trained.VIDEO),
    "Qwen3VLForConditionalGeneration": Entry("qwen3_vl:Qwen3VL", "qwen3_vl", trained=Trained.VIDEO),
    "SmolVLMForConditionalGeneration": Entry("smolvlm:SmolVLM", "smolvlm", trained=Trained.VIDEO),
}


def family_name(architecture: str) -> str:
    """What recipes call it: an architecture, and the version of how vlmd serves it."""
    return f"{architecture}/{FAMILIES[architecture].version}" if architecture in FAMILIES else architecture


def trained_on(architecture: str) -> Trained:
    return FAMILIES[architecture].trained if architecture in FAMILIES else Trained.SINGLE


def known() -> str:
    """All of them, for a sentence."""
    return ", ".join(sorted(FAMILIES))
