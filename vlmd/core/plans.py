"""What a model takes of a GPU's memory, part by part, and how much of it fits. Pure arithmetic on its figures.

Weights and KV cache are exact up to what loading rounds; activations are an upper estimate: for each token of a prompt
6 times the width of the model and 3 times that of its feed-forward layers. The worker measures and corrects it.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from vlmd.core.errors import WorkerError
from vlmd.core.figures import Figures, FrameSize
from vlmd.core.memory import CONTEXT_BYTES
from vlmd.core.recipe import Recipe
from vlmd.core.sizes import MARKUP_TOKENS, choose_size

_FRAMES_AT_ONCE, _PIXELS_AT_ONCE = 8, 4 << 20
"""What goes through the vision tower together, at the most: more of it takes memory and saves no time."""
MOST_ROWS = 4096
"""Nobody asks for a larger batch."""

_NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Four bits; for each 64 of them their largest, in 8 bits; for each 256 of those a float."""
_SCALE_BYTES = 4
"""int8 keeps a float for each row of a matrix."""
_MASK_BYTES = 3
"""Of each pair of tokens where rows of unequal length share a batch: a mask, and the same as numbers."""
_FLOAT_BYTES = {"fp32": 4}
_USABLE = 0.95
"""What CUDA sees at the least of the memory that the driver tells of."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What the windows of a pipeline ask of a model."""

    frames: int = 15
    words: int = 120
    """Tokens of the prompt beside the frames'."""
    new_tokens: int = 256
    beams: int = 1
    frame_tokens: int | None = None
    """Most tokens a frame may take; None leaves it to the family."""


@dataclass(frozen=True)
class Parts:
    """Bytes of a GPU's memory."""

    weights: int
    kv: int
    activations: int
    context: int

    @property
    def batch(self) -> int:
        """What comes and goes with each batch."""
        return self.kv + self.activations

    @property
    def total(self) -> int:
        return self.weights + self.context + self.batch


def float_bytes(precision: str) -> int:
    """Bytes of a number in the arithmetic; quantized weights are computed with in half precision."""
    return _FLOAT_BYTES.get(precision, 2)


def weights(figures: Figures, precision: str) -> int:
    """Bytes of the loaded weights."""
    if precision not in ("nf4", "int8"):
        return figures.parameters * float_bytes(precision)
    rest = (figures.parameters - figures.quantizable) * float_bytes(precision)
    if precision == "nf4":
        return rest + round(figures.quantizable * _NF4_BYTES)
    return rest + figures.quantizable + figures.quantizable // figures.hidden * _SCALE_BYTES


def chosen_size(figures: Figures, shape: Shape) -> FrameSize:
    """The size that windows of this shape are shown in. Raises `WorkerError` where their frames do not fit."""
    return choose_size(
        figures.sizes,
        figures.preferred,
        bound=shape.frame_tokens,
        frames=_shown(figures, shape),
        room=figures.context - shape.words - shape.new_tokens,
    )


def frames_at_once(size: FrameSize) -> int:
    """How many frames go through the vision tower together."""
    return max(1, min(_FRAMES_AT_ONCE, _PIXELS_AT_ONCE // max(1, size.pixels)))


def prompt_tokens(figures: Figures, size: FrameSize, shape: Shape) -> int:
    """Of one window whose frames are of 16:9."""
    return _shown(figures, shape) * size.tokens + shape.words


def most_frames(figures: Figures, size: FrameSize, shape: Shape) -> int | None:
    """How many frames of this size the context takes beside prompt and answer; None where it is no matter of tokens."""
    if figures.shared:
        return None
    return max(0, figures.context - shape.words - shape.new_tokens) // size.tokens


def plan(figures: Figures, precision: str, size: FrameSize, shape: Shape, batch: int) -> Parts:
    """What a batch of so many windows takes, at its worst moment."""
    number = float_bytes(precision)
    rows, length = batch * shape.beams, prompt_tokens(figures, size, shape)
    return Parts(
        weights=weights(figures, precision),
        kv=rows * (length + shape.new_tokens) * figures.kv_elements * number,
        activations=_features(figures, size, shape, batch) * number
        + max(_prefill(figures, precision, rows, length), _vision(figures, size, shape, batch) * number),
        context=CONTEXT_BYTES,
    )


def largest_batch(
    figures: Figures,
    precision: str,
    size: FrameSize,
    shape: Shape,
    free: int,
    *,
    loaded: bool = False,
    correction: float = 1.0,
    most: int = MOST_ROWS,
) -> int:
    """How many windows fit together into so many free bytes; 0 where not even one does.

    With `loaded`, weights and context are there already. `correction`: batches took so many times what was planned.
    """

    def fits(batch: int) -> bool:
        parts = plan(figures, precision, size, shape, batch)
        return parts.batch * correction + (0 if loaded else parts.weights + parts.context) <= free

    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def automatic(figures: Figures, shape: Shape, total: int, best: str) -> str:
    """What precision "auto" is on a GPU: `best`, its fastest float, where one window fits beside the weights."""
    return best if one_window(figures, best, shape).total <= total else "nf4"


def one_window(figures: Figures, precision: str, shape: Shape) -> Parts:
    """The least that a model takes to be of use; where its frames do not fit, they are shown as coarsely as can be."""
    try:
        size = chosen_size(figures, shape)
    except WorkerError:
        size = figures.sizes[0]
    return plan(figures, precision, size, shape, 1)


def needs(figures: Figures, precision: str, shape: Shape, total: int | None) -> int:
    """Bytes that have to be free before loading is worth trying, on a GPU with `total` bytes in all.

    The driver counts some more bytes than CUDA does: where "auto" is close to either, the smaller one counts.
    """
    if precision != "auto":
        return one_window(figures, precision, shape).total
    floating, quantized = (one_window(figures, each, shape).total for each in ("bf16", "nf4"))
    return floating if total is not None and floating <= total * _USABLE else min(floating, quantized)


def shape_of(recipe: Recipe) -> Shape:
    """What a recipe's windows ask; how many tokens its words are is a guess."""
    return Shape(
        frames=recipe.window_frames,
        words=words_of(recipe.prompt),
        new_tokens=recipe.generation.max_new_tokens,
        beams=recipe.generation.beams,
        frame_tokens=recipe.frame_tokens,
    )


def words_of(prompt: str) -> int:
    """Tokens that a prompt takes beside its frames: a token for every three characters, and what goes around them."""
    return len(prompt) // 3 + MARKUP_TOKENS


def _shown(figures: Figures, shape: Shape) -> int:
    return 1 if figures.shared else shape.frames


def _features(figures: Figures, size: FrameSize, shape: Shape, batch: int) -> int:
    """Numbers of the frames' features, which are kept while windows may still show them."""
    return batch * _shown(figures, shape) * size.tokens * figures.hidden


def _prefill(figures: Figures, precision: str, rows: int, length: int) -> int:
    layer = rows * length * (6 * figures.hidden + 3 * figures.intermediate) * float_bytes(precision)
    mask = rows * length**2 * _MASK_BYTES if rows > 1 else 0
    logits = 2 * rows * figures.vocabulary * 4
    unpacked = figures.hidden * figures.intermediate * 2 if precision in ("nf4", "int8") else 0
    return layer + mask + logits + unpacked


def _vision(figures: Figures, size: FrameSize, shape: Shape, batch: int) -> int:
    return min(frames_at_once(size), batch * _shown(figures, shape)) * size.pixels * figures.vision
