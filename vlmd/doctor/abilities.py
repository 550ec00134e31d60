"""Whether the devices can do what the models are configured for, by the rules that workers refuse by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vlmd.core.abilities import Card, Wishes, lacking
from vlmd.core.errors import VlmdError
from vlmd.core.faults import failure_of
from vlmd.doctor.findings import Finding, Setting, fail, warn
from vlmd.doctor.models import folder_of, used
from vlmd.weights import installed


def cards(use: str | Sequence[str], torch: dict[str, Any]) -> list[Card]:
    """The devices that vlmd uses: GPUs as torch sees them, or the CPU."""
    if use != "auto" and all(name == "cpu" for name in use):
        return [Card("a CPU", None)]
    seen = [device for device in torch.get("devices", []) if "capability" in device]
    return [Card(device["name"], (device["capability"][0], device["capability"][1])) for device in seen]


def judged_models(setting: Setting, there: Sequence[Card]) -> list[Finding]:
    """The models that some device cannot have as they are configured."""
    return [finding for name in used(setting) if (finding := _judged(setting, name, there)) is not None]


def _judged(setting: Setting, name: str, there: Sequence[Card]) -> Finding | None:
    model = setting.settings.models[name]
    wishes = Wishes(model.precision, model.attention, model.adapter is not None)
    found = [list(lacking(wishes, card, installed())) for card in there]
    faults = list(dict.fromkeys(fault for each in found for fault in each))
    if not faults:
        return None
    try:
        where = str(folder_of(setting, name))
    except VlmdError:  # the check of the models says it
        where = model.origin
    failure = failure_of(where, faults)
    level = fail if all(found) else warn
    return level(f"model {name}", failure.reason, failure.remedy)
