"""What `vlmd init` shows: devices, proposals, and what one of them takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from vlmd.cli.init_machine import Machine
from vlmd.cli.plan_tables import billions, gigabytes
from vlmd.core.names import shown
from vlmd.core.proposals import Proposal, Room

SHOWN = 6
"""Proposals that are listed; others can be named."""

_CPU = """\
On a CPU only the smallest models are of use. Each window takes many times
longer than on a GPU, and small models see less: good for trying vlmd out, and
for a few short videos."""


def tell_machine(out: Console, machine: Machine) -> None:
    room = machine.room
    if not machine.devices:
        out.print(f"no GPU is used: {shown(machine.why_cpu)}")
        out.print(f"the CPU, {gigabytes(room.free)} of {gigabytes(room.total)} GB of memory free")
        out.print(_CPU)
        return
    for device, memory in machine.devices:
        free = f"{gigabytes(memory.free)} of {gigabytes(memory.total)} GB free"
        out.print(f"{device.name}  {shown(device.label)}, {free}", soft_wrap=True)
        if memory.users:
            taken = ", ".join(f"PID {user.pid} ({shown(user.name)})" for user in memory.users)
            out.print(f"        the rest is used by {taken}", soft_wrap=True)
    if room.float == "fp16":
        out.print("No bf16 here, which GPUs have from Ampere on: fp16 takes its place.")
    if len(machine.devices) > 1:
        out.print("Each gets the whole model, so the one with the least free memory decides.")


def tell_proposals(out: Console, found: Sequence[Proposal]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for column in ("", "model", "size", "as", "tokens\na frame", "GB", "windows\nat once", "trained on"):
        right = column not in ("model", "as", "trained on")
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for number, each in enumerate(found[:SHOWN], 1):
        name = each.model.rpartition("/")[2]
        total, size = gigabytes(each.parts.total), billions(each.figures.parameters)
        cells = (str(number), name, size, each.precision, f"{each.size.tokens}", total, str(each.batch))
        table.add_row(*cells, each.trained.words)
    out.print(table)
    out.print("GB: of memory, with so many windows at once. First come those trained on")
    out.print("videos, the larger before the smaller. `vlmd models` lists all that vlmd knows.")


def tell_choice(out: Console, chosen: Proposal, room: Room) -> None:
    """What it takes, by part."""
    parts, windows = chosen.parts, chosen.batch
    computed = f", computed in {room.float}" if chosen.precision in ("nf4", "int8") else ""
    frames = f"{chosen.shape.frames} frames" if not chosen.figures.shared else "all frames as one picture"
    out.print(f"{shown(chosen.model)}, {chosen.precision} weights{computed}", soft_wrap=True)
    out.print(f"  a window: {frames}, {chosen.size.tokens} tokens each; {chosen.window_tokens:,} with the question")
    out.print(f"  memory for {windows} {'window' if windows == 1 else 'windows'} at once, in GB:")
    overhead = "CUDA" if room.gpu else "libraries"
    out.print(
        f"  weights {gigabytes(parts.weights)} + cache {gigabytes(parts.kv)} + at work {gigabytes(parts.activations)} "
        f"+ {overhead} {gigabytes(parts.context)} = {gigabytes(parts.total)} of {gigabytes(room.free)} free"
    )


def described(chosen: Proposal) -> dict[str, Any]:
    """The same for JSON."""
    parts = chosen.parts
    return {
        "model": chosen.model,
        "parameters": chosen.figures.parameters,
        "precision": chosen.precision,
        "setting": chosen.setting,
        "trained_on": chosen.trained.words,
        "frame_tokens": chosen.size.tokens,
        "window_tokens": chosen.window_tokens,
        "context": chosen.figures.context,
        "batch": chosen.batch,
        "weights_bytes": parts.weights,
        "cache_bytes": parts.kv,
        "activations_bytes": parts.activations,
        "context_bytes": parts.context,
        "total_bytes": parts.total,
    }


def machine_document(machine: Machine) -> list[dict[str, Any]]:
    return [
        {"name": device.name, "label": device.label, "free_bytes": memory.free, "total_bytes": memory.total}
        for device, memory in machine.devices
    ] or [{"name": "cpu", "label": "CPU", "free_bytes": machine.room.free, "total_bytes": machine.room.total}]
