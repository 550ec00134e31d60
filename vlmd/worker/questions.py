"""What the model is asked and what it says, on their way through a worker."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vlmd.core.answers import OptionLogprobs, Token
from vlmd.core.messages.worker import RunWindows
from vlmd.core.windows import Window

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) RGB."""


@dataclass(frozen=True)
class Question:
    """One window, ready for the model."""

    run: RunWindows
    window: Window
    pts: list[int]
    """Those of the window's pictures that could be decoded."""
    pictures: list[Picture]
    prompt: str
    prepare_ms: int

    @property
    def key(self) -> tuple[int, int]:
        return self.run.lease, self.window.index

    @property
    def length(self) -> int:
        """About how long it is for the model: the pixels it shows. Words are few beside pictures."""
        return sum(picture.size for picture in self.pictures)

    def frame_digest(self) -> str:
        """sha256 in hex over the pixels, picture after picture."""
        digest = hashlib.sha256()
        for picture in self.pictures:
            digest.update(np.ascontiguousarray(picture).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Reply:
    """What the model generated for one question."""

    text: str
    tokens: list[Token]
    prompt_tokens: int
    finish: str
    option_logprobs: OptionLogprobs = field(default_factory=list)
    """Of the recipe's options, as the first token; empty where it has none."""
    finite: bool = True
    """False when a logit was NaN or infinite, or the grammar allowed no token: the text means nothing."""
    memory_planned: int | None = None
    memory_used: int | None = None
    """Bytes that its batch was planned to take at the most, and has taken; None where that is not known."""
