"""Which model a device should have: the scheduler's rule, asked for devices as they are, alone and in groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from vlmd.core.errors import Code, Failure
from vlmd.core.messages.worker import ModelSpec
from vlmd.store.windows import OpenJob
from vlmd.supervisor.fleet import scheduler
from vlmd.supervisor.fleet.slot import Slot
from vlmd.supervisor.fleet.team import group_of


class Choice:
    def __init__(self, models: Mapping[str, ModelSpec], slots: Sequence[Slot]) -> None:
        self._models = models
        self._slots = slots

    def group(self, slot: Slot, model: ModelSpec) -> list[Slot]:
        """The devices that a worker with this model takes if it takes this one; the first has the worker."""
        return group_of(self._slots, slot, model.devices)

    def wanted(self, slot: Slot, jobs: Sequence[OpenJob]) -> str | None:
        """The model it should load for one of these jobs; None if it should keep the one it has."""
        batches = {name: model.max_batch for name, model in self._models.items()}
        elsewhere = self._elsewhere([slot])
        if slot.at_rest:
            return scheduler.model_to_load(jobs, elsewhere, batches)
        return scheduler.next_model(jobs, slot.model.name, elsewhere, batches)

    def open_to(self, slot: Slot, jobs: Sequence[OpenJob]) -> list[OpenJob]:
        """Those whose model is configured, and can be loaded on this device as far as is known.

        Of models that take several devices only the one it has, and those that all of its group should have.
        """
        known = [job for job in jobs if job.model in self._models]
        named = dict.fromkeys(job.model for job in known)
        usable = {name for name in named if self.can_have(slot, name) and self._agreed(slot, name, known)}
        return [job for job in known if job.model in usable]

    def can_have(self, slot: Slot, name: str) -> bool:
        """Nothing that is known keeps this device from serving this model, together with its neighbours if need be."""
        group = self.group(slot, self._models[name])
        if not group or name in group[0].refused:
            return False
        if len(group) == 1:
            return True
        lent = [member.team.lent_to for member in group]
        return all(member.able for member in group) and all(owner is None or owner in group for owner in lent)

    def _agreed(self, slot: Slot, name: str, jobs: Sequence[OpenJob]) -> bool:
        """Every device of the group would rather have this model than what it has."""
        group = self.group(slot, self._models[name])
        if len(group) == 1 or group[0].serves == name:
            return True
        deciding = [member for member in group if member.team.lent_to is None]
        return all(self._would_have(member, name, jobs) for member in deciding)

    def _would_have(self, member: Slot, name: str, jobs: Sequence[OpenJob]) -> bool:
        """As `wanted` says, for a device that could have this model, the one it serves, and any for one device."""
        mine = [
            job
            for job in jobs
            if job.model in (name, member.serves)
            or (self._models[job.model].devices == 1 and job.model not in member.refused)
        ]
        return self.wanted(member, mine) == name

    def _elsewhere(self, here: Iterable[Slot]) -> Counter[str]:
        """How many other devices serve each model."""
        others = (slot for slot in self._slots if slot not in here)
        return Counter(slot.serves for slot in others if slot.serves is not None)


def too_few(models: Mapping[str, ModelSpec], slots: Sequence[Slot]) -> dict[str, Failure]:
    """Models that take more devices than there are side by side."""
    return {
        name: too_few_devices(model, len(slots))
        for name, model in models.items()
        if not any(group_of(slots, slot, model.devices) for slot in slots)
    }


def too_few_devices(model: ModelSpec, there: int) -> Failure:
    reason = f"{model.name} takes {model.devices} devices of one kind (devices_per_worker), and there are {there}"
    return Failure(Code.TOO_FEW_DEVICES, reason)
