"""A GPU's free memory, and which processes have the rest."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pynvml

from vlmd.core.memory import Memory, User
from vlmd.core.names import shown
from vlmd.log import about
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.devices.nvml import Nvml, NvmlError, library

logger = logging.getLogger("vlmd.devices")

_UNKNOWN = (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound, pynvml.NVMLError_NoPermission)


async def memory_of(device: Device, nvml: Nvml) -> Memory | None:
    """None where there is no GPU, or where the driver does not say."""
    uuid = device.uuid
    if uuid is None:
        return None
    try:
        return await nvml.ask(lambda: _read(uuid))
    except NvmlError as error:
        logger.warning("its free memory is not known: %s", error, extra=about(device=device.name))
        return None


def summed(parts: Sequence[Memory | None]) -> Memory | None:
    """Of several GPUs together; None where one of them is not known."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    users = [user for part in known for user in part.users]
    return Memory(sum(part.free for part in known), sum(part.total for part in known), users)


def _read(uuid: str) -> Memory:
    with library():
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        return Memory(int(memory.free), int(memory.total), _users(handle))


def _users(handle: object) -> list[User]:
    try:
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except _UNKNOWN:
        return []
    return [User(process.pid, _name(process.pid), process.usedGpuMemory) for process in processes]


def _name(pid: int) -> str:
    """The program's name, for people; it may be anybody's, and may be gone."""
    try:
        name = pynvml.nvmlSystemGetProcessName(pid)
    except pynvml.NVMLError:
        return "?"
    text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return shown(text.split(" ")[0].rsplit("/", 1)[-1])[:40]
