"""What `vlmd init` finds: the GPUs that may be used and what is free of them, or why it has to be the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmd.config import DeviceSettings
from vlmd.core.errors import ConfigError, UsageError
from vlmd.core.memory import Memory
from vlmd.core.proposals import Room
from vlmd.supervisor.devices.discovery import Device, DeviceError, allowed_cards, discover
from vlmd.supervisor.devices.memory import memory_of
from vlmd.supervisor.devices.nvml import NoDriver, Nvml, NvmlError

_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Machine:
    """The devices that would get a worker, and their memory."""

    devices: Sequence[tuple[Device, Memory]]
    """None: the CPU."""
    why_cpu: str = ""

    @property
    def room(self) -> Room:
        """Every GPU gets the same model, so the one with the least decides."""
        if not self.devices:
            memory = _main_memory()
            return Room(memory.free, memory.total, gpu=False)
        told = [device.capability for device, _ in self.devices if device.capability is not None]
        return Room(
            free=min(memory.free for _, memory in self.devices),
            total=min(memory.total for _, memory in self.devices),
            capability=min(told, default=None),
        )


async def look(settings: DeviceSettings, environ: Mapping[str, str] = os.environ) -> Machine:
    """Raises `UsageError` where there are GPUs and something is wrong with them: that is no reason for the CPU."""
    nvml = Nvml()
    if reason := await _no_gpu(settings, environ, nvml):
        return Machine([], reason)
    try:
        devices = await discover(settings, environ, nvml)
    except DeviceError as error:
        raise UsageError(f"{error} `vlmd doctor` tells more") from error
    found = [(device, await memory_of(device, nvml)) for device in devices]
    known = [(device, memory) for device, memory in found if memory is not None]
    if not known:
        raise UsageError("the driver does not tell how much memory the GPUs have; see `vlmd doctor`")
    return Machine(known)


async def _no_gpu(settings: DeviceSettings, environ: Mapping[str, str], nvml: Nvml) -> str | None:
    """Why it has to be the CPU; None where there are GPUs that are meant to be used."""
    if settings.use != "auto" and set(settings.use) == {"cpu"}:
        return "devices.use names it"
    try:
        cards = await nvml.cards()
    except NoDriver as error:
        return str(error)
    except NvmlError as error:
        raise UsageError(f'{error}; see `vlmd doctor`, or set CUDA_VISIBLE_DEVICES="" to use the CPU') from error
    allowed = environ.get("CUDA_VISIBLE_DEVICES")
    if not cards:
        return "the NVIDIA driver sees no GPU in this machine"
    if allowed is None:
        return None
    try:
        return None if allowed_cards(allowed, cards) else f'CUDA_VISIBLE_DEVICES="{allowed}" hides every GPU'
    except ConfigError as error:
        raise UsageError(str(error)) from error


def _main_memory() -> Memory:
    """What Linux could give without swapping, and all that there is."""
    told = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
    free, total = (int(told[key].split()[0]) * 1024 for key in ("MemAvailable", "MemTotal"))
    return Memory(free, total)
