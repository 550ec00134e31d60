"""To a worker, and what it says."""

from __future__ import annotations

import msgspec

from vlmd.core.answers import OptionLogprobs, Timings, Token, Usage
from vlmd.core.errors import Failure
from vlmd.core.messages.base import Gone, Message
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.plans import Shape
from vlmd.core.recipe import Recipe
from vlmd.core.verification import Verification
from vlmd.core.video import FileRef
from vlmd.core.windows import Window

# --- to a worker -------------------------------------------------------------------------------------------


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Which checkpoint a worker loads, and how."""

    name: str
    path: str
    revision: str
    family: str
    precision: str
    max_batch: int
    threads: int
    """torch threads of a worker on the CPU."""
    attention: str = "auto"
    adapter: str | None = None
    """Folder of a LoRA adapter."""
    weight_bytes: int = 0
    """What its weights take on a GPU; 0 where its files do not say."""
    shape: Shape = Shape()
    """What its windows are going to ask, at the most."""
    devices: int = 1
    """How many devices one worker takes for it."""


class LoadModel(Message, frozen=True):
    model: ModelSpec
    device: str
    """A torch device as the worker sees it: "cuda:0" or "cpu"."""
    called: str
    """What the supervisor calls the device, for the log."""
    verify: bool = False
    """Try the model on canary windows before it is ready."""
    log_level: int = 20
    devices: int = 1
    """How many devices it sees and spreads the model over: "cuda:0" and those after it."""


class RunWindows(Message, frozen=True):
    """A lease: the right, and the duty, to answer these windows of one video."""

    lease: int
    job: int
    file: FileRef
    width: int
    height: int
    rotation: int
    windows: list[Window]
    recipe: Recipe
    limits: DecodeLimits
    times_ms: dict[int, int] = msgspec.field(default_factory=dict)
    """When each picture of the windows is shown, by its ticks; only prompts need it."""


class Cancel(Message, frozen=True):
    lease: int


class Shutdown(Message, frozen=True):
    """Finish the batch in hand, answer it, and end."""


# --- from a worker -----------------------------------------------------------------------------------------


class Ready(Message, frozen=True):
    device: str
    model: str
    precision: str
    parameters: int
    memory_bytes: int
    """Bytes the loaded weights take."""
    load_ms: int
    versions: dict[str, str]
    verification: Verification | None = None
    """What canary windows showed, where they were asked for."""
    memory_planned: int | None = None
    """Bytes the weights were planned to take; None where the configuration does not tell."""


class CannotStart(Message, frozen=True):
    """The model does not load here and would not on a second try."""

    failure: Failure


class Beat(Message, frozen=True):
    """Progress from the work itself: a shard loaded, a token generated. Never from an idle thread."""

    stage: str
    lease: int | None = None
    window: int | None = None
    tokens: int = 0


class BatchBegun(Message, frozen=True):
    """These (lease, window) pairs are on the device now; if the worker dies, they may be why."""

    windows: list[tuple[int, int]]


class WindowAnswered(Message, frozen=True):
    lease: int
    window: int
    pts: list[int]
    """The pictures the model really saw."""
    frame_digest: str
    """sha256 over their pixels."""
    text: str
    tokens: list[Token]
    recipe: Recipe
    """The actual recipe."""
    usage: Usage
    timings: Timings
    option_logprobs: OptionLogprobs = msgspec.field(default_factory=list)
    """Empty where the recipe has no options."""


class WindowFailed(Message, frozen=True):
    """`retry` asks for another attempt; what will fail again the same way says False."""

    lease: int
    window: int
    failure: Failure
    retry: bool


class LeaseEnded(Message, frozen=True):
    """Every window of the lease was answered or failed; `void` says why the video itself could not be used."""

    lease: int
    void: Failure | None = None


ToWorker = LoadModel | RunWindows | Cancel | Shutdown
FromWorker = Ready | CannotStart | Beat | BatchBegun | WindowAnswered | WindowFailed | LeaseEnded | Gone
