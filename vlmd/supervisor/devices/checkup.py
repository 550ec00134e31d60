"""What NVML says of a GPU's fitness, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pynvml

from vlmd.supervisor.devices.nvml import library, supported

_LOST = (pynvml.NVMLError_GpuIsLost, pynvml.NVMLError_ResetRequired, pynvml.NVMLError_NotFound)


@dataclass(frozen=True)
class Checkup:
    """None: this kind of GPU, or this driver, knows no such thing."""

    lost: str | None = None
    """The driver has given the GPU up; its words."""
    uncorrectable: int | None = None
    """Memory errors since the driver was loaded, or the GPU reset."""
    remap_pending: bool | None = None
    remap_failed: bool | None = None
    unreadable: str | None = None
    """The driver refused to answer for this GPU; that alone parks nothing."""


def sick(now: Checkup, first: Checkup) -> str | None:
    """Why a GPU is not to be used any more; `first` is how it was when it was taken into service. Pure."""
    if now.lost is not None:
        return f"the NVIDIA driver says: {now.lost}; restart the machine, then `vlmd resume` it"
    if now.remap_failed:
        return "a row of its memory could not be remapped; have the GPU replaced, then `vlmd resume` it"
    if now.remap_pending:
        return f"a row of its memory is to be remapped; {_RESET}"
    if now.uncorrectable is not None and now.uncorrectable > (first.uncorrectable or 0):
        return f"{now.uncorrectable - (first.uncorrectable or 0)} uncorrectable memory errors (ECC); {_RESET}"
    return None


_RESET = "reset the GPU (`nvidia-smi --gpu-reset`, with vlmd stopped) or restart the machine, then `vlmd resume` it"


def check_up(uuids: Sequence[str]) -> dict[str, Checkup]:
    """Ask the driver; for `Nvml.ask`."""
    with library():
        return {uuid: _check(uuid) for uuid in uuids}


def _check(uuid: str) -> Checkup:
    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        rows = _remapped_rows(handle)
        return Checkup(
            uncorrectable=supported(
                lambda: pynvml.nvmlDeviceGetTotalEccErrors(
                    handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC
                )
            ),
            remap_pending=None if rows is None else bool(rows[2]),
            remap_failed=None if rows is None else bool(rows[3]),
        )
    except _LOST as error:
        return Checkup(lost=str(error))
    except pynvml.NVMLError as error:
        return Checkup(unreadable=str(error))


def _remapped_rows(handle: object) -> tuple[int, int, int, int] | None:
    """(corrected, uncorrected, pending, failed)"""
    try:
        rows: tuple[int, int, int, int] = pynvml.nvmlDeviceGetRemappedRows(handle)
        return rows
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
        return None
