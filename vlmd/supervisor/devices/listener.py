"""Hears the driver's Xid events in a thread of its own: waiting for one must hold up nothing else."""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable, Sequence

import pynvml

from vlmd.supervisor.devices.nvml import NvmlError, library

logger = logging.getLogger("vlmd.devices")

_WAIT_MS = 500
"""Longest wait for one event; the thread ends within this after `stop`."""
_AGAIN_SECONDS = 5.0

Heard = Callable[[str, int], None]
"""(UUID, Xid), called in the thread."""


class XidListener:
    """From `start` to `stop`. Where the driver has no events, `problem` says so, and polling has to do."""

    def __init__(self, uuids: Sequence[str], heard: Heard) -> None:
        self._uuids = uuids
        self._heard = heard
        self._stopped = threading.Event()
        self.problem: str | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name="xid", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        """A driver that is reloaded, or loses a GPU, ends a round; the next one takes what is left."""
        while not self._stopped.is_set():
            try:
                with library():
                    self._listen()
            except NvmlError as error:
                if self.problem is None:
                    logger.warning("Xid events are not heard: %s", error)
                self.problem = str(error)
            self._stopped.wait(_AGAIN_SECONDS)

    def _listen(self) -> None:
        events = pynvml.nvmlEventSetCreate()
        try:
            uuids = self._register(events)
            self.problem = None
            while not self._stopped.is_set():
                try:
                    event = pynvml.nvmlEventSetWait_v2(events, _WAIT_MS)
                except pynvml.NVMLError_Timeout:
                    continue
                uuid = uuids.get(_address(event.device))
                if uuid is not None and event.eventType == pynvml.nvmlEventTypeXidCriticalError:
                    self._heard(uuid, int(event.eventData))
        finally:
            pynvml.nvmlEventSetFree(events)

    def _register(self, events: object) -> dict[int | None, str]:
        """GPUs by the address of their handle: a lost one is not asked for its UUID any more."""
        uuids = {}
        for uuid in self._uuids:
            try:
                handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
                pynvml.nvmlDeviceRegisterEvents(handle, pynvml.nvmlEventTypeXidCriticalError, events)
            except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_GpuIsLost) as error:
                logger.info("%s: no Xid events: %s", uuid, error)
                continue
            uuids[_address(handle)] = uuid
        return uuids


def _address(handle: object) -> int | None:
    return ctypes.cast(handle, ctypes.c_void_p).value  # type: ignore[arg-type]
