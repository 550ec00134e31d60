"""What a device without a video before it is doing, in words. Pure; for `status` and `top` alike."""

from __future__ import annotations

from typing import Any

from vlmd.core.names import shown
from vlmd.tui import cells


def doing(device: dict[str, Any]) -> str:
    """How far it is loaded, which model it is about to have; "" where there is nothing to tell."""
    if device["state"] == "loading":
        return shown(device["stage"]) + _progress(device.get("loading") or {})
    if device["state"] == "swapping" and device.get("next_model"):
        return f"makes room for {shown(device['next_model'])}"
    if device["state"] == "lent" and device.get("lent_to"):
        return f"with {shown(device['lent_to'])}"
    return ""


def swaps(document: dict[str, Any]) -> str:
    """How often devices changed their models, and what it took; "" where none did."""
    told = document.get("swaps") or {"count": 0}
    if not told["count"]:
        return ""
    return f"{told['count']:,} model {'swap' if told['count'] == 1 else 'swaps'}, {cells.duration(told['seconds'])}"


def _progress(loading: dict[str, Any]) -> str:
    share, left, seconds = (loading.get(key) for key in ("share", "left_s", "seconds"))
    words = [f"{100 * share:.0f} %"] if share is not None else []
    if left is not None:
        words.append(f"{cells.duration(left)} left")
    elif seconds is not None:
        words.append(f"for {cells.duration(seconds)}")
    return "".join(f", {word}" for word in words)
