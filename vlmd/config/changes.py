"""What differs between two settings, and whether a running daemon can take it over. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmd.config.keys import NAME, Keys, leaves
from vlmd.config.load import parse_settings
from vlmd.config.settings import Settings

AT_ONCE, AT_RESTART = "at once", "at a restart"

WHEN: Mapping[str, str] = {
    "paths.inbox": AT_RESTART,
    "paths.results": AT_RESTART,
    "paths.state": AT_RESTART,
    "paths.socket": AT_RESTART,
    "paths.models": AT_RESTART,
    "devices.use": AT_RESTART,
    "devices.threads": AT_RESTART,
    "inbox.settle_seconds": AT_ONCE,
    "inbox.rescan_seconds": AT_ONCE,
    "inbox.max_bytes": AT_ONCE,
    "inbox.ignore": AT_ONCE,
    "inbox.default_pipeline": AT_ONCE,
    "devices.idle_unload_seconds": AT_RESTART,
    "hooks.on_done": AT_RESTART,
    "hooks.on_failed": AT_RESTART,
    "hooks.secret_file": AT_RESTART,
    "hooks.timeout_seconds": AT_RESTART,
    "hooks.tries": AT_RESTART,
    "retention.history_days": AT_ONCE,
    "retention.jobs_days": AT_ONCE,
    "retention.answers_days": AT_ONCE,
    "retention.backups_days": AT_ONCE,
    "limits.max_windows": AT_ONCE,
    "limits.max_pixels": AT_ONCE,
    "limits.decoder_memory_bytes": AT_ONCE,
    "limits.decoder_cpu_seconds": AT_ONCE,
    "limits.decoder_stall_seconds": AT_ONCE,
    "limits.decoder_wall_seconds": AT_ONCE,
    "limits.require_sandbox": AT_ONCE,
    "limits.load_seconds": AT_ONCE,
    "limits.progress_seconds": AT_ONCE,
    "limits.window_failures": AT_ONCE,
    "limits.lease_windows": AT_ONCE,
    "limits.stop_seconds": AT_ONCE,
    "limits.start_failures": AT_RESTART,
    "models.*.path": AT_RESTART,
    "models.*.hub": AT_RESTART,
    "models.*.revision": AT_RESTART,
    "models.*.precision": AT_RESTART,
    "models.*.max_batch": AT_RESTART,
    "models.*.attention": AT_RESTART,
    "models.*.adapter": AT_RESTART,
    "models.*.frame_tokens": AT_ONCE,
    "models.*.frame_edge": AT_ONCE,
    "models.*.devices_per_worker": AT_RESTART,
    "pipelines.*.model": AT_ONCE,
    "pipelines.*.task": AT_ONCE,
    "pipelines.*.labels": AT_ONCE,
    "pipelines.*.teams": AT_ONCE,
    "pipelines.*.prompt": AT_ONCE,
    "pipelines.*.choices": AT_ONCE,
    "pipelines.*.language": AT_ONCE,
    "pipelines.*.question": AT_ONCE,
    "pipelines.*.context": AT_ONCE,
    "pipelines.*.of": AT_ONCE,
    "pipelines.*.constrained": AT_ONCE,
    "pipelines.*.calibration": AT_ONCE,
    "pipelines.*.outputs": AT_ONCE,
    "pipelines.*.videos": AT_ONCE,
    "pipelines.*.gap_seconds": AT_ONCE,
    "pipelines.*.window.length": AT_ONCE,
    "pipelines.*.window.step": AT_ONCE,
    "pipelines.*.window.fps": AT_ONCE,
    "pipelines.*.window.from": AT_ONCE,
    "pipelines.*.window.until": AT_ONCE,
    "pipelines.*.window.plan": AT_ONCE,
    "pipelines.*.window.frames": AT_ONCE,
    "pipelines.*.window.min_frames": AT_ONCE,
    "pipelines.*.window.max_frames": AT_ONCE,
    "pipelines.*.window.context": AT_ONCE,
    "pipelines.*.window.around": AT_ONCE,
    "pipelines.*.window.threshold": AT_ONCE,
    "pipelines.*.window.shortest": AT_ONCE,
    "pipelines.*.generation.max_new_tokens": AT_ONCE,
    "pipelines.*.generation.min_new_tokens": AT_ONCE,
    "pipelines.*.generation.repetition_penalty": AT_ONCE,
    "pipelines.*.generation.beams": AT_ONCE,
    "pipelines.*.generation.temperature": AT_ONCE,
    "pipelines.*.generation.top_p": AT_ONCE,
    "pipelines.*.generation.seed": AT_ONCE,
    "pipelines.*.generation.seconds": AT_ONCE,
}
"""Every key, and when a change of it counts. A part that copies a value at its start makes it `AT_RESTART`."""


@dataclass(frozen=True)
class Changes:
    """Keys by their path, sorted."""

    at_once: list[Keys]
    at_restart: list[Keys]


def changes(old: Settings, new: Settings, loaded: Collection[str] = ()) -> Changes:
    """What `new` says otherwise. Of models only `loaded` ones wait for a restart: another is read when it is used."""
    before, after = dict(leaves(as_data(old))), dict(leaves(as_data(new)))
    differing = sorted(keys for keys in before.keys() | after.keys() if before.get(keys) != after.get(keys))
    waiting = [keys for keys in differing if _waits(keys, new, loaded)]
    return Changes([keys for keys in differing if keys not in waiting], waiting)


def kept(old: Settings, new: Settings, found: Changes) -> Settings:
    """`new`, but for the keys that wait for a restart: these stay as they were."""
    before, after = dict(leaves(as_data(old))), dict(leaves(as_data(new)))
    for keys in found.at_restart:
        after.pop(keys, None)
        if keys in before:
            after[keys] = before[keys]
    return parse_settings(_nested(after), source=new.source)


def as_data(settings: Settings) -> dict[str, Any]:
    """Settings as a file would hold them; what is unset is left out."""
    data: dict[str, Any] = _plain(settings.model_dump(by_alias=True, exclude_none=True))
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def pattern(keys: Keys) -> str:
    """The key as `WHEN` names it."""
    named = keys[0] in ("models", "pipelines")
    return ".".join((keys[0], NAME, *keys[2:]) if named else keys)


def _waits(keys: Keys, new: Settings, loaded: Collection[str]) -> bool:
    if keys[0] == "models":
        if keys[1] not in loaded:
            return False
        if keys[1] not in new.models:
            return True
    return WHEN.get(pattern(keys), AT_RESTART) == AT_RESTART


def _nested(flat: Mapping[Keys, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for (*sections, last), value in flat.items():
        table = data
        for name in sections:
            table = table.setdefault(name, {})
        table[last] = value
    return data
