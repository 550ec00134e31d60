"""A hub that holds the demo's model, and a machine that may fetch from it with the real command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import faults
from tests import hub as hubs
from vlmd.weights import demo_folder

NAME = "someone/tiny-vlm"
ROOT = Path(__file__).parents[2]
CONFIG = """
[paths]
inbox = "inbox"
results = "results"
state = "state"
models = "models"
[devices]
use = ["cpu"]
[models.tiny]
hub = "someone/tiny-vlm"
[models.demo]
path = "vlmd-demo"
[pipelines.soccer]
model = "tiny"
labels = ["Goal", "Corner"]
"""


@dataclass
class Machine:
    """A folder with a configuration, and the command line over it."""

    folder: Path
    hub: hubs.Hub

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def home(self) -> Path:
        """Where everything of the tiny model lies."""
        return self.models / "someone--tiny-vlm"

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "vlmd", "-c", str(self.config), *arguments]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "VLMD_"))}
        environ = kept | {"HF_ENDPOINT": self.hub.address, "NO_PROXY": "127.0.0.1"} | environment
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=ROOT, env=environ, preexec_fn=_interruptible, **pipes)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=100)
        finally:
            process.kill()
        assert "Traceback" not in err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def fetch(self, *arguments: str, **environment: str) -> Path:
        """The folder of a fetch that must go well."""
        done = self.run("models", "fetch", *(arguments or ("tiny",)), **environment)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip())

    def refused(self, *arguments: str, code: int = 1, **environment: str) -> str:
        """The last line of a command that must fail."""
        done = self.run("models", *arguments, **environment)
        assert done.returncode == code, done
        assert done.stdout == ""
        return done.stderr.splitlines()[-1]

    def listed(self) -> list[dict[str, Any]]:
        done = self.run("models", "list", "--json")
        assert done.returncode == 0, done.stderr
        models: list[dict[str, Any]] = json.loads(done.stdout)["models"]
        return models


def _interruptible() -> None:
    """Also where the tests themselves run in a shell's background, which ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that puts faults of the disk under a process."""
    try:
        return faults.build(tmp_path_factory.mktemp("shim"))
    except faults.NoCompiler as error:
        pytest.skip(str(error))


@pytest.fixture
def hub() -> Iterator[hubs.Hub]:
    with hubs.running() as hub:
        hub.add(NAME, hubs.files_of(demo_folder()))
        yield hub


@pytest.fixture
def machine(tmp_path: Path, hub: hubs.Hub) -> Machine:
    (tmp_path / "config.toml").write_text(CONFIG)
    return Machine(tmp_path, hub)
