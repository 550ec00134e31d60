"""How many tokens a frame takes: the recipe's bound, or what the family prefers, so that a window fits the context."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from vlmd.core.figures import FrameSize
from vlmd.core.recipe import Recipe
from vlmd.core.sizes import choose_size
from vlmd.worker.models.base import Family


class Sizing:
    """Sizes of one loaded checkpoint; the same recipe always gets the same one."""

    def __init__(self, family: Family, path: str) -> None:
        config = family.model.config
        self._family = family
        self._sizes, self._preferred = family.sizes(config, processing(Path(path)))
        self._context = family.context(config)
        self.of = lru_cache(maxsize=64)(self._of)
        """The size that a recipe wants. Raises `WorkerError` where its frames do not fit."""

    def coarser(self, recipe: Recipe) -> FrameSize | None:
        """The next size with fewer tokens than the one that a recipe wants."""
        now = self.of(recipe)
        return next((size for size in reversed(self._sizes) if size.most < now.most), None)

    def _of(self, recipe: Recipe) -> FrameSize:
        words = len(self._family.tokenizer(recipe.prompt)["input_ids"])
        return choose_size(
            self._sizes,
            self._preferred,
            bound=recipe.frame_tokens,
            frames=1 if self._family.shared else recipe.window_frames,
            room=self._context - words - recipe.generation.max_new_tokens,
        )


def processing(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of how its pictures are prepared."""
    if (path := folder / "preprocessor_config.json").exists():
        return dict(json.loads(path.read_text()))
    return dict(json.loads((folder / "processor_config.json").read_text())["image_processor"])
