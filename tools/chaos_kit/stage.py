"""Where one daemon lives: its folders, its config file, and the script of its scripted workers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vlmd.demo.game import LABELS, TEAMS
from vlmd.demo.stage import FRAME_EDGE

PIPELINE = "match"
MAX_BATCH = 4
"""Windows the model answers at once."""

Model = Literal["scripted", "demo"]
Sections = dict[str, dict[str, Any]]

_COMMON: Sections = {
    "paths": {"inbox": "inbox", "results": "results", "state": "state"},
    "inbox": {"settle_seconds": 0.3, "rescan_seconds": 2.0},
    "limits": {"lease_windows": 8},
}
_SCRIPTED: Sections = {
    "models.it": {"path": "model", "max_batch": MAX_BATCH, "frame_edge": 64},
    f"pipelines.{PIPELINE}": {"model": "it", "labels": ["Goal", "Yellow card", "Substitution"]},
    f"pipelines.{PIPELINE}.window": {"length": 1.0, "step": 0.5, "fps": 4.0},
}
_DEMO: Sections = {
    "models.it": {"path": "vlmd-demo", "max_batch": MAX_BATCH, "frame_edge": FRAME_EDGE, "precision": "fp32"},
    f"pipelines.{PIPELINE}": {"model": "it", "labels": list(LABELS), "teams": list(TEAMS)},
}


@dataclass
class Stage:
    """A scratch folder for one daemon. `script` is written anew by `save_script`; workers read it when they start."""

    folder: Path
    script: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox" / PIPELINE

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def database(self) -> Path:
        return self.state / "vlmd.db"

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "VLMD_SCRIPT": str(self.folder / "script.json")}

    def save_script(self, **changes: Any) -> None:
        self.script.update(changes)
        folder = self.folder / "script"
        folder.mkdir(exist_ok=True)
        (self.folder / "script.json").write_text(json.dumps({"folder": str(folder), **self.script}))

    def diary(self, name: str) -> list[dict[str, Any]]:
        """What the scripted workers wrote down: "loads", or "asked" with a line for every batch."""
        path = self.folder / "script" / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def asked(self) -> list[dict[str, Any]]:
        """Every window the scripted workers were asked, as often as they were."""
        return [window for batch in self.diary("asked") for window in batch["windows"]]

    def drop(self, video: Path, name: str | bytes | None = None) -> Path:
        """Put a video into the inbox, in one step; `name` may hold folders, and any bytes."""
        target = self.inbox / os.fsdecode(name or video.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(".dropped.part")
        partial.write_bytes(video.read_bytes())
        partial.rename(target)
        return target


def set_up(folder: Path, workers: int = 1, kind: Model = "scripted", **changes: Mapping[str, Any]) -> Stage:
    """A fresh stage; `changes` replace single keys of a section, as in `limits={"progress_seconds": 1.0}`."""
    folder.mkdir(parents=True, exist_ok=True)
    stage = Stage(folder)
    own = {"devices": {"use": ["cpu"] * workers}, **(_SCRIPTED if kind == "scripted" else _DEMO)}
    sections = {name: dict(keys) for name, keys in {**_COMMON, **own}.items()}
    for name, keys in changes.items():
        sections.setdefault(_SHORT.get(name, name), {}).update(keys)
    stage.config.write_text(as_toml(sections))
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "config.json").write_text('{"architectures": ["Scripted"]}')
    stage.inbox.mkdir(parents=True, exist_ok=True)
    stage.save_script()
    return stage


_SHORT = {"model": "models.it", "pipeline": f"pipelines.{PIPELINE}", "window": f"pipelines.{PIPELINE}.window"}


def as_toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Sections of plain values; what JSON and TOML write alike."""
    parts = []
    for name, keys in sections.items():
        parts += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()), ""]
    return "\n".join(parts)
