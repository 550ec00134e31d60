"""What is probed in processes of their own: they may answer, hang, crash or lie; nobody else is harmed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.nvml import stub_nvml
from vlmd.doctor import gpu
from vlmd.doctor.child import NoAnswer, ask
from vlmd.doctor.findings import Finding


def module(folder: Path, code: str) -> dict[str, str]:
    """A module `probed` with this code, as the environment of a process that finds it."""
    (folder / "probed.py").write_text(f"import os, sys, time\nfd = int(sys.argv[1])\n{code}\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def test_an_answer(tmp_path: Path) -> None:
    environ = module(tmp_path, "print('noise'); os.write(fd, b'{\"a\": 1}')")
    assert ask("probed", seconds=60, environ=environ) == {"a": 1}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
        ("raise ImportError('libcuda.so.1')", "exit code 1: ImportError: libcuda.so.1"),
        ("sys.exit('a\\x1b[31mb')", r"a\\x1b\[31mb"),
        ("os.write(fd, b'nothing')", "did not say what it found"),
        ("pass", "did not say what it found"),
    ],
)
def test_no_answer(tmp_path: Path, code: str, told: str) -> None:
    with pytest.raises(NoAnswer, match=told):
        ask("probed", seconds=60, environ=module(tmp_path, code))


def test_one_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    code = f"child = os.fork()\nopen({str(tmp_path / 'pids')!r}, 'a').write(f'{{os.getpid()}} ')\ntime.sleep(600)"
    with pytest.raises(NoAnswer, match="did not answer within 5 s"):
        ask("probed", seconds=5, environ=module(tmp_path, code))
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2 and not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGCONT)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_the_driver_with_two_gpus(tmp_path: Path) -> None:
    for gpu_number in (0, 1):
        (tmp_path / f"processes.{gpu_number}").write_text(f"{4000 + gpu_number} {gpu_number + 1 << 30}\n")
    facts = ask("vlmd.doctor.driver", seconds=60, environ=stub_nvml(tmp_path, gpus=2, STATE=str(tmp_path)))
    assert (facts["driver"], facts["cuda"], facts["missing"]) == ("999.1", 12040, False)
    assert [card["free"] >> 30 for card in facts["gpus"]] == [23, 22]
    assert [card["users"] for card in facts["gpus"]] == [
        [{"pid": 4000, "bytes": 1 << 30}],
        [{"pid": 4001, "bytes": 2 << 30}],
    ]
    assert gpu.judged_driver(facts, wanted=True) == [
        Finding("ok", "driver", "NVIDIA driver 999.1, CUDA up to 12.4, 2 GPUs")
    ]


def test_a_driver_that_fails_for_one_gpu(tmp_path: Path) -> None:
    stub = stub_nvml(tmp_path, gpus=2, ERRORS="nvmlDeviceGetHandleByIndex_v2@1=15")
    facts = ask("vlmd.doctor.driver", seconds=60, environ=stub)
    whole, broken = gpu.judged_driver(facts, wanted=True)
    assert (whole.level, broken.level, broken.check) == ("ok", "fail", "GPU 1")
    assert len(gpu.usable(facts)) == 1


def test_a_driver_that_refuses(tmp_path: Path) -> None:
    facts = ask("vlmd.doctor.driver", seconds=60, environ=stub_nvml(tmp_path, ERRORS="nvmlInit_v2=9"))
    (finding,) = gpu.judged_driver(facts, wanted=True)
    assert finding.level == "fail" and "driver says" in finding.found


def test_a_driver_that_hangs(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="did not answer"):
        ask("vlmd.doctor.driver", seconds=3, environ=stub_nvml(tmp_path, HANG="nvmlInit_v2"))
