"""A recipe is everything that determines an answer; its digest keys the stored answers.

Change anything here and exactly the windows it changes are asked again. An answer given under less than was
asked (a smaller edge, say) carries its actual recipe and is never taken for a full one.
"""

from __future__ import annotations

import hashlib

import msgspec

from vlmd.core.loops import LOOP_RULE

ASSUMED_EDGE = 1280
"""Pixels, where the family decides how large its pictures are and the size of pictures must be reckoned with."""
FRAME_RULE = 1
"""Version of how pictures are chosen and resized; raised when either would give other pixels."""


DRAW_RULE = 1
"""Version of how tokens are drawn at a temperature; raised when the same settings would draw others."""


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is generated: greedily, by beams, or drawn; up to a limit or to where it loops."""

    max_new_tokens: int = 256
    min_new_tokens: int = 0
    """The answer may not end before."""
    repetition_penalty: float = 1.0
    """Over the tokens of the answer; 1 is none."""
    beams: int = 1
    temperature: float = 0.0
    """0 draws nothing."""
    top_p: float = 1.0
    seed: int = 0
    seconds: float | None = None
    """Seconds after which an answer is cut, whatever the device has made of it by then."""
    loop_rule: int = LOOP_RULE
    draw_rule: int = 0
    """`DRAW_RULE` where tokens are drawn."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    """The model's name or folder as configured."""
    revision: str
    """sha256 over the checkpoint's files."""
    family: str
    """The architecture, and the version of how vlmd serves it."""
    precision: str
    fps: float
    prompt: str
    generation: Generation
    window_frames: int = 0
    """Most frames that a window shows."""
    frame_tokens: int | None = None
    """Most tokens of the prompt that one frame may take: the family's finest size within it is used. None leaves it to
    the family, which takes what it prefers, or a coarser size so that the window fits the model's context."""
    frame_edge: int | None = None
    """Longest edge of a picture handed to the model, in pixels; smaller videos are not enlarged. None leaves it to the
    size of the frame."""
    frame_rule: int = FRAME_RULE
    grammar: str | None = None
    """What an answer may look like, as a Lark grammar of llguidance; None leaves it to the model."""
    options: tuple[str, ...] = ()
    """What the model chooses between at the first token of its answer, such as the letters of a question's choices."""

    def digest(self) -> str:
        """sha256 in hex over the fields in their order."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


def is_degraded(asked: Recipe, actual: Recipe) -> bool:
    """Whether an answer was given under less than was asked. "auto" asks for whatever precision the device has."""
    precision = actual.precision if asked.precision == "auto" else asked.precision
    return actual != msgspec.structs.replace(asked, precision=precision)


def fit_edge(width: int, height: int, edge: int) -> tuple[int, int]:
    """Width and height scaled down so that the longer one is at most `edge`; never enlarged, never below 1."""
    longest = max(width, height)
    if longest <= edge:
        return width, height
    return max(1, round(width * edge / longest)), max(1, round(height * edge / longest))
