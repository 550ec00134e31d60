"""A video and a recipe that tests start from; `msgspec.structs.replace` makes others of them."""

from __future__ import annotations

from vlmd.core.recipe import Generation, Recipe
from vlmd.core.video import VideoFacts

FACTS = VideoFacts(
    fingerprint="f" * 64,
    size_bytes=1000,
    container="matroska",
    codec="h264",
    pixel_format="yuv420p",
    width=64,
    height=36,
    rotation=0,
    duration_ms=9000,
    start_ms=0,
    frames=225,
    truncated=False,
    bad_packets=0,
)
RECIPE = Recipe(
    model="demo",
    revision="r",
    family="Demo",
    precision="fp32",
    frame_edge=64,
    fps=5.0,
    prompt="What is it?",
    generation=Generation(),
)
