"""What NVIDIA's driver says of its GPUs: which there are, and how they are doing.

NVML hangs where the driver is sick, and no call can be taken back. So every call runs in a thread that nobody
waits for longer than a deadline, and while one hangs no other is started.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import pynvml

from vlmd.core.errors import VlmdError

MIG_REFUSAL = "it is split into parts (MIG), which vlmd cannot use yet; switch MIG off, or name other GPUs"

T = TypeVar("T")


class NvmlError(VlmdError):
    """The driver, or its library, is not there, refuses, or does not answer."""


class NoDriver(NvmlError):
    """There is none: not one that is broken."""


@dataclass(frozen=True)
class Card:
    """One GPU of this machine, visible or not."""

    index: int
    """Its number in PCI order, as nvidia-smi counts."""
    uuid: str = ""
    label: str = ""
    memory_total: int | None = None
    capability: int | None = None
    """Ten times CUDA's compute capability: 75 for Turing, 80 for Ampere."""
    problem: str | None = None
    """Why it cannot be used."""


@dataclass(frozen=True)
class Reading:
    """How a device is doing; what could not be read is None, and `problem` says why."""

    memory_used: int | None = None
    """Bytes, of all programs on the device."""
    memory_free: int | None = None
    utilisation: int | None = None
    """Percent of the last moment in which the device computed."""
    temperature: int | None = None
    """Degrees Celsius."""
    slowed: str | None = None
    """Why the GPU runs slower than it could, where that is not its own choice."""
    problem: str | None = None


class Nvml:
    """The driver, asked in a thread with a deadline."""

    def __init__(self, deadline: float = 20.0) -> None:
        self._deadline = deadline
        self._one_at_a_time = asyncio.Lock()
        self._unanswered = False

    async def cards(self) -> list[Card]:
        """Every GPU in PCI order. Raises `NvmlError`."""
        return await self.ask(_list_cards)

    async def readings(self, uuids: Sequence[str]) -> dict[str, Reading]:
        """How these GPUs are doing. Never raises `NvmlError`: the readings say what is wrong."""
        try:
            return await self.ask(lambda: _read_cards(uuids))
        except NvmlError as error:
            return dict.fromkeys(uuids, Reading(problem=str(error)))

    async def ask(self, question: Callable[[], T]) -> T:
        """What `question` says, asked in the thread. Raises `NvmlError`."""
        async with self._one_at_a_time:
            if self._unanswered:
                raise NvmlError("the NVIDIA driver hangs: an earlier question is still not answered")
            answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            self._unanswered = True
            threading.Thread(target=self._answer, args=(question, answer), name="nvml", daemon=True).start()
            try:
                return await asyncio.wait_for(answer, self._deadline)
            except TimeoutError as error:
                raise NvmlError(f"the NVIDIA driver did not answer within {self._deadline:g} s") from error

    def _answer(self, question: Callable[[], T], answer: asyncio.Future[T]) -> None:
        """Runs in the thread."""
        outcome: T | Exception
        try:
            outcome = question()
        except Exception as error:  # noqa: BLE001 - handed on to the one who asked
            outcome = error
        loop = answer.get_loop()
        try:
            loop.call_soon_threadsafe(self._deliver, answer, outcome)
        except RuntimeError:
            if not loop.is_closed():
                raise  # a closed loop is no error: the one who asked has left

    def _deliver(self, answer: asyncio.Future[T], outcome: T | Exception) -> None:
        """Runs in the loop; the answer may come too late."""
        self._unanswered = False
        if answer.done():
            return
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)


@contextmanager
def library() -> Iterator[None]:
    """NVML, loaded and initialised; its errors as `NvmlError`."""
    try:
        pynvml.nvmlInit()
        try:
            yield
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError_LibraryNotFound as error:
        raise NoDriver(
            "no NVIDIA driver is installed, or this container was not given it (no libnvidia-ml.so.1)"
        ) from error
    except pynvml.NVMLError as error:
        raise NvmlError(f"the NVIDIA driver says: {error}") from error


def _list_cards() -> list[Card]:
    with library():
        return [_card(index) for index in range(pynvml.nvmlDeviceGetCount())]


def _card(index: int) -> Card:
    """The GPU with this number; one that is broken does not hide the others."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        return Card(
            index=index,
            uuid=pynvml.nvmlDeviceGetUUID(handle),
            label=pynvml.nvmlDeviceGetName(handle),
            memory_total=supported(lambda: pynvml.nvmlDeviceGetMemoryInfo(handle).total),
            capability=supported(lambda: _capability(handle)),
            problem=MIG_REFUSAL if supported(lambda: pynvml.nvmlDeviceGetMigMode(handle)[0]) else None,
        )
    except pynvml.NVMLError as error:
        return Card(index=index, problem=f"the NVIDIA driver says: {error}")


def _capability(handle: object) -> int:
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    return int(major) * 10 + int(minor)


def supported(read: Callable[[], int]) -> int | None:
    """What `read` returns; None where this kind of GPU, or this driver, knows no such thing."""
    try:
        return int(read())
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
        return None


def _read_cards(uuids: Sequence[str]) -> dict[str, Reading]:
    with library():
        return {uuid: _read_card(uuid) for uuid in uuids}


def _read_card(uuid: str) -> Reading:
    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except pynvml.NVMLError as error:
        return Reading(problem=f"the NVIDIA driver says: {error}")
    problems: list[str] = []

    def attempt(what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except pynvml.NVMLError as error:
            problems.append(f"{what}: {error}")
            return None

    memory = attempt("memory", lambda: pynvml.nvmlDeviceGetMemoryInfo(handle))
    return Reading(
        memory_used=None if memory is None else int(memory.used),
        memory_free=None if memory is None else int(memory.free),
        utilisation=attempt("utilisation", lambda: int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
        temperature=attempt(
            "temperature", lambda: int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
        ),
        slowed=attempt("clocks", lambda: _slowed(handle)),
        problem="; ".join(problems) or None,
    )


_SLOWED_BY = {
    pynvml.nvmlClocksThrottleReasonSwThermalSlowdown: "heat",
    pynvml.nvmlClocksThrottleReasonHwThermalSlowdown: "heat",
    pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown: "the power supply",
    pynvml.nvmlClocksThrottleReasonHwSlowdown: "its hardware",
}


def _slowed(handle: object) -> str | None:
    reasons = supported(lambda: pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)) or 0
    return ", ".join(dict.fromkeys(by for bit, by in _SLOWED_BY.items() if reasons & bit)) or None
