"""Canary windows: pictures made on the spot, shown to a model that has just been loaded, to see that it is sane.

Nothing is known of what a model should say of them; but it must compute numbers, say of a batch what it says of each
window alone, see a difference between pictures that differ, and answer without going in circles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from vlmd.core.answers import Finish
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.messages.worker import RunWindows
from vlmd.core.recipe import Generation, Recipe, fit_edge
from vlmd.core.verification import Check, Verification
from vlmd.core.video import FileIdentity, FileRef
from vlmd.core.windows import Window
from vlmd.worker.engine import Engine
from vlmd.worker.questions import Picture, Question, Reply

FRAMES = 4
_SIZE = (640, 360)
_PROMPTS = ("Describe these pictures in one sentence.", "What is shown here?", "Which shape moves, and where to?")
_NEW_TOKENS = 48
_TOLERANCE = {"fp32": 1e-3, "bf16": 0.05, "fp16": 0.05, "nf4": 0.05, "int8": 0.1}
"""Of the range of the logits: how far a batch may be from its rows alone. Half precision sums in another order for
every shape; int8 rounds activations by the largest one it meets."""
_MEMORY_MARGIN = 1.1
"""How much more than planned a model may take."""
_LEAST_DIFFERENCE = 1e-4
"""Of the range of the logits: less, and the pictures were not seen."""


def verify(engine: Engine, progress: Callable[[str], None]) -> Verification:
    """Try the model on three windows, alone and together; takes about as long as six short answers."""
    progress("verify batches")
    windows = [_question(engine, row, prompt) for row, prompt in enumerate(_PROMPTS)]
    with torch.inference_mode():
        together = _logits(engine, windows)
        alone = torch.cat([_logits(engine, [window]) for window in windows])
        black = _logits(engine, [_question(engine, 3, _PROMPTS[0], dark=True)])
    progress("verify answers")
    replies: dict[int, Reply] = {}
    engine.answer(windows, lambda rows: None, replies.__setitem__)
    for window in windows:
        engine.forget(window.run.lease)
    told = list(replies.values())
    return Verification(checks=[*_numbers(engine, together, alone, black), _answers(told), *_memory(engine, told)])


def _numbers(engine: Engine, together: torch.Tensor, alone: torch.Tensor, black: torch.Tensor) -> list[Check]:
    """Each (rows, vocabulary): the logits of the first token."""
    finite = bool(together.isfinite().all() and alone.isfinite().all())
    if not finite:
        return [Check(name="finite", ok=False, said="it computes NaN or infinity", serious=True)]
    span = (alone.amax(dim=-1) - alone.amin(dim=-1)).clamp_min(1e-9)
    apart = float(((together - alone).abs().amax(dim=-1) / span).max())
    seen = float((black[0] - alone[0]).abs().max() / span[0])
    allowed = _TOLERANCE[engine.precision]
    return [
        Check(name="finite", ok=True, said="all logits are numbers", serious=True),
        Check(
            name="batch = single",
            ok=apart <= allowed,
            said=f"logits differ by {apart:.1e} of their range, {allowed:g} is allowed",
        ),
        Check(
            name="sees pictures",
            ok=seen >= _LEAST_DIFFERENCE,
            said=f"black pictures move its logits by {seen:.1e} of their range",
        ),
    ]


def _memory(engine: Engine, replies: Sequence[Reply]) -> list[Check]:
    """What was planned for this batch, and for the weights, against what they take; nothing where none is measured."""
    pairs = [(reply.memory_planned, reply.memory_used) for reply in replies]
    planned, used = max(((a, b) for a, b in pairs if a and b is not None), key=lambda pair: pair[1], default=(0, 0))
    if not planned:
        return []
    ready = engine.ready()
    weights, loaded = ready.memory_planned or ready.memory_bytes, ready.memory_bytes
    fits = used <= planned * _MEMORY_MARGIN and loaded <= weights * _MEMORY_MARGIN
    said = f"weights take {loaded / 1e9:.2f} GB, {weights / 1e9:.2f} were planned; three windows take {used / 1e9:.2f}"
    return [Check(name="memory", ok=fits, said=f"{said}, {planned / 1e9:.2f} were planned")]


def _answers(replies: Sequence[Reply]) -> Check:
    """An answer that goes in circles, or is empty, is no answer; one such window may be chance."""
    poor = [reply for reply in replies if reply.finish == Finish.LOOP or not reply.text.strip()]
    shown = max((reply.text for reply in replies), key=len, default="")[:80]
    return Check(
        name="answers",
        ok=2 * len(poor) < len(replies),
        said=f"{len(poor)} of {len(replies)} are empty or go in circles; it says {shown!r}",
    )


def _logits(engine: Engine, windows: Sequence[Question]) -> torch.Tensor:
    """(rows, vocabulary), float32, on the CPU."""
    logits: torch.Tensor = engine.first_logits(windows)
    return logits.float().cpu()


def _question(engine: Engine, row: int, prompt: str, dark: bool = False) -> Question:
    """A window in a lease of its own; its number cannot be that of a real one."""
    window = Window(0, 0, 1000, list(range(FRAMES)), None)
    recipe = Recipe(
        model=engine.spec.name, revision="", family="", precision=engine.precision, fps=FRAMES, prompt=prompt,
        generation=Generation(max_new_tokens=_NEW_TOKENS), window_frames=FRAMES,
    )  # fmt: skip
    run = RunWindows(
        lease=-1 - row, job=0, file=FileRef(b"", b"", FileIdentity(0, 0, 0)), width=_SIZE[0], height=_SIZE[1],
        rotation=0, windows=[window], recipe=recipe, limits=DecodeLimits(),
    )  # fmt: skip
    width, height = fit_edge(*_SIZE, engine.edge(recipe))
    shown = [_picture(width, height, 0 if dark else row + 1, frame) for frame in range(FRAMES)]
    return Question(run, window, window.pts, shown, prompt, 0)


def _picture(width: int, height: int, row: int, frame: int) -> Picture:
    """A bright square that crosses a coloured ground; black for row 0. uint8 (height, width, 3)."""
    picture = np.zeros((height, width, 3), np.uint8)
    if row:
        picture[:] = np.linspace(40, 200, width, dtype=np.uint8)[None, :, None]
        picture[..., row % 3] //= 2
        side = max(2, height // 4)
        left = frame * (width - side) // max(1, FRAMES - 1)
        picture[height // 3 : height // 3 + side, left : left + side] = (255, 240, 60)
    return picture
