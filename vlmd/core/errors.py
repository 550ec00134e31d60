"""What can go wrong, by name.

    VlmdError
    ├─ UsageError          the caller asked for something that makes no sense
    ├─ ConfigError         config.toml (or a flag) is wrong; lists every problem at once
    ├─ MediaError          a file or video cannot be used; carries a Failure
    ├─ WorkerError         a model cannot be loaded or cannot answer; carries a Failure
    ├─ LinkError           a process said something that is not a message
    └─ StoreError          the database refused: another daemon, a newer schema, damage
       ├─ Unwritable       it cannot be written just now, and nobody waits any longer; carries a Problem
       └─ DiskError        the disk under it failed: nothing may be acknowledged any more

A `Failure` is the same thing as data: it travels in messages, is stored, and is shown with its remedy.
A `Problem` is what is wrong just now and tried again until it is not: it is shown, and goes by itself.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Code(StrEnum):
    """Why something failed; stored, shown, and stable: scripts match on these words."""

    # a file in the inbox
    EMPTY = "empty"
    NOT_REGULAR = "not-regular"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too-large"
    UNKNOWN_PIPELINE = "unknown-pipeline"
    NO_PIPELINE = "no-pipeline"
    BAD_QUESTIONS = "bad-questions"
    FILE_MISSING = "file-missing"
    FILE_CHANGED = "file-changed"
    # a video
    NOT_VIDEO = "not-video"
    TRUNCATED = "truncated"
    NO_VIDEO_STREAM = "no-video-stream"
    ENCRYPTED = "encrypted"
    BAD_DIMENSIONS = "bad-dimensions"
    UNDECODABLE = "undecodable"
    TOO_MANY_PICTURES = "too-many-pictures"
    TOO_MANY_WINDOWS = "too-many-windows"
    NOTHING_IN_SPAN = "nothing-in-span"
    OUTSIDE_VIDEO = "outside-video"
    # a decoder
    DECODER_CRASHED = "decoder-crashed"
    DECODER_LIMIT = "decoder-limit"
    NO_SANDBOX = "no-sandbox"
    # a worker
    WORKER_LOST = "worker-lost"
    OUT_OF_MEMORY = "out-of-memory"
    NON_FINITE = "non-finite"
    GENERATION_FAILED = "generation-failed"
    CONTEXT_EXCEEDED = "context-exceeded"
    WRONG_FRAMES = "wrong-frames"
    MODEL_CANNOT_LOAD = "model-cannot-load"
    MODEL_MISSING = "model-missing"
    MODEL_GATED = "model-gated"
    MODEL_DAMAGED = "model-damaged"
    MODEL_UNSAFE = "model-unsafe"
    UNKNOWN_ARCHITECTURE = "unknown-architecture"
    INCOMPATIBLE_VERSION = "incompatible-version"
    PRECISION_UNSUPPORTED = "precision-unsupported"
    LOAD_DISK_FULL = "load-disk-full"
    MODEL_TOO_LARGE = "model-too-large"
    MODEL_UNSOUND = "model-unsound"
    TOO_FEW_DEVICES = "too-few-devices"
    GPU_UNUSABLE = "gpu-unusable"
    # a job
    CANCELLED = "cancelled"
    MERGER_FAILED = "merger-failed"
    RESULT_UNWRITABLE = "result-unwritable"
    NEED_FAILED = "need-failed"
    # the daemon itself
    EXHAUSTED = "exhausted"


REMEDY: dict[Code, str] = {
    Code.EMPTY: "copy the file again",
    Code.NOT_REGULAR: "links, pipes and devices are not followed; put the video itself there, or use `vlmd submit`",
    Code.UNREADABLE: "let the daemon's user read the file, then touch it",
    Code.TOO_LARGE: "raise inbox.max_bytes in config.toml, or cut the video",
    Code.UNKNOWN_PIPELINE: "name the folder after a pipeline of config.toml, or add one with that name",
    Code.NO_PIPELINE: "put the file into a pipeline's folder, or set inbox.default_pipeline",
    Code.BAD_QUESTIONS: "put it right, or drop what is missing; what was right is under way",
    Code.FILE_MISSING: "put the file back, then `vlmd retry`",
    Code.FILE_CHANGED: "a dropped file is taken anew once it has settled; submit a submitted one again",
    Code.NOT_VIDEO: "the container format is not one vlmd opens; convert it, for example to mp4 or mkv",
    Code.TRUNCATED: "the end of the file is missing; copy it again",
    Code.NO_VIDEO_STREAM: "the file has no video stream; nothing can be looked at",
    Code.ENCRYPTED: "vlmd has no keys; put a copy without encryption (DRM) there",
    Code.BAD_DIMENSIONS: "the pictures are larger than limits.max_pixels allows; scale the video down",
    Code.UNDECODABLE: "too little of it could be decoded; try to repair or re-encode the video",
    Code.TOO_MANY_PICTURES: "cut the video into parts, or re-encode it with a lower picture rate",
    Code.TOO_MANY_WINDOWS: "use a larger step, from/until, or raise limits.max_windows",
    Code.NOTHING_IN_SPAN: "the pipeline's from/until leave nothing of this video",
    Code.OUTSIDE_VIDEO: "correct the moments that came with the video, then drop them again",
    Code.DECODER_CRASHED: "the video crashes its decoder; re-encode it, then `vlmd retry`",
    Code.DECODER_LIMIT: "decoding took more time or memory than limits allow; re-encode the video or raise them",
    Code.NO_SANDBOX: "run on Linux 5.13 or newer with Landlock, or set limits.require_sandbox = false",
    Code.WORKER_LOST: "the worker died three times on it; see the log, then `vlmd retry`",
    Code.OUT_OF_MEMORY: "use fewer frames, a smaller frame edge or a smaller max_batch, then `vlmd retry`",
    Code.NON_FINITE: 'the model computed NaN; try precision = "bf16" or "fp32", then `vlmd retry`',
    Code.GENERATION_FAILED: "see the log for what the model raised, then `vlmd retry`",
    Code.CONTEXT_EXCEEDED: "show fewer frames (window.fps, window.length) or set a smaller frame_tokens",
    Code.WRONG_FRAMES: "the worker answered for other frames than planned; report this, then `vlmd retry`",
    Code.MODEL_CANNOT_LOAD: "check the model's path and files, then `vlmd resume` the device",
    Code.MODEL_MISSING: "set its path to the checkpoint's folder, or `vlmd models fetch` it, then `vlmd resume`",
    Code.MODEL_GATED: "accept its licence at the hub, set HF_TOKEN, `vlmd models fetch` it, then `vlmd resume`",
    Code.MODEL_DAMAGED: "copy or `vlmd models fetch` its checkpoint again, all of its files, then `vlmd resume`",
    Code.MODEL_UNSAFE: "use a checkpoint with safetensors and without code of its own, then restart vlmd",
    Code.UNKNOWN_ARCHITECTURE: "choose a model of a family that vlmd has, then restart it",
    Code.INCOMPATIBLE_VERSION: "install the packages again, or newer ones, then `vlmd resume`",
    Code.PRECISION_UNSUPPORTED: 'set its precision to "auto", or to one that the device has, then restart vlmd',
    Code.LOAD_DISK_FULL: "free some space there, then `vlmd resume`",
    Code.TOO_FEW_DEVICES: "lower its devices_per_worker, or give vlmd more devices (devices.use), then restart it",
    Code.MODEL_TOO_LARGE: "use a smaller model, a lower precision, or a GPU with more memory",
    Code.MODEL_UNSOUND: 'try precision = "bf16" or "fp32", or fetch it again; then `vlmd resume` the device',
    Code.GPU_UNUSABLE: "install a torch build that fits the driver, or set devices.use",
    Code.CANCELLED: "`vlmd retry` takes it up again; what was answered is kept",
    Code.NEED_FAILED: "see why with `vlmd show` of that job, then `vlmd retry` it: this one follows by itself",
    Code.MERGER_FAILED: "see the log, then `vlmd merge`",
    Code.RESULT_UNWRITABLE: "let paths.results be written to; it is tried again until it works",
    Code.EXHAUSTED: "raise the limits of open files and processes (ulimit -n, -u); it is tried again until it works",
}


OF_THE_MODEL = frozenset(
    {
        Code.MODEL_CANNOT_LOAD,
        Code.MODEL_MISSING,
        Code.MODEL_GATED,
        Code.MODEL_DAMAGED,
        Code.MODEL_UNSAFE,
        Code.UNKNOWN_ARCHITECTURE,
        Code.INCOMPATIBLE_VERSION,
        Code.PRECISION_UNSUPPORTED,
        Code.LOAD_DISK_FULL,
        Code.MODEL_TOO_LARGE,
        Code.TOO_FEW_DEVICES,
    }
)
"""A worker that cannot start for one of these leaves its device to other models."""


class Failure(msgspec.Struct, frozen=True):
    """A code for machines and one sentence for people."""

    code: Code
    reason: str
    advice: str = ""
    """What helps, where more is known than the code tells."""

    @property
    def remedy(self) -> str:
        return self.advice or REMEDY[self.code]

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


class Problem(msgspec.Struct, frozen=True):
    """Something that keeps part of the daemon waiting: what, why, and what helps."""

    what: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}; {self.remedy}"


class VlmdError(Exception):
    """Base of everything vlmd raises on purpose."""


class UsageError(VlmdError):
    """The request cannot be carried out as asked."""


class ConfigError(VlmdError):
    """config.toml is wrong; `problems` holds one line per mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class FailureError(VlmdError):
    """Base of errors that carry a `Failure`."""

    def __init__(self, code: Code, reason: str, advice: str = "") -> None:
        super().__init__(f"{code}: {reason}")
        self.failure = Failure(code, reason, advice)


class MediaError(FailureError):
    """A file or video cannot be used."""


class WorkerError(FailureError):
    """A model cannot be loaded, or cannot answer."""


class LinkError(VlmdError):
    """A process sent something that is not a message of the protocol."""


class StoreError(VlmdError):
    """The database cannot be used as it is."""


class Unwritable(StoreError):
    """The database cannot be written just now; nothing was changed."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class DiskError(StoreError):
    """Reading or writing failed in a way that trying again could hide; what was not acknowledged is not there."""
