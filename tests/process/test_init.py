"""`vlmd init` as a real process: from nothing to answers, with a hub on the loopback, on a CPU; and what it refuses."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests import hub as hubs
from tests.models.checkpoints import shared_checkpoint, shared_folder
from tests.nvml import stub_nvml
from vlmd.demo.render import render_match

SMALL = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct"
NAME = "smolvlm2-500m-video-instruct"
NOWHERE = "http://127.0.0.1:9"
QUICK = [
    *("--set", "pipelines.soccer.generation.max_new_tokens=8"),
    *("--set", "pipelines.soccer.window.fps=1.0"),
    *("--set", "devices.threads=1"),
]


@dataclass
class Home:
    """A user's home folder on a machine without a GPU, or with what `variables` make of it."""

    folder: Path
    variables: dict[str, str]

    @property
    def config(self) -> Path:
        return self.folder / ".config" / "vlmd" / "config.toml"

    def environment(self, **variables: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "VLMD_", "XDG_"))}
        kept |= {"HOME": str(self.folder), "NO_PROXY": "127.0.0.1", "HF_ENDPOINT": NOWHERE, "COLUMNS": "80"}
        return kept | self.variables | variables

    def vlmd(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "vlmd", *arguments]
        ran = subprocess.run(
            command, env=self.environment(**variables), cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        assert "Traceback" not in ran.stderr, ran.stderr
        return ran

    def done(self, *arguments: str, **variables: str) -> dict[str, Any]:
        """The document of an init that must go well."""
        ran = self.vlmd(*arguments, "--yes", "--json", **variables)
        assert ran.returncode == 0, ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    def refused(self, *arguments: str, code: int = 2, **variables: str) -> str:
        """The last line of an init that must fail."""
        ran = self.vlmd("init", *arguments, **variables)
        assert ran.returncode == code, ran
        return ran.stderr.splitlines()[-1]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "home"
    folder.mkdir()
    return Home(folder, {"CUDA_VISIBLE_DEVICES": ""})


@pytest.fixture
def with_gpus(home: Home, tmp_path: Path) -> Home:
    """The driver's stub tells of one GPU of 24 GiB; there is nothing behind it."""
    home.variables = stub_nvml(tmp_path, CAPABILITY="89")
    home.variables |= {name: value for name, value in os.environ.items() if name == "VLMD_TEST_VIDEOS"}
    return home


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hubs.Hub]:
    checkpoint = shared_checkpoint(shared_folder(tmp_path_factory), "smolvlm2")
    with hubs.running() as hub:
        hub.add(SMALL, hubs.files_of(checkpoint))
        yield hub


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "match.mp4"
    render_match(path, 1, 12, fps=5)
    return path


def test_from_nothing_to_five_answers_and_again_from_where_it_was(home: Home, hub: hubs.Hub, film: Path) -> None:
    network = {"HF_ENDPOINT": hub.address}
    hub.faults = [hubs.Fault("cdn", status=403)]
    ran = home.vlmd(*QUICK, "init", "--yes", "--video", str(film), **network)
    assert ran.returncode == 1
    assert f"{home.config} stays; `vlmd init` goes on from here" in ran.stderr
    assert f"the hub refuses {SMALL}" in ran.stderr.splitlines()[-1]
    written = home.config.read_text()

    said = home.done(*QUICK, "init", "--video", str(film), **network)
    assert (said["config"], said["written"], said["model"]) == (str(home.config), False, NAME)
    assert said["verified"]["ok"] and len(said["answers"]) == 5
    assert home.config.read_text() == written
    assert home.vlmd("config", "check").returncode == 0
    assert (home.folder / "vlmd" / "inbox" / "soccer").is_dir()

    asked = len(hub.asked)
    ran = home.vlmd("init", **network)
    assert ran.returncode == 0, ran.stderr
    assert len(hub.asked) == asked
    for words in ("lies here already", "passed its checks before", "vlmd try soccer VIDEO", "\n    vlmd run\n"):
        assert words in ran.stdout, ran.stdout
    assert "is there already; going on with its pipeline soccer" in ran.stderr


def test_a_model_that_does_not_pass_its_checks_is_told_and_tried_all_the_same(
    home: Home, hub: hubs.Hub, film: Path, tmp_path: Path
) -> None:
    blind = tmp_path / "blind"
    for name, content in hub.repositories[SMALL].commits[hub.repositories[SMALL].branches["main"]].items():
        (blind / name).parent.mkdir(parents=True, exist_ok=True)
        (blind / name).write_bytes(content)
    weights = load_file(blind / "model.safetensors")
    (projection,) = [name for name in weights if name.startswith("model.connector")]
    weights[projection] = np.zeros_like(weights[projection])
    save_file(weights, blind / "model.safetensors", metadata={"format": "pt"})
    hub.add("someone/blind", hubs.files_of(blind))
    model = ["--model", "someone/blind", "--video", str(film)]
    ran = home.vlmd(*QUICK, "init", "--yes", "--json", *model, HF_ENDPOINT=hub.address)
    assert ran.returncode == 1
    assert "blind did not pass its checks (sees pictures)" in ran.stderr.splitlines()[-1]
    said = json.loads(ran.stdout)
    assert [check["name"] for check in said["verified"]["checks"] if not check["ok"]] == ["sees pictures"]
    assert len(said["answers"]) == 5


def test_what_a_machine_without_a_gpu_is_told(home: Home) -> None:
    ran = home.vlmd("init", "--yes", "--no-fetch")
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert "no GPU is used" in lines[0]
    assert "On a CPU only the smallest models are of use" in ran.stdout
    assert any(line.strip().startswith("1 SmolVLM2-500M-Video-Instruct") for line in lines)
    assert any(line.strip().startswith("2 SmolVLM2-256M-Video-Instruct") for line in lines)
    assert f"    vlmd models fetch {NAME}" in lines
    assert "…" not in ran.stdout
    assert max(len(line) for line in lines if str(home.folder) not in line and "CUDA" not in line) <= 80, ran.stdout
    config = home.config.read_text()
    assert 'use = ["cpu"]' in config and f'hub = "{SMALL}"' in config and 'precision = "auto"' in config


def test_without_a_network_it_is_one_sentence_and_the_file_stays(home: Home) -> None:
    sentence = home.refused("--yes", "--model", "someone/tiny", code=1)
    assert f"{NOWHERE} cannot be reached" in sentence and "is there a network?" in sentence
    assert 'hub = "someone/tiny"' in home.config.read_text()


def test_a_gpu_is_looked_at(with_gpus: Home) -> None:
    said = with_gpus.done("init", "--no-fetch")
    assert said["devices"] == [
        {"name": "cuda:0", "label": "NVIDIA Stub 0", "free_bytes": 23 << 30, "total_bytes": 24 << 30}
    ]
    chosen = said["chosen"]
    assert (chosen["model"], chosen["precision"]) == ("Qwen/Qwen3-VL-8B-Instruct", "nf4")
    parts = [chosen[f"{part}_bytes"] for part in ("weights", "cache", "activations", "context")]
    assert sum(parts) == chosen["total_bytes"] <= 23 << 30
    config = with_gpus.config.read_text()
    assert 'use = "auto"' in config and 'precision = "nf4"' in config and f"\nmax_batch = {chosen['batch']}" in config
    assert said["fetched"] is False and "answers" not in said


def test_before_ampere_it_computes_in_fp16(with_gpus: Home) -> None:
    turing = {"VLMD_STUB_CAPABILITY": "75", "VLMD_STUB_GIB": "16"}
    assert "7.5) has no bf16" in with_gpus.refused("--yes", "--no-fetch", "--precision", "bf16", **turing)
    ran = with_gpus.vlmd("init", "--yes", "--no-fetch", "--model", "qwen3-vl-8b-instruct", **turing)
    assert "nf4 weights, computed in fp16" in ran.stdout, ran
    assert 'precision = "auto"' in with_gpus.config.read_text()


def test_what_does_not_fit_is_refused_with_what_does(with_gpus: Home) -> None:
    small = {"VLMD_STUB_GIB": "6"}
    told = with_gpus.refused("--yes", "--no-fetch", "--model", "idefics2-8b", **small)
    assert "idefics2-8b takes" in told and "GB are free; take HuggingFaceTB/SmolVLM2" in told
    told = with_gpus.refused("--yes", "--no-fetch", "--model", "OpenGVLab/InternVL3_5-4B")
    assert "take OpenGVLab/InternVL3_5-4B-HF" in told
    assert "did you mean" in with_gpus.refused("--yes", "--no-fetch", "--model", "idefics2")
    assert not with_gpus.config.exists()


def test_a_driver_that_is_sick_is_no_reason_for_the_cpu(with_gpus: Home) -> None:
    told = with_gpus.refused("--yes", "--no-fetch", VLMD_STUB_ERRORS="nvmlInit_v2=9")
    assert "the NVIDIA driver says: Driver Not Loaded; see `vlmd doctor`" in told
    assert "(MIG)" in with_gpus.refused("--yes", "--no-fetch", VLMD_STUB_MIG="0")
    assert not with_gpus.config.exists()
    assert with_gpus.done("init", "--no-fetch", CUDA_VISIBLE_DEVICES="")["devices"][0]["name"] == "cpu"


def test_without_a_terminal_it_says_which_options_it_needs(home: Home) -> None:
    assert "add --yes to take what is proposed, with --model" in home.refused("--no-fetch")
    assert '--labels "Fall, Sit, Stand"' in home.refused("--yes", "--no-fetch", "--pipeline", "physio")
    assert '"None" cannot be a label' in home.refused("--yes", "--no-fetch", "--labels", "None")
    assert "does not exist" in home.refused("--yes", "--video", "nowhere.mp4")
    assert not home.config.exists()


def test_a_file_that_is_there_stays_unless_forced(home: Home) -> None:
    own = home.folder / "own.toml"
    named = ("--yes", "--no-fetch", "--config", str(own))
    assert home.vlmd("init", *named).returncode == 0
    before = own.read_text()
    for option, value, told in (
        ("--model", "idefics2-8b", "uses smolvlm2"), ("--precision", "nf4", 'has precision "auto"'),
        ("--labels", "Goal", "looks for other labels"), ("--pipeline", "physio", "has no pipeline physio"),
    ):  # fmt: skip
        assert told in home.refused(*named, option, value)
    ran = home.vlmd("init", *named, "--force", "--pipeline", "physio", "--labels", "Fall, Sit")
    assert ran.returncode == 0 and f"vlmd --config {own} run" in ran.stdout, ran
    (kept,) = home.folder.glob("own.toml.before-*")
    assert kept.read_text() == before and str(kept) in ran.stdout.replace("\n", "")
    assert "[pipelines.physio]" in own.read_text()
    own.write_text("[devices]\nuse = 'auto'\n")
    assert "has no model or no pipeline; add them, or --force" in home.refused(*named)
    assert not home.config.exists()


def test_on_a_terminal_it_asks(home: Home, with_gpus: Home) -> None:
    answers = ["7", "nonsense", "2", "Physio Therapy", "physio", ",", "Fall, Sit down", "y"]
    screen, code = talk(home, answers, "init", "--no-fetch")
    assert code == 0, screen
    for words in ("there is no number 7", "nonsense is no model", "small letters", "Write it?", "vlmd run"):
        assert words in screen, screen
    config = home.config.read_text()
    assert 'hub = "OpenGVLab/InternVL3_5-8B-HF"' in config and 'labels = ["Fall", "Sit down"]' in config
    home.config.unlink()
    screen, code = talk(home, ["1", "", "", "n"], "init", "--no-fetch")
    assert code == 1 and "nothing was written" in screen and not home.config.exists()


def talk(home: Home, answers: list[str], *arguments: str) -> tuple[str, int]:
    """What a terminal of 80 columns shows, and the exit code; each answer is typed once a question is asked."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "vlmd", *arguments]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=home.environment(), cwd=home.folder
    )
    os.close(theirs)
    screen, left, end = "", list(answers), time.monotonic() + 120
    try:
        while chunk := _read(ours, end):
            screen += chunk
            if left and screen.rstrip("\r\n ").endswith(("]:", "between:")):
                os.write(ours, f"{left.pop(0)}\n".encode())
        code = process.wait(timeout=10)
    finally:
        process.kill()
        os.close(ours)
    assert not left, screen
    return " ".join(screen.split()), code


def _read(terminal: int, end: float) -> str:
    """What is written next; nothing at the end."""
    assert select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0], "it says nothing more"
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:  # the other end is closed
        return ""
