"""The keys of config.toml, their defaults and their bounds. `config.toml` explains them to people."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from vlmd.config.generation import GenerationSettings
from vlmd.config.kinds import (
    DEMO_MODEL,
    AbsolutePath,
    Count,
    Days,
    Devices,
    Few,
    Globs,
    Hook,
    HubName,
    Labels,
    ModelPath,
    Name,
    Revision,
    Seconds,
    Words,
)
from vlmd.config.section import Section
from vlmd.core.errors import ConfigError
from vlmd.core.messages import DecodeLimits
from vlmd.core.tasks.prompts import EVENTS_PROMPT, JOB_VARIABLES, WINDOW_VARIABLES, unknown_variables
from vlmd.core.video import seconds_to_ms
from vlmd.core.windows import SlidingPlan

SOCKET_PATH_BYTES = 107
"""Longest path a Unix socket can have on Linux."""
WINDOW_PICTURES = 1000
"""Most pictures one window may show."""
WINDOW_OVERLAP = 100
"""Most windows one picture may be part of."""


class PathSettings(Section):
    inbox: AbsolutePath = Path("~/vlmd/inbox")
    results: AbsolutePath = Path("~/vlmd/results")
    state: AbsolutePath = Path("~/.local/state/vlmd")
    socket: AbsolutePath = Field(default_factory=lambda known: known["state"] / "vlmd.sock")
    """The control socket; below `state` unless the file says otherwise."""
    models: AbsolutePath = Path("~/.local/share/vlmd/models")
    """What `vlmd models fetch` puts there, and nothing else does."""

    @field_validator("results", "state", "models")
    @classmethod
    def _outside_inbox(cls, value: Path, info: ValidationInfo) -> Path:
        inbox: Path | None = info.data.get("inbox")
        if inbox is not None and value.is_relative_to(inbox):
            raise ValueError("lies inside the inbox, where its files would be taken for videos; choose another folder")
        return value

    @field_validator("socket")
    @classmethod
    def _socket_fits(cls, value: Path) -> Path:
        size = len(os.fsencode(value))
        if size > SOCKET_PATH_BYTES:
            raise ValueError(
                f"{value} would take {size} bytes, and Linux allows {SOCKET_PATH_BYTES}; choose a shorter one"
            )
        return value

    @property
    def database(self) -> Path:
        return self.state / "vlmd.db"


class DeviceSettings(Section):
    use: Devices = "auto"
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    idle_unload_seconds: Seconds | None = None


class InboxSettings(Section):
    settle_seconds: Seconds = 5.0
    rescan_seconds: Seconds = 30.0
    max_bytes: Annotated[int, Field(ge=1, le=1 << 50)] = 256 << 30
    ignore: Globs = (".*", "*.part", "*.tmp", "*.crdownload", "*~")
    default_pipeline: str | None = None


class LimitSettings(Section):
    max_windows: Count = 20_000
    max_pixels: Annotated[int, Field(ge=4096, le=1 << 30)] = 8192 * 4320
    decoder_memory_bytes: Annotated[int, Field(ge=256 << 20, le=1 << 44)] = 4 << 30
    decoder_cpu_seconds: Count = 3600
    decoder_stall_seconds: Seconds = 30.0
    decoder_wall_seconds: Seconds = 14_400.0
    require_sandbox: bool = True
    load_seconds: Seconds = 900.0
    progress_seconds: Seconds = 120.0
    window_failures: Few = 3
    lease_windows: Few = 32
    stop_seconds: Seconds = 60.0
    start_failures: Few = 5

    def for_decoder(self) -> DecodeLimits:
        """What a decoder process is told."""
        return DecodeLimits(
            max_pixels=self.max_pixels,
            memory_bytes=self.decoder_memory_bytes,
            cpu_seconds=self.decoder_cpu_seconds,
            stall_seconds=self.decoder_stall_seconds,
            wall_seconds=self.decoder_wall_seconds,
            require_sandbox=self.require_sandbox,
        )


class HookSettings(Section):
    on_done: Hook | None = None
    on_failed: Hook | None = None
    secret_file: AbsolutePath | None = None
    timeout_seconds: Seconds = 30.0
    tries: Few = 12

    @field_validator("secret_file")
    @classmethod
    def _webhooks_are_signed(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        for name in ("on_done", "on_failed"):
            if value is None and isinstance(info.data.get(name), str):
                raise ValueError(
                    f"{name} is a web address, and what is sent there is signed; name a file with a secret"
                )
        return value


class RetentionSettings(Section):
    """Days that ended things are kept."""

    history_days: Days = 7
    jobs_days: Days = 30
    answers_days: Days = 90
    backups_days: Days = 30


class ModelSettings(Section):
    path: ModelPath | None = None
    """An absolute folder, or `DEMO_MODEL`."""
    hub: HubName | None = None
    """A repository of the model hub."""
    revision: Revision | None = None
    """Of the repository: a branch, a tag or a commit; None is its main branch as it was when it was fetched."""
    precision: Literal["auto", "nf4", "int8", "bf16", "fp16", "fp32"] = "auto"
    attention: Literal["auto", "flash", "sdpa", "eager"] = "auto"
    adapter: AbsolutePath | None = None
    max_batch: Few = 8
    frame_tokens: Literal["auto"] | Annotated[int, Field(ge=1, le=65536)] = "auto"
    frame_edge: Annotated[int, Field(ge=16, le=8192)] | None = None
    devices_per_worker: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _lies_in_one_place(self) -> ModelSettings:
        if self.path is None and self.hub is None:
            raise ValueError('expected where its checkpoint lies: path = "/folder", or hub = "owner/name"')
        if self.path is not None and self.hub is not None:
            raise ValueError("path and hub both say where its checkpoint lies; keep one of them")
        if self.path is not None and self.revision is not None:
            raise ValueError("revision says which version of a hub's model is meant, and a path has none; leave it out")
        return self

    @property
    def is_demo(self) -> bool:
        return self.path == DEMO_MODEL

    @property
    def origin(self) -> str:
        """Where it comes from, as people write it."""
        return f"{self.hub}@{self.revision}" if self.hub and self.revision else self.hub or self.path or ""


class WindowSettings(Section):
    """All in seconds, but for `fps`."""

    length: Annotated[float, Field(ge=0.04, le=3600)] = 3.0
    step: Annotated[float, Field(ge=0.04, le=3600)] = 2.0
    fps: Annotated[float, Field(ge=0.001, le=120)] = 5.0
    from_: Annotated[float, Field(ge=0, le=1_000_000, alias="from")] = 0.0
    until: Annotated[float, Field(gt=0, le=1_000_000)] | None = None

    @field_validator("step")
    @classmethod
    def _bounded_overlap(cls, step: float, info: ValidationInfo) -> float:
        length = info.data.get("length")
        if length is not None and length > step * WINDOW_OVERLAP:
            raise ValueError(
                f"expected at least a hundredth of the length ({length / WINDOW_OVERLAP:g}), not {step:g}: "
                f"every picture would be shown in more than {WINDOW_OVERLAP} windows"
            )
        return step

    @field_validator("fps")
    @classmethod
    def _bounded_pictures(cls, fps: float, info: ValidationInfo) -> float:
        length = info.data.get("length")
        if length is not None and length * fps > WINDOW_PICTURES:
            raise ValueError(
                f"{length:g} seconds at {fps:g} pictures per second are more than the {WINDOW_PICTURES} "
                "pictures a window may show; lower fps or length"
            )
        return fps

    @field_validator("until")
    @classmethod
    def _after_from(cls, until: float | None, info: ValidationInfo) -> float | None:
        begin = info.data.get("from_")
        if until is not None and begin is not None and seconds_to_ms(until) <= seconds_to_ms(begin):
            raise ValueError(f"expected a time after from ({begin:g}), not {until:g}")
        return until

    def plan(self) -> SlidingPlan:
        """The same in milliseconds, as the planner wants it."""
        return SlidingPlan(
            length_ms=seconds_to_ms(self.length),
            step_ms=seconds_to_ms(self.step),
            fps=self.fps,
            from_ms=seconds_to_ms(self.from_),
            until_ms=None if self.until is None else seconds_to_ms(self.until),
        )


class PipelineSettings(Section):
    model: str
    """A name below `[models]`."""
    task: Literal["events"] = "events"
    labels: Labels
    teams: Words = ("home", "away")
    prompt: str = EVENTS_PROMPT
    gap_seconds: Annotated[float, Field(ge=0, le=86400)] = 3.0
    window: WindowSettings = Field(default_factory=WindowSettings)
    generation: GenerationSettings = Field(default_factory=GenerationSettings)

    @field_validator("prompt")
    @classmethod
    def _fillable(cls, prompt: str, info: ValidationInfo) -> str:
        if not prompt.strip():
            raise ValueError("the prompt is empty; leave the key out for the default one")
        if unknown := unknown_variables(prompt):
            known = ", ".join(f"{{{name}}}" for name in sorted(JOB_VARIABLES | WINDOW_VARIABLES))
            names = ", ".join(f"{{{name}}}" for name in unknown)
            raise ValueError(f"nothing can be filled in for {names}; known are {known}")
        if "{teams}" in prompt and info.data.get("teams") == ():
            raise ValueError("the prompt asks for {teams}, and teams is empty; name teams or write another prompt")
        return prompt


class Settings(Section):
    """All of config.toml. `load_settings` and `parse_settings` make it; the names in it are checked there."""

    paths: PathSettings = Field(default_factory=PathSettings)
    devices: DeviceSettings = Field(default_factory=DeviceSettings)
    inbox: InboxSettings = Field(default_factory=InboxSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    hooks: HookSettings = Field(default_factory=HookSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    models: Mapping[Name, ModelSettings] = Field(default_factory=dict)
    pipelines: Mapping[Name, PipelineSettings] = Field(default_factory=dict)
    _source: Path | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        self._source = (context or {}).get("source")

    @property
    def source(self) -> Path | None:
        """The file these settings come from; None for the built-in defaults."""
        return self._source

    def require_runnable(self) -> None:
        """Raise `ConfigError` unless there is a model and a pipeline to run."""
        missing = [kind for kind in ("model", "pipeline") if not getattr(self, f"{kind}s")]
        if missing:
            where = self.source or "config.toml (no config file was found)"
            raise ConfigError([_HOW_TO_CHOOSE.format(missing=" and no ".join(missing), where=where)])


_HOW_TO_CHOOSE = """\
no {missing} is configured. `vlmd init` proposes a model that fits, and writes both; or add them to {where}, for example

    [models.idefics3]
    hub = "HuggingFaceM4/Idefics3-8B-Llama3"

    [pipelines.soccer]
    model = "idefics3"
    labels = ["Goal", "Corner", "Foul"]

path = "vlmd-demo" takes the toy model that comes with vlmd. It knows only the synthetic game of the demo and
sees nothing in real videos, so it is never chosen unless it is asked for by name."""
