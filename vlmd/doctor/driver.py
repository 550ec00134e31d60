"""What NVIDIA's driver says, in a process of its own: `python -m vlmd.doctor.driver FD`. A sick driver hangs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pynvml

from vlmd.doctor.child import answer


def facts() -> dict[str, Any]:
    """The driver's version, the newest CUDA it runs, and its GPUs with who uses their memory."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        return {"missing": True}
    return {
        "missing": False,
        "driver": _known(pynvml.nvmlSystemGetDriverVersion),
        "cuda": _known(pynvml.nvmlSystemGetCudaDriverVersion_v2),
        "gpus": [_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())],
    }


def _gpu(index: int) -> dict[str, Any]:
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        return {
            "index": index,
            "uuid": pynvml.nvmlDeviceGetUUID(handle),
            "name": pynvml.nvmlDeviceGetName(handle),
            "total": memory.total,
            "free": memory.free,
            "users": _known(lambda: [_user(process) for process in _processes(handle)]) or [],
            "problem": None,
        }
    except pynvml.NVMLError as error:
        return {"index": index, "problem": str(error)}


def _processes(handle: Any) -> list[Any]:
    found: list[Any] = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    return found


def _user(process: Any) -> dict[str, Any]:
    return {"pid": process.pid, "bytes": process.usedGpuMemory}


def _known(read: Callable[[], Any]) -> Any:
    """None where this driver does not tell."""
    try:
        return read()
    except pynvml.NVMLError:
        return None


def main(fd: int) -> None:
    try:
        answer(fd, facts())
    except pynvml.NVMLError as error:
        answer(fd, {"missing": False, "problem": str(error)})


if __name__ == "__main__":
    main(int(sys.argv[1]))
