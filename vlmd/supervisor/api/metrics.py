"""How the daemon is doing, for a monitoring system.

GET  /metrics       everything worth watching, in Prometheus' text format
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vlmd import __version__
from vlmd.config.settings import PathSettings
from vlmd.core.states import JobState
from vlmd.store import reader
from vlmd.supervisor.api.answering import read
from vlmd.supervisor.devices.discovery import readings
from vlmd.supervisor.devices.nvml import Reading
from vlmd.supervisor.fleet.slot import Slot
from vlmd.supervisor.fleet.states import SlotState
from vlmd.supervisor.lately import Lately
from vlmd.supervisor.parts import Parts


def routes(parts: Parts) -> list[Route]:
    return [Route("/metrics", _Metrics(parts).answer)]


class _Metrics:
    """Counters are kept; gauges are read from one snapshot of the database, and from the slots, at each scrape."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._database = parts.settings.paths.database
        self._started = time.monotonic()
        self._measured: Lately[dict[str, Reading]] = Lately(lambda: readings(parts.devices, parts.nvml), {})
        self._bytes: Lately[dict[str, int]] = Lately(lambda: asyncio.to_thread(_bytes, parts.settings.paths), {})
        self._one_at_a_time = asyncio.Lock()
        with reader.snapshot(self._database) as db:
            self._seen = reader.newest_transition(db)

    async def answer(self, request: Request) -> Response:
        async with self._one_at_a_time:
            depth = await self._catch_up()
        gauges = [
            *_daemon(time.monotonic() - self._started),
            *_queue(depth),
            *_slots(self._parts.fleet.slots),
            *_readings(self._parts.fleet.slots, await self._measured.get()),
            *_storage(await self._bytes.get()),
        ]
        body = self._parts.metrics.exposition() + generate_latest(_Families(gauges))
        return Response(body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _catch_up(self) -> reader.Depth:
        """Count what has moved since the last scrape; how long the queue is now."""
        seen = self._seen
        depth, moves = await read(self._database, lambda db: (reader.depth(db), reader.moves(db, seen)))
        self._parts.metrics.moved(moves)
        self._seen = max([seen, *(move.newest for move in moves)])
        return depth


class _Families:
    """What `generate_latest` takes: families that are made for one scrape."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


Samples = Iterable[tuple[tuple[str, ...], float | None]]
"""Values of the labels, and what was measured; None where nothing was."""


def _gauge(name: str, what: str, labels: list[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(f"vlmd_{name}", what, labels=labels)
    for values, sample in samples:
        if sample is not None:
            family.add_metric(values, sample)
    return family


def _daemon(uptime: float) -> Iterator[Metric]:
    versions = (__version__, platform.python_version())
    yield _gauge("build_info", "Which vlmd this is; always 1.", ["version", "python"], [(versions, 1)])
    yield _gauge("uptime_seconds", "Since the daemon started.", [], [((), uptime)])


def _queue(depth: reader.Depth) -> Iterator[Metric]:
    jobs = (((state.value,), depth.jobs.get(state, 0)) for state in JobState)
    windows = (((state,), count) for state, count in depth.windows.items())
    yield _gauge("jobs", "Jobs by state.", ["state"], jobs)
    yield _gauge("windows", "Windows of unfinished jobs by state.", ["state"], windows)
    notices = (((state,), count) for state, count in depth.notices.items())
    yield _gauge("hook_notices", "Notices that no hook has taken, by state.", ["state"], notices)


def _slots(slots: list[Slot]) -> Iterator[Metric]:
    states = (((slot.name, state.value), slot.state == state) for slot in slots for state in SlotState)
    held = (((slot.name,), sum(len(run.windows) for run in slot.leases.values())) for slot in slots)
    loads = (((slot.name,), slot.ready.load_ms / 1000) for slot in slots if slot.ready)
    yield _gauge("worker_state", "1 for the state a device's worker is in.", ["device", "state"], states)
    yield _gauge("worker_windows", "Windows of the leases a worker holds.", ["device"], held)
    yield _gauge("model_load_seconds", "How long the model took to load, the last time.", ["device"], loads)
    deaths = CounterMetricFamily("vlmd_worker_deaths", "Workers that ended unasked.", labels=["device", "cause"])
    for slot in slots:
        for cause, count in slot.tally.causes.items():
            deaths.add_metric([slot.name, cause], count)
    yield deaths
    swaps = CounterMetricFamily("vlmd_model_swaps", "Times a device had another model than before.", labels=["device"])
    seconds = CounterMetricFamily("vlmd_model_swap_seconds", "Time the swaps of models took.", labels=["device"])
    for slot in slots:
        swaps.add_metric([slot.name], slot.tally.swaps)
        seconds.add_metric([slot.name], slot.tally.swap_seconds)
    yield from (swaps, seconds)


def _readings(slots: list[Slot], measured: dict[str, Reading]) -> Iterator[Metric]:
    """What the driver says; what it does not say is left out."""
    gpus = [((slot.name,), slot.device.memory_total, measured.get(slot.name, Reading())) for slot in slots]
    total = ((name, memory) for name, memory, _ in gpus)
    used = ((name, gpu.memory_used) for name, _, gpu in gpus)
    busy = ((name, None if gpu.utilisation is None else gpu.utilisation / 100) for name, _, gpu in gpus)
    warm = ((name, gpu.temperature) for name, _, gpu in gpus)
    yield _gauge("device_memory_bytes", "Memory of a GPU.", ["device"], total)
    yield _gauge("device_memory_used_bytes", "Memory in use, by all programs.", ["device"], used)
    yield _gauge("device_utilisation_ratio", "Part of the last moment in which it computed.", ["device"], busy)
    yield _gauge("device_temperature_celsius", "How warm it is.", ["device"], warm)


def _storage(sizes: dict[str, int]) -> Iterator[Metric]:
    free = (((folder,), sizes.get(folder)) for folder in ("state", "results"))
    yield _gauge("database_bytes", "The database with its log.", [], [((), sizes.get("database"))])
    yield _gauge("disk_free_bytes", "What is left for files in this folder.", ["folder"], free)


def _bytes(paths: PathSettings) -> dict[str, int]:
    """Sizes by what they are of; without what cannot be read. Runs in a thread: a network drive may hang."""
    log = Path(f"{paths.database}-wal")
    sizes = {"database": sum(path.stat().st_size for path in (paths.database, log) if path.exists())}
    for name, folder in (("state", paths.state), ("results", paths.results)):
        with contextlib.suppress(OSError):
            sizes[name] = shutil.disk_usage(folder).free
    return sizes
