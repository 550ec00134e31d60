"""Published configurations in the catalog: built on torch's meta device, they have the published dimensions."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import torch

from vlmd.worker.engine import architecture
from vlmd.worker.models import family
from vlmd.worker.sizing import processing

PUBLISHED = {
    "HuggingFaceM4/Idefics3-8B-Llama3": (8.46, 128, 131072, 172),
    "HuggingFaceM4/idefics2-8b": (8.40, 128, 32768, 66),
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": (2.25, 192, 8192, 84),
    "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": (0.256, 22.5, 8192, 67),
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": (0.507, 40, 8192, 67),
    "Salesforce/instructblip-vicuna-7b": (7.91, 512, 2048, 32),
    "google/gemma-3n-E2B-it": (5.42, 40, 32768, 259),
    "google/gemma-3n-E4B-it": (7.82, 40, 32768, 259),
}
"""Billions of parameters, KiB of KV cache a token in 16 bits, context, and tokens of a frame (InstructBLIP: of all)."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_dimensions(name):
    folder = Path(str(resources.files("vlmd.catalog"))) / name.replace("/", "--")
    served = family(architecture(str(folder)))
    config = served.read_config(folder)
    with torch.device("meta"):
        model = served.auto_class.from_config(config)
    billions, kib, context, tokens = PUBLISHED[name]
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e9 == pytest.approx(billions, rel=0.003)
    assert served.kv_elements(config) * 2 == kib * 1024
    assert served.context(config) == context
    sizes, preferred = served.sizes(config, processing(folder))
    assert sizes[preferred].tokens == tokens
