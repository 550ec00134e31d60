"""Xid numbers, by which NVIDIA's driver reports errors: which make a GPU unfit for work, and what helps. Pure.

After NVIDIA's catalogue (docs.nvidia.com/deploy/xid-errors). What an application did wrong, or what the driver
cleared up by ending it, ends that process and no more: its worker dies, says so, and is started again.
"""

from __future__ import annotations

_RESET = "reset the GPU (`nvidia-smi --gpu-reset`, with vlmd stopped) or restart the machine"
_RESTART = "restart the machine; if it happens again, have the GPU, its slot and its power looked at"
_MEMORY = "reset the GPU (`nvidia-smi --gpu-reset`, with vlmd stopped); if it happens again, have it replaced"
_LINK = "restart the machine; if it happens again, have the GPU's NVLink looked at"

SICK: dict[int, tuple[str, str]] = {
    46: ("it stopped processing", _RESET),
    48: ("an uncorrectable (double bit) memory error", _MEMORY),
    61: ("its microcontroller halted", _RESET),
    62: ("its microcontroller halted", _RESET),
    63: ("a row of its memory is to be remapped, or a page retired, at the next reset", _MEMORY),
    64: ("a row of its memory could not be remapped, or a page not retired", _MEMORY),
    74: ("an error of its NVLink", _LINK),
    79: ("it has fallen off the bus", _RESTART),
    92: ("a high rate of corrected memory errors", _MEMORY),
    94: ("a contained uncorrectable memory error", _MEMORY),
    95: ("an uncontained uncorrectable memory error", _MEMORY),
    119: ("its system processor (GSP) does not answer", _RESET),
    120: ("its system processor (GSP) failed", _RESET),
    140: ("an unrecovered memory error", _MEMORY),
    143: ("it could not be initialised", _RESTART),
}
"""Xid → (what happened, what helps). Every other number leaves the GPU in service."""

APPLICATION: dict[int, str] = {
    8: "a computation took too long",
    13: "a computation failed",
    31: "a computation used memory that is not its own",
    43: "the computations of a process were stopped",
    45: "the computations of a process were cleared away",
}


def verdict(xid: int) -> str | None:
    """Why a GPU with this Xid is not to be used any more; None if it may be."""
    if xid not in SICK:
        return None
    happened, helps = SICK[xid]
    return f"Xid {xid}: {happened}; {helps}, then `vlmd resume` it"


def meaning(xid: int) -> str:
    """What to tell of a Xid that leaves the GPU in service."""
    return APPLICATION.get(xid, "see NVIDIA's catalogue of Xid errors")
