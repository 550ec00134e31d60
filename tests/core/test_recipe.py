"""A recipe's digest changes with everything that determines an answer, and with nothing else."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from vlmd.core.recipe import Generation, Recipe, fit_edge

RECIPE = Recipe(
    model="qwen",
    revision="a" * 64,
    family="Qwen2_5_VLForConditionalGeneration/1",
    precision="bf16",
    window_frames=15,
    frame_tokens=256,
    frame_edge=448,
    fps=5.0,
    prompt="What happens?",
    generation=Generation(max_new_tokens=256),
)
OTHER = {
    "model": "other",
    "revision": "b" * 64,
    "family": "Qwen2_5_VLForConditionalGeneration/2",
    "precision": "fp32",
    "window_frames": 16,
    "frame_tokens": None,
    "frame_edge": 224,
    "fps": 2.5,
    "prompt": "What happens? ",
    "generation": Generation(max_new_tokens=255),
    "frame_rule": 0,
    "grammar": "start: /a/",
    "options": ("A", "B"),
}


def test_every_field_is_part_of_the_digest() -> None:
    assert OTHER.keys() == set(Recipe.__struct_fields__)
    changed = {replace(RECIPE, **{field: value}).digest() for field, value in OTHER.items()}
    assert len(changed | {RECIPE.digest()}) == len(OTHER) + 1


def test_every_setting_of_generation_is_part_of_the_digest() -> None:
    other = {
        "max_new_tokens": 255,
        "min_new_tokens": 1,
        "repetition_penalty": 1.1,
        "beams": 2,
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 1,
        "seconds": 60.0,
        "loop_rule": 0,
        "draw_rule": 9,
    }
    assert other.keys() == set(Generation.__struct_fields__)
    ways = [replace(RECIPE.generation, **{field: value}) for field, value in other.items()]
    changed = {replace(RECIPE, generation=way).digest() for way in ways}
    assert len(changed | {RECIPE.digest()}) == len(other) + 1


def test_a_recipe_read_back_from_the_database_has_the_same_digest() -> None:
    body = msgspec.json.encode(RECIPE)
    assert msgspec.json.decode(body, type=Recipe).digest() == RECIPE.digest()


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(16, 8192))
def test_pictures_fit_the_edge_keep_their_shape_and_are_never_enlarged(width: int, height: int, edge: int) -> None:
    fitted = fit_edge(width, height, edge)
    assert min(fitted) >= 1 and max(fitted) == min(edge, max(width, height))
    scale = min(1, edge / max(width, height))
    assert abs(fitted[0] - width * scale) <= 1 and abs(fitted[1] - height * scale) <= 1
