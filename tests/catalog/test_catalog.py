"""The catalog is what its files say, and comes to what was published and reckoned before."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from vlmd import catalog
from vlmd.catalog.figures import configuration, known_figures
from vlmd.core import plans
from vlmd.core.families import family_name
from vlmd.core.figures import Figures, FrameSize
from vlmd.core.plans import Shape
from vlmd.weights import demo_folder


class Researched(NamedTuple):
    """One row of what was worked out and measured for these models: 15 frames of 1280x720, 120 further tokens."""

    parameters: float
    quantizable: float
    kv_kib: int
    bf16_gb: float
    nf4_gb: float
    tokens: tuple[int, ...]
    """Of one frame, for the sizes that were looked at. Qwen's grow with the pictures, but for the bounded one."""


RESEARCHED = {
    "HuggingFaceM4/idefics2-8b": Researched(8.40, 6.98, 128, 16.8, 6.4, (66, 326)),
    "llava-hf/llava-v1.6-mistral-7b-hf": Researched(7.57, 6.98, 128, 15.1, 4.8, (926, 1948)),
    "llava-hf/llava-v1.6-vicuna-7b-hf": Researched(7.06, 6.48, 512, 14.1, 4.5, (926, 1948)),
    "Qwen/Qwen2.5-VL-7B-Instruct": Researched(8.29, 6.53, 56, 16.6, 6.9, (254,)),
    "Qwen/Qwen3-VL-4B-Instruct": Researched(4.44, 3.63, 144, 8.9, 3.5, (254,)),
    "OpenGVLab/InternVL3_5-4B-HF": Researched(4.73, 3.63, 144, 9.5, 4.1, (258, 2306)),
    "google/gemma-3n-E2B-it": Researched(5.42, 1.84, 40, 10.8, 8.1, (260,)),
    "Salesforce/instructblip-vicuna-7b": Researched(7.91, 6.48, 512, 15.8, 6.2, (32,)),
    "microsoft/Phi-3.5-vision-instruct": Researched(4.15, 3.62, 384, 8.3, 2.9, (313, 757)),
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": Researched(2.25, 1.61, 192, 4.5, 2.1, (84, 1080)),
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": Researched(0.51, 0.31, 40, 1.0, 0.5, (67, 859)),
}
KV_GB = {(5010, 128): 0.67, (1110, 128): 0.16, (29340, 128): 3.86, (29340, 512): 15.42, (14010, 512): 7.39,
         (18090, 56): 1.04, (3930, 56): 0.23, (13350, 144): 1.98, (3930, 144): 0.59, (34710, 144): 5.13,
         (3990, 144): 0.60, (4020, 40): 0.17, (152, 512): 0.12, (11475, 384): 4.54, (4815, 384): 1.92,
         (16320, 192): 3.22, (1380, 192): 0.29, (13005, 40): 0.54}  # fmt: skip
"""(tokens of a prompt, KiB a token) → what the cache of one window with 80 tokens of answer takes."""


@pytest.mark.parametrize("name", [name for name in catalog.listed() if name in RESEARCHED])
def test_weights_and_cache_are_those_that_were_worked_out_before(name):
    figures, row = catalog.listed()[name], RESEARCHED[name]
    assert figures.parameters / 1e9 == pytest.approx(row.parameters, rel=0.05)
    assert figures.quantizable / 1e9 == pytest.approx(row.quantizable, rel=0.05)
    assert figures.kv_elements * 2 / 1024 == pytest.approx(row.kv_kib, rel=0.05)
    assert plans.weights(figures, "bf16") / 1e9 == pytest.approx(row.bf16_gb, rel=0.05)
    assert plans.weights(figures, "nf4") / 1e9 == pytest.approx(row.nf4_gb, rel=0.05, abs=0.05)
    for tokens in row.tokens:
        nearest = min(figures.sizes, key=lambda size: abs(size.tokens - tokens))
        assert nearest.tokens == pytest.approx(tokens, rel=0.05), figures.sizes


@pytest.mark.parametrize(("length", "kib"), KV_GB)
def test_the_cache_of_a_window_takes_what_was_worked_out_before(length, kib):
    size = FrameSize(tokens=1, most=1, edge=1, pixels=1)
    figures = next(iter(catalog.listed().values()))
    shape = Shape(frames=1, words=length - 1, new_tokens=80)
    parts = plans.plan(_with_cache(figures, kib), "bf16", size, shape, 1)
    assert parts.kv / 1e9 == pytest.approx(KV_GB[length, kib], rel=0.05, abs=0.005)


def _with_cache(figures: Figures, kib: int) -> Figures:
    from msgspec.structs import replace

    return replace(figures, kv_elements=kib * 512)


def test_every_folder_has_its_figures_made_from_what_it_holds():
    """`python tools/make_figures.py` makes them anew."""
    folders = {**catalog.folders(), catalog.DEMO: demo_folder()}
    assert list(catalog.entries()) == list(folders)
    for name, folder in folders.items():
        entry = catalog.entries()[name]
        assert entry.configuration == configuration(folder), name
        assert entry.figures.family == family_name(entry.figures.architecture), name
        assert known_figures(folder) == entry.figures


def test_figures_made_again_are_the_same():
    from vlmd.worker.figures import figures_of

    folders = {**catalog.folders(), catalog.DEMO: demo_folder()}
    for name in ("HuggingFaceM4/idefics2-8b", catalog.DEMO):
        assert figures_of(str(folders[name])) == catalog.entries()[name].figures


def test_the_file_is_as_the_tool_writes_it():
    assert (catalog.home() / catalog.FIGURES).read_text() == catalog.written(catalog.entries())


def test_a_model_is_found_without_its_owner_and_in_any_case():
    full = "HuggingFaceM4/idefics2-8b"
    assert {catalog.find(name) for name in (full, "idefics2-8b", "Idefics2-8B", full.upper())} == {full}
    assert catalog.find("idefics") is None
    assert catalog.find(catalog.DEMO) is None


def test_what_may_have_been_meant():
    assert catalog.closest("idefics-8b")[0] == "HuggingFaceM4/idefics2-8b"
    assert catalog.closest("mine", ["mine2"]) == ["mine2"]
    assert catalog.closest("completely different") == []


def test_every_model_that_was_looked_at_is_in_the_catalog():
    assert set(RESEARCHED) <= set(catalog.listed())
