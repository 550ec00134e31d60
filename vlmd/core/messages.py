"""Every message between vlmd's processes, both directions side by side.

They travel as length-prefixed msgpack on a socket pair of their own (`vlmd.link`), never on stdout: libraries
print there. Delivery is at least once; effects are idempotent. What reads a link adds `Gone` at its end, so
that end of file, a signal and a crash look alike.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from vlmd.core.answers import OptionLogprobs, Timings, Token, Usage
from vlmd.core.calibration import Calibration
from vlmd.core.errors import Failure
from vlmd.core.inputs import Inputs, Outcome
from vlmd.core.plans import Shape
from vlmd.core.recipe import Recipe
from vlmd.core.tasks.registry import Task
from vlmd.core.verification import Verification
from vlmd.core.video import FileRef, VideoIndex
from vlmd.core.windows import Window


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all: the class name is the tag on the wire."""


# --- to a decoder ------------------------------------------------------------------------------------------


class DecodeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one decoder process may use; exceeding one is a reason code, not a crash of anything else."""

    max_pixels: int = 8192 * 4320
    memory_bytes: int = 4 << 30
    """Address space of the decoder process (RLIMIT_AS)."""
    cpu_seconds: int = 3600
    stall_seconds: float = 30.0
    """Longest silence between two signs of progress before it is killed."""
    wall_seconds: float = 14_400.0
    """Longest it may be waited for in all; the time its pictures wait for the model does not count."""
    require_sandbox: bool = True


class IndexVideo(Message, frozen=True):
    """One pass over the packets of the video whose descriptor comes with this message."""

    limits: DecodeLimits


class DecodeFrames(Message, frozen=True):
    """Decode the pictures at `pts` into the memory file that comes with this message, slot after slot.

    A slot is height × width × 3 bytes of RGB. `seek` is a keyframe's ticks, or None for the beginning.
    """

    limits: DecodeLimits
    pts: list[int]
    seek: int | None
    width: int
    height: int
    rotation: int


class FindCuts(Message, frozen=True):
    """Decode every picture of the video whose descriptor comes with this message, and say which begin a scene.

    They are compared as upright RGB of `width` x `height`; `threshold` is that of PySceneDetect's content detector.
    """

    limits: DecodeLimits
    width: int
    height: int
    rotation: int
    threshold: float


# --- from a decoder ----------------------------------------------------------------------------------------


class Sandboxed(Message, frozen=True):
    """The decoder has locked itself up; `missing` names what this kernel could not give."""

    missing: list[str]


class IndexProgress(Message, frozen=True):
    bytes_read: int


class Indexed(Message, frozen=True):
    index: VideoIndex


class FrameDecoded(Message, frozen=True):
    """The picture at `pts` lies in `slot`; slots come in ascending order, a skipped one cannot be decoded."""

    slot: int
    pts: int


class DecodeProgress(Message, frozen=True):
    """Still decoding towards the next wanted picture."""

    packets: int


class CutsFound(Message, frozen=True):
    """Ticks of the pictures that begin a scene, ascending, without the first."""

    pts: list[int]


class DecodeEnded(Message, frozen=True):
    bad_packets: int


class DecoderFailed(Message, frozen=True):
    failure: Failure


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
    times_ms: dict[int, int] = {}
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
    option_logprobs: OptionLogprobs = []
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


# --- to and from a merger ----------------------------------------------------------------------------------


class MergeJob(Message, frozen=True):
    """Parse and merge a job's stored answers. With a `target` the result is written there, else sent back.

    `root` is the results folder, which is there already; `outputs` are formats that are written beside the result.
    """

    database: str
    job: int
    task: Task
    inputs: Inputs | None
    root: str
    target: str | None
    outputs: tuple[str, ...] = ()
    calibration: Calibration | None = None
    log_level: int = 20


class Prepared(Message, frozen=True):
    """The result is on disk beside its place: shall it be put there? The answer is Publish or Discard."""


class Publish(Message, frozen=True):
    pass


class Discard(Message, frozen=True):
    """The job was ended meanwhile."""


class Discarded(Message, frozen=True):
    pass


class Merged(Message, frozen=True):
    """`summary` is JSON: what lists show of a result; `outcome`, what other pipelines see of it. `body` is the result
    itself where none was written."""

    summary: str
    outcome: Outcome
    body: str = ""


class MergeFailed(Message, frozen=True):
    failure: Failure


class Gone(Message, frozen=True):
    """Added by the reader of a link: nothing more will come."""

    exit: str
    how: Literal["exit", "signal", "protocol"] = "exit"


ToDecoder = IndexVideo | DecodeFrames | FindCuts
FromDecoder = (
    Sandboxed | IndexProgress | Indexed | FrameDecoded | DecodeProgress | DecodeEnded | CutsFound | DecoderFailed
)
ToWorker = LoadModel | RunWindows | Cancel | Shutdown
FromWorker = Ready | CannotStart | Beat | BatchBegun | WindowAnswered | WindowFailed | LeaseEnded | Gone
ToMerger = MergeJob | Publish | Discard
FromMerger = Prepared | Discarded | Merged | MergeFailed
