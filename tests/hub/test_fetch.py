"""`vlmd models fetch` as a real process against a hub on the loopback: what arrives, what is refused, what is kept."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import faults
from tests.hub import Fault, files_of, sha256
from tests.hub.conftest import NAME, Machine
from vlmd.config import load_settings
from vlmd.supervisor.models import model_spec
from vlmd.weights import demo_folder

WEIGHTS = "model.safetensors"
CODE = {"modeling_x.py": b"raise SystemExit", "pytorch_model.bin": b"\x80\x04.", "model.gguf": b"GGUF"}


def until(done: Callable[[], bool], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def nothing_but_partial(machine: Machine) -> bool:
    return all(path.name.endswith(".partial") for path in machine.home.iterdir())


def test_what_is_fetched_is_the_repository_without_what_could_run(machine: Machine) -> None:
    commit = machine.hub.add(NAME, files_of(demo_folder()) | CODE)
    folder = machine.fetch()
    assert folder == machine.home / commit
    assert names(folder) == {*(names(demo_folder()) - {"README.md"}), "vlmd.json"}
    assert all(
        (folder / name).read_bytes() == (demo_folder() / name).read_bytes() for name in names(folder) - {"vlmd.json"}
    )
    record = json.loads((folder / "vlmd.json").read_text())
    assert (record["hub"], record["commit"], record["revisions"]) == (NAME, commit, ["main"])
    assert record["files"][WEIGHTS]["sha256"] == sha256((demo_folder() / WEIGHTS).read_bytes())
    assert not any("modeling_x" in asked.path or asked.path.endswith(".bin") for asked in machine.hub.asked)


def test_the_daemon_sees_the_same_model_as_in_a_folder(machine: Machine) -> None:
    problem = machine.run("config", "check")
    assert problem.returncode == 78 and "run `vlmd models fetch tiny`" in problem.stderr
    machine.fetch()
    assert machine.run("config", "check").returncode == 0
    settings = load_settings(machine.config)
    fetched, own = (model_spec(name, settings) for name in ("tiny", "demo"))
    assert (fetched.revision, fetched.family, fetched.weight_bytes) == (own.revision, own.family, own.weight_bytes)


def test_it_is_pinned_until_an_update_is_asked_for(machine: Machine) -> None:
    first = machine.fetch()
    second = machine.hub.add(NAME, files_of(demo_folder()) | {"chat_template.jinja": b"{{ messages }}{# image #}"})
    asked, sent = len(machine.hub.asked), machine.hub.sent("cdn")
    assert machine.fetch() == first and len(machine.hub.asked) == asked
    assert machine.fetch("tiny", "--update") == machine.home / second
    assert machine.hub.sent("cdn") == sent  # the weights are the same, and here already
    assert machine.fetch("tiny", "--update") == machine.home / second


def test_a_revision_is_kept_apart(machine: Machine) -> None:
    machine.hub.add(NAME, files_of(demo_folder()) | {"chat_template.jinja": b"an old image"}, branch="v1")
    folder = machine.fetch(NAME, "--revision", "v1")
    assert (folder / "chat_template.jinja").read_bytes() == b"an old image"
    assert machine.fetch() != folder
    machine.config.write_text(machine.config.read_text().replace('tiny-vlm"', 'tiny-vlm"\nrevision = "v1"'))
    assert machine.fetch() == folder
    assert "has no revision v9" in machine.refused("fetch", NAME, "--revision", "v9")


def test_killed_in_the_middle_of_a_file_it_goes_on_there(machine: Machine) -> None:
    machine.hub.seconds_a_chunk = 0.05
    size = (demo_folder() / WEIGHTS).stat().st_size
    process = machine.start("models", "fetch", "tiny")
    until(lambda: _arrived(machine) > 500_000, "half a megabyte arrives")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert nothing_but_partial(machine)
    assert [model["state"] for model in machine.listed() if "tiny" in model["names"] or model["hub"]] == [
        "partial",
        "not fetched",
    ]
    have = _arrived(machine)
    assert 500_000 < have < size
    machine.hub.seconds_a_chunk = 0.0
    machine.hub.asked.clear()
    machine.hub.add(NAME, files_of(demo_folder()) | {"chat_template.jinja": b"moved on"})
    folder = machine.fetch()
    assert (folder / WEIGHTS).read_bytes() == (demo_folder() / WEIGHTS).read_bytes()
    (again,) = [asked for asked in machine.hub.asked if asked.server == "cdn"]
    assert again.range == f"bytes={have}-" and again.sent == size - have
    assert (folder / "chat_template.jinja").read_bytes() != b"moved on"


def _arrived(machine: Machine) -> int:
    return sum(path.stat().st_size for path in machine.home.glob("*.partial/model.safetensors.part"))


def test_interrupted_it_says_that_what_arrived_is_kept(machine: Machine) -> None:
    machine.hub.seconds_a_chunk = 0.05
    process = machine.start("models", "fetch", "tiny")
    until(lambda: _arrived(machine) > 100_000, "something arrives")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert "what has arrived is kept" in err and nothing_but_partial(machine)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault("hub:/api", status=429, headers={"retry-after": "1"}), "too many requests (429); trying again in 1 s"),
        (Fault("hub:/api", status=429, headers={"ratelimit": '"api";r=0;t=1'}), "(429); trying again in 1 s"),
        (Fault("resolve", status=503, headers={"retry-after": "0"}), "the hub answers 503; trying again in 0 s"),
        (Fault("cdn", status=500), f"{NAME}, {WEIGHTS}: the hub answers 500; trying again in 1 s"),
        (Fault("cdn", cut_after=1_000_000), f"{NAME}, {WEIGHTS}: the connection broke off"),
    ],
)
def test_what_passes_is_waited_out_and_told(machine: Machine, fault: Fault, told: str) -> None:
    machine.hub.faults = [fault]
    done = machine.run("models", "fetch", "tiny")
    assert done.returncode == 0 and told in done.stderr
    loaded = [asked for asked in machine.hub.asked if asked.server == "cdn"]
    assert sum(asked.sent for asked in loaded) == (demo_folder() / WEIGHTS).stat().st_size


def test_a_hub_that_never_gets_further_is_given_up(machine: Machine) -> None:
    machine.hub.ranges = False
    machine.hub.faults = [Fault("cdn", times=9, cut_after=500_000)]
    assert "broke off" in (told := machine.refused("fetch", "tiny")) and "5 times in a row" in told
    assert nothing_but_partial(machine)
    machine.hub.faults = []
    assert (machine.fetch() / WEIGHTS).stat().st_size == (demo_folder() / WEIGHTS).stat().st_size


def test_a_file_that_arrives_wrong_is_no_model(machine: Machine) -> None:
    for fault, name in ((Fault("tokenizer.json", wrong=True), "tokenizer.json"), (Fault("cdn", wrong=True), WEIGHTS)):
        machine.hub.faults = [fault]
        assert f"{name} of {NAME} arrived otherwise than the hub describes it" in machine.refused("fetch", "tiny")
        assert nothing_but_partial(machine)
    assert machine.fetch().name in machine.hub.repositories[NAME].commits


def test_a_part_that_was_damaged_here_is_loaded_anew(machine: Machine) -> None:
    machine.hub.faults = [Fault("cdn", times=9, cut_after=0)]
    machine.refused("fetch", "tiny")
    (partial,) = machine.home.glob("*.partial")
    (partial / f"{WEIGHTS}.part").write_bytes(b"\0" * 1000)
    machine.hub.faults = []
    assert (machine.fetch() / WEIGHTS).read_bytes() == (demo_folder() / WEIGHTS).read_bytes()


def test_what_has_arrived_is_not_given_up_for_a_page(machine: Machine) -> None:
    machine.hub.faults = [Fault("cdn", cut_after=1_000_000), Fault("cdn", page=True)]
    done = machine.run("models", "fetch", "tiny")
    assert done.returncode == 0 and "something else came, of 19 bytes" in done.stderr
    assert machine.hub.sent("cdn") == (demo_folder() / WEIGHTS).stat().st_size


def test_the_token_goes_to_the_hub_alone(machine: Machine, tmp_path: Path) -> None:
    machine.hub.repositories[NAME].gated = True
    told = machine.refused("fetch", "tiny")
    assert "is gated; accept its licence" in told and f"{machine.hub.address}/{NAME}" in told and "HF_TOKEN" in told
    assert "does not know this HF_TOKEN" in machine.refused("fetch", "tiny", HF_TOKEN="hf_wrong")
    machine.hub.tokens = {"hf_right"}
    (tmp_path / "hf_token").write_text("hf_right\n")
    machine.fetch("tiny", CREDENTIALS_DIRECTORY=str(tmp_path))
    seen = {(asked.server, asked.token) for asked in machine.hub.asked[-4:]}
    assert ("cdn", None) in seen and ("hub", "Bearer hf_right") in seen and ("cdn", "Bearer hf_right") not in seen
    assert not list(tmp_path.glob("models/**/*hf_right*"))


def test_a_licence_that_was_not_accepted(machine: Machine) -> None:
    machine.hub.tokens = {"hf_right"}
    machine.hub.faults = [Fault("resolve", status=403, headers={"x-error-code": "GatedRepo"})]
    told = machine.refused("fetch", "tiny", HF_TOKEN="hf_right")
    assert "this HF_TOKEN may not read it yet; accept its licence" in told and "hf_right" not in told


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("fetch", "no/such"), 1, "the hub has no no/such, or it is private, which takes HF_TOKEN"),
        (("fetch", "OpenGVLab/InternVL3_5-4B"), 1, "fetch OpenGVLab/InternVL3_5-4B-HF instead"),
        (("fetch", "demo"), 2, "demo lies in a folder of its own"),
        (("fetch", "tynie"), 2, '"tynie" is no configured model (those of the hub are: tiny)'),
        (("remove", "tiny"), 2, "nothing of someone/tiny-vlm is here"),
    ],
)
def test_what_makes_no_sense_is_answered(machine: Machine, arguments: tuple[str, ...], code: int, told: str) -> None:
    assert told in machine.refused(*arguments, code=code)


def test_no_network(machine: Machine) -> None:
    told = machine.refused("fetch", "tiny", HF_ENDPOINT="http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in told and "is there a network?" in told
    assert 'HF_ENDPOINT is "nonsense"' in machine.refused("fetch", "tiny", HF_ENDPOINT="nonsense")


def config_of(**changed: object) -> bytes:
    config = json.loads((demo_folder() / "config.json").read_text()) | changed
    return json.dumps(config).encode()


@pytest.mark.parametrize(
    ("changed", "gone", "told"),
    [
        ({"pytorch_model.bin": b"\x80"}, [WEIGHTS], "its weights are pickles, which can run code"),
        ({"a.gguf": b"GGUF"}, ["config.json"], "is no checkpoint of transformers"),
        ({"adapter_config.json": b"{}"}, ["config.json"], "is an adapter, not a model"),
        ({"config.json": config_of(architectures=["X"], auto_map={})}, [], "X asks for code of its own"),
        (
            {"config.json": config_of(architectures=["InternVLChatModel"]), "modeling.py": b""},
            [],
            "take the repository whose name ends in -HF",
        ),
        ({}, ["tokenizer.json"], "there is no tokenizer"),
        ({}, ["processor_config.json"], "there is no processor"),
        ({"config.json": b"<html>"}, [], "config.json of someone/tiny-vlm is no JSON"),
        (
            {"model.safetensors.index.json": b'{"weight_map": {"a": "../x.safetensors"}}'},
            [WEIGHTS],
            "names something that is no file beside it",
        ),
        (
            {"model.safetensors.index.json": b'{"weight_map": {"a": "x.safetensors"}}'},
            [WEIGHTS],
            "its index names x.safetensors, which is not there",
        ),
    ],
)
def test_a_repository_that_vlmd_cannot_use_is_refused_before_anything_is_loaded(
    machine: Machine, changed: dict[str, bytes], gone: list[str], told: str
) -> None:
    files = {name: content for name, content in files_of(demo_folder()).items() if name not in gone} | changed
    machine.hub.add(NAME, files)
    assert told in machine.refused("fetch", "tiny")
    assert machine.hub.sent("cdn") == 0 and not machine.home.exists()


def test_two_at_once_are_one_after_another(machine: Machine) -> None:
    machine.hub.seconds_a_chunk = 0.2
    process = machine.start("models", "fetch", "tiny")
    until(lambda: _arrived(machine) > 0, "something arrives")
    assert "another `vlmd models` is at someone/tiny-vlm" in machine.refused("fetch", "tiny")
    assert "another `vlmd models` is at someone/tiny-vlm" in machine.refused("remove", "tiny", "--force")
    assert process.wait(60) == 0
    process.communicate()


def test_a_folder_that_may_not_be_written(machine: Machine) -> None:
    (machine.folder / "models").write_text("a file")
    assert "models cannot be written to" in machine.refused("fetch", "tiny")


def test_a_disk_that_is_too_small_is_told_before_anything_is_loaded(machine: Machine, too_small: None) -> None:
    told = machine.refused("fetch", "tiny")
    assert "someone/tiny-vlm takes 3.7 MB more" in told and "make room for" in told
    assert machine.hub.sent("cdn") == 0


@pytest.fixture
def too_small(machine: Machine) -> Iterator[None]:
    """A disk of 2 MB under the models."""
    machine.models.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(machine.models)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting takes root")
    yield
    subprocess.run(["umount", str(machine.models)], check=True)


def test_a_disk_that_fills_up_meanwhile_costs_nothing_that_has_arrived(machine: Machine, shim: Path) -> None:
    full = faults.environment(shim, machine.models, FAIL="write:ENOSPC:30-999")
    told = machine.refused("fetch", "tiny", **full)
    assert "is full; make room and run it again, what has arrived is kept" in told
    have = _arrived(machine)
    assert have > 0 and nothing_but_partial(machine)
    machine.fetch()
    assert machine.hub.asked[-1].range == f"bytes={have}-"


@pytest.mark.timeout(280)
def test_killed_at_any_side_effect_the_next_fetch_ends_it(machine: Machine, shim: Path) -> None:
    """A folder that has its name is whole, whenever the process ended."""
    original, killed = (demo_folder() / WEIGHTS).read_bytes(), 0
    for number in itertools.count(1, 11):
        process = machine.start(
            "models", "fetch", "tiny", **faults.environment(shim, machine.models, KILL=f"{number}:before")
        )
        process.communicate(timeout=60)
        whole = [path for path in machine.home.glob("*") if not path.suffix]
        assert all((path / WEIGHTS).read_bytes() == original and (path / "vlmd.json").exists() for path in whole)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        killed += 1
        assert (machine.fetch() / WEIGHTS).read_bytes() == original
        shutil.rmtree(machine.models)
    assert killed > 4


def test_a_repository_that_was_renamed(machine: Machine) -> None:
    machine.hub.renamed["before/name"] = NAME
    assert machine.fetch("before/name").parent == machine.models / "before--name"


def test_copied_to_a_machine_without_a_network(machine: Machine) -> None:
    folder = machine.fetch()
    machine.models.rename(machine.folder / "elsewhere")
    machine.models.mkdir()
    shutil.copytree(machine.folder / "elsewhere" / machine.home.name, machine.home)
    assert machine.run("config", "check", HF_ENDPOINT="http://127.0.0.1:9").returncode == 0
    assert machine.fetch("tiny", HF_ENDPOINT="http://127.0.0.1:9") == folder
