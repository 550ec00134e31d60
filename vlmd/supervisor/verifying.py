"""A model tried on canary windows by a worker of its own, whether or not a daemon runs."""

from __future__ import annotations

import os
from collections.abc import Callable

from vlmd.config import Settings
from vlmd.core.errors import Code, UsageError, WorkerError
from vlmd.core.messages.base import Gone
from vlmd.core.messages.worker import Beat, CannotStart, FromWorker, LoadModel, Ready
from vlmd.supervisor.devices.discovery import discover
from vlmd.supervisor.devices.nvml import Nvml
from vlmd.supervisor.fleet.worker import worker_process
from vlmd.supervisor.models import model_spec
from vlmd.supervisor.process import Child
from vlmd.supervisor.verified import Entry, Verified


async def verify_model(settings: Settings, name: str, say: Callable[[str], None]) -> Entry:
    """Load it, try it, remember what came of it. Raises `WorkerError` where it cannot be used at all."""
    spec = model_spec(name, settings)
    devices = (await discover(settings.devices, os.environ, Nvml()))[: spec.devices]
    if len(devices) < spec.devices:
        raise UsageError(f"{name} takes {spec.devices} devices, and there are {len(devices)}")
    worker = await worker_process(devices)
    try:
        device = devices[0]
        say(f"loading {name} on {device.label}")
        worker.send(
            LoadModel(model=spec, device=device.torch_name, devices=len(devices), called=device.name, verify=True)
        )
        ready = await _ready(worker, name, say)
    finally:
        worker.kill()
        await worker.ended()
    entry = Verified(settings.paths.state / "verified.json").record(spec, device, ready)
    if entry is None:
        raise WorkerError(Code.WORKER_LOST, f"the worker loaded {name} and did not try it")
    return entry


async def remembered(settings: Settings, name: str) -> Entry | None:
    """What came of trying it as it is now, on the first device; None where it was not tried yet."""
    spec = model_spec(name, settings)
    devices = await discover(settings.devices, os.environ, Nvml())
    return Verified(settings.paths.state / "verified.json").of(spec, devices[0])


async def _ready(worker: Child[FromWorker], name: str, say: Callable[[str], None]) -> Ready:
    async for message in worker.messages():
        match message:
            case Beat(stage=stage):
                say(f"{stage.removeprefix('load ')} of {name}")
            case Ready():
                return message
            case CannotStart(failure=failure):
                raise WorkerError(failure.code, failure.reason)
            case Gone(exit=reason):
                raise WorkerError(Code.WORKER_LOST, f"the worker is gone: {reason}")
            case _:
                continue
    raise WorkerError(Code.WORKER_LOST, "the worker is gone")
