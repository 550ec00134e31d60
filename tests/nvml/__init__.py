"""A stub of NVIDIA's management library, for tests of whole processes on machines without a GPU.

`stub_nvml(tmp_path, gpus=2)` compiles `stub.c` and returns the environment variables of a process in which
the real pynvml loads it. `stub.c` says which further variables make it hang or fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("stub.c")


def stub_nvml(folder: Path, gpus: int = 1, **behaviour: str) -> dict[str, str]:
    """The stub in `folder`, as environment: `stub_nvml(tmp_path, gpus=2, HANG="nvmlInit_v2")`."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to build the stub of NVML with")
    library = folder / "libnvidia-ml.so.1"
    if not library.exists():
        command = [
            compiler,
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            SOURCE,
            "-o",
            library,
        ]
        subprocess.run(command, check=True, timeout=60)
    found_first = [str(folder), os.environ.get("LD_LIBRARY_PATH", "")]
    own = {f"VLMD_STUB_{name}": value for name, value in behaviour.items()}
    return {"LD_LIBRARY_PATH": ":".join(filter(None, found_first)), "VLMD_STUB_GPUS": str(gpus)} | own


def stub_uuid(gpu: int) -> str:
    """The UUID the stub gives this GPU."""
    return f"GPU-{(gpu + 1) * 0x11111111 & 0xFFFFFFFF:08x}-2222-3333-4444-{gpu:012x}"
