"""Why nobody answers the windows of a job: in words, from what the devices are doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vlmd.core.errors import Failure
from vlmd.supervisor.fleet.slot import Slot
from vlmd.supervisor.fleet.states import SlotState

_NAMED = 3
"""Devices that are named one by one."""
_UNFINISHED = ("indexing", "waiting", "queued", "running")
_CANNOT = "cannot load it"
_AT_WORK = (SlotState.BUSY, SlotState.DRAINING)


def with_reason(
    job: dict[str, Any], slots: Sequence[Slot], absent: Mapping[str, Failure] | None = None
) -> dict[str, Any]:
    """A job as it is shown, with why it `waits` for its model; None where it waits for nothing but its turn.

    `absent`: pipelines whose model is not here.
    """
    if job["state"] in _UNFINISHED and (why := (absent or {}).get(job["pipeline"])):
        return {**job, "waits": f"its model cannot be loaded: {why.reason}; {why.remedy}"}
    windows = job["windows"]
    pending = windows["total"] - windows["leased"] - windows["answered"] - windows["failed"]
    waiting = job["state"] in ("queued", "running") and pending > 0 and not windows["leased"]
    return {**job, "waits": why_waits(job["model"], slots) if waiting else None}


def why_waits(model: str, slots: Sequence[Slot]) -> str | None:
    """Why no device serves this model now; None if one does."""
    if any(slot.ready and slot.serves == model for slot in slots):
        return None
    if coming := [slot.name for slot in slots if slot.serves == model]:
        return f"waits for {model}; {_named(coming)} {'load' if len(coming) > 1 else 'loads'} it"
    refused = [slot.refused[model] for slot in slots if model in slot.refused]
    if len(refused) == len(slots):
        return f"{model} cannot be loaded: {refused[0].reason}; {refused[0].remedy}"
    return f"waits for {model}; {_doings(slots, model)}"


def _doings(slots: Sequence[Slot], model: str) -> str:
    """What the devices do instead, those that do the same together."""
    doings: dict[str, list[str]] = {}
    for slot in slots:
        doings.setdefault(_doing(slot, model), []).append(slot.name)
    return ", ".join(_clause(names, doing) for doing, names in doings.items())


def _clause(names: Sequence[str], doing: str) -> str:
    if doing == _CANNOT:
        return f"{_named(names)} {doing}"
    return f"{_named(names)} {'are' if len(names) > 1 else 'is'} {doing}"


def _doing(slot: Slot, model: str) -> str:
    if model in slot.refused:
        return _CANNOT
    if slot.team.lent_to is not None:
        return _doing(slot.team.lent_to, model)
    if slot.serves is None:
        return str(slot.state)
    return f"{'busy' if slot.state in _AT_WORK else slot.state} with {slot.serves}"


def _named(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) <= _NAMED else f"{len(names)} devices"
