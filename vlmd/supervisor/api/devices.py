"""Devices: sending them to rest, and back to work.

POST /v1/devices/pause     {"devices": names or UUIDs, or null for all}: finish the batch in hand, release the GPU
POST /v1/devices/drain     the same, but every lease is finished first
POST /v1/devices/resume    work again; also what was parked, after a repair

Each answers with the devices' states; the GPU is released once its state is `paused`.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vlmd.supervisor.fleet.slot import Slot
from vlmd.supervisor.parts import Parts


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    devices: list[str] | None = None


def routes(parts: Parts) -> list[Route]:
    devices = _Devices(parts)
    verbs = {"pause": devices.pause, "drain": devices.drain, "resume": devices.resume}
    return [Route(f"/v1/devices/{name}", verb, methods=["POST"]) for name, verb in verbs.items()]


class _Devices:
    def __init__(self, parts: Parts) -> None:
        self._fleet = parts.fleet
        self._health = parts.gpu_health
        self._reloading = parts.reloading

    async def pause(self, request: Request) -> Response:
        return _states(await self._fleet.pause(await _chosen(request), drain=False))

    async def drain(self, request: Request) -> Response:
        return _states(await self._fleet.pause(await _chosen(request), drain=True))

    async def resume(self, request: Request) -> Response:
        await self._reloading.look_again()
        slots = await self._fleet.resume(await _chosen(request))
        for slot in slots:
            self._health.forget(slot.name)
        return _states(slots)


async def _chosen(request: Request) -> list[str] | None:
    return msgspec.json.decode(await request.body() or b"{}", type=Chosen).devices


def _states(slots: list[Slot]) -> Response:
    return JSONResponse(
        {"devices": [{"name": slot.name, "state": slot.state, "reason": slot.reason} for slot in slots]}
    )
