"""Which devices get a worker: what the machine has, what CUDA_VISIBLE_DEVICES allows, what devices.use names.

GPUs are counted in PCI order (CUDA_DEVICE_ORDER=PCI_BUS_ID), as nvidia-smi does, also where
CUDA_VISIBLE_DEVICES holds numbers. The CPU is used only if it is named: never because no GPU was found.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from vlmd.config import DeviceSettings
from vlmd.core.errors import ConfigError
from vlmd.supervisor.devices.nvml import Card, Nvml, NvmlError, Reading

log = logging.getLogger(__name__)

CPU_REMEDY = 'If the CPU is really meant, set devices.use = ["cpu"] in config.toml.'

_NUMBER = re.compile(r"[+-]?[0-9]+")


class DeviceError(ConfigError):
    """devices.use asks for what this machine does not have; one problem, with its remedy."""


@dataclass(frozen=True)
class Device:
    """One device that gets a worker."""

    name: str
    """"cuda:N", counted among the visible GPUs, or "cpu:N"."""
    kind: Literal["cuda", "cpu"]
    label: str
    """What it is, for people: "NVIDIA L4"."""
    index: int
    """A GPU's number in PCI order, visible or not; a CPU worker's number."""
    uuid: str | None = None
    memory_total: int | None = None
    capability: int | None = None
    """Ten times CUDA's compute capability; None where nobody says."""
    environment: dict[str, str] = field(default_factory=dict, compare=False)
    """What its worker's environment must say, so that it sees this device and no other."""

    @property
    def key(self) -> str:
        """What it is remembered by over a restart: numbers depend on what else is visible."""
        return self.uuid or self.name

    @property
    def torch_name(self) -> str:
        """The device as its worker sees it: the environment shows it one GPU at most."""
        return "cuda:0" if self.kind == "cuda" else "cpu"


def environment_of(devices: Sequence[Device]) -> dict[str, str]:
    """What the environment of a worker must say that is to see these devices and no other, in this order."""
    seen = ",".join(filter(None, (device.environment.get("CUDA_VISIBLE_DEVICES", "") for device in devices)))
    return {**devices[0].environment, "CUDA_VISIBLE_DEVICES": seen}


async def discover(settings: DeviceSettings, environ: Mapping[str, str], nvml: Nvml) -> list[Device]:
    """The devices that get a worker, in the order of devices.use. Raises `DeviceError` rather than guess."""
    if settings.use == "auto":
        return every_gpu(await _visible_gpus(environ, nvml))
    named = [name for name in settings.use if name != "cpu"]
    gpus = iter(_named_gpus(named, await _visible_gpus(environ, nvml)) if named else [])
    cpus = iter(range(len(settings.use)))
    return [_cpu(next(cpus)) if name == "cpu" else next(gpus) for name in settings.use]


async def readings(devices: Sequence[Device], nvml: Nvml) -> dict[str, Reading]:
    """How the devices are doing, by name."""
    known = await nvml.readings([device.uuid for device in devices if device.uuid])
    no_gpu = Reading(problem="a worker on the CPU has no GPU to read")
    return {device.name: known[device.uuid] if device.uuid else no_gpu for device in devices}


async def _visible_gpus(environ: Mapping[str, str], nvml: Nvml) -> list[Card]:
    """The GPUs this daemon may use, in CUDA's order; at least one."""
    try:
        cards = await nvml.cards()
    except NvmlError as error:
        raise _no_gpu(str(error)) from error
    if not cards:
        raise _no_gpu("the NVIDIA driver sees none in this machine")
    allowed = environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return cards
    gpus = allowed_cards(allowed, cards)
    if not gpus:
        hidden = f'CUDA_VISIBLE_DEVICES="{allowed}" hides all {len(cards)} of them'
        raise _no_gpu(f"{hidden}; unset it, or name GPUs in it by number or UUID")
    return gpus


def _no_gpu(reason: str) -> DeviceError:
    return DeviceError([f"no GPU can be used: {reason}. {CPU_REMEDY}"])


def allowed_cards(allowed: str, cards: Sequence[Card]) -> list[Card]:
    """The cards CUDA_VISIBLE_DEVICES allows, read as CUDA reads it.

    Numbers, UUIDs and beginnings of UUIDs that fit one card only. The first entry that fits none ends the
    list; a card named twice leaves nothing.
    """
    chosen: list[Card] = []
    for entry in map(str.strip, allowed.split(",")):
        card = _allowed_card(entry, cards)
        if card is None:
            _tell_end_of_list(entry)
            break
        if card in chosen:
            log.warning("CUDA_VISIBLE_DEVICES names GPU %d twice, so CUDA shows no GPU at all", card.index)
            return []
        chosen.append(card)
    return chosen


def _allowed_card(entry: str, cards: Sequence[Card]) -> Card | None:
    if entry.startswith("MIG-"):
        refused = f"CUDA_VISIBLE_DEVICES names {entry}, a part of a GPU (MIG), which vlmd cannot use yet"
        raise DeviceError([f"{refused}; name whole GPUs in it"])
    if entry.startswith("GPU-"):
        return _by_uuid(entry, cards)
    number = _NUMBER.match(entry)
    index = int(number[0]) if number else -1
    return next((card for card in cards if card.index == index), None)


def _tell_end_of_list(entry: str) -> None:
    """Warn of an entry that ends the list, unless it is how people say "no more"."""
    if entry not in ("", "-1"):
        log.warning('CUDA_VISIBLE_DEVICES: "%s" is no GPU of this machine; CUDA ignores it and all after it', entry)


def _by_uuid(start: str, cards: Sequence[Card]) -> Card | None:
    """The one card whose UUID begins so."""
    found = [card for card in cards if card.uuid.startswith(start)]
    return found[0] if len(found) == 1 else None


def every_gpu(cards: Sequence[Card]) -> list[Device]:
    """Every usable card; a broken one is told of, and costs only its own worker."""
    broken = [f"GPU {card.index} {card.label}".strip() + f": {card.problem}" for card in cards if card.problem]
    if len(broken) == len(cards):
        raise _no_gpu("; ".join(broken))
    for problem in broken:
        log.warning("a GPU gets no worker: %s", problem)
    return [_gpu(card, position) for position, card in enumerate(cards) if not card.problem]


def _named_gpus(names: Sequence[str], cards: Sequence[Card]) -> list[Device]:
    """The cards devices.use names; each must be there and usable, and be named once."""
    positions = [_position(name, cards) for name in names]
    problems = [
        problem for name, position in zip(names, positions, strict=True) if (problem := _refusal(name, position, cards))
    ]
    chosen = [position for position in positions if position is not None]
    twice = sorted({cards[position].index for position in chosen if chosen.count(position) > 1})
    problems += [f"devices.use: GPU {index} is named twice; a GPU gets one worker" for index in twice]
    if problems:
        raise DeviceError(problems)
    return [_gpu(cards[position], position) for position in chosen]


def _position(name: str, cards: Sequence[Card]) -> int | None:
    if name.startswith("cuda:"):
        position = int(name.removeprefix("cuda:"))
        return position if position < len(cards) else None
    card = _by_uuid(name, cards)
    return None if card is None else cards.index(card)


def _refusal(name: str, position: int | None, cards: Sequence[Card]) -> str | None:
    """Why the card of this name cannot be used."""
    if position is None:
        there = ", ".join(f"cuda:{n} ({card.label or card.problem} {card.uuid})" for n, card in enumerate(cards))
        return f"devices.use: {name} is no GPU that this daemon may use; there are: {there}"
    problem = cards[position].problem
    return f"devices.use: {name} cannot be used: {problem}" if problem else None


def _gpu(card: Card, position: int) -> Device:
    return Device(
        name=f"cuda:{position}",
        kind="cuda",
        label=card.label,
        index=card.index,
        uuid=card.uuid,
        memory_total=card.memory_total,
        capability=card.capability,
        environment={"CUDA_VISIBLE_DEVICES": card.uuid, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
    )


def _cpu(number: int) -> Device:
    return Device(name=f"cpu:{number}", kind="cpu", label="CPU", index=number, environment={"CUDA_VISIBLE_DEVICES": ""})
