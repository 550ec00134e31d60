"""The keys of config.toml, their defaults and their bounds. `config.toml` explains them to people."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

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
    ModelPath,
    Name,
    Revision,
    Seconds,
)
from vlmd.config.pipeline import PipelineSettings
from vlmd.config.section import Section
from vlmd.core.errors import ConfigError
from vlmd.core.messages.decoder import DecodeLimits

SOCKET_PATH_BYTES = 107
"""Longest path a Unix socket can have on Linux."""


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
    ignore: Globs = (".*", "*.part", "*.tmp", "*.crdownload", "*~", "Labels*.json", "*.npy", "*.ini")
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

    def models_in_use(self) -> list[str]:
        """Every model that a pipeline asks, once; an ensemble asks none."""
        return list(dict.fromkeys(pipeline.model for pipeline in self.pipelines.values() if pipeline.model))

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
