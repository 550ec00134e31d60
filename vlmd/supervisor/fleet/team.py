"""Several devices for one worker, because its model is larger than one card.

Groups are fixed by position: devices 0 to N-1, N to 2N-1, and so on. The worker belongs to the first device of its
group; the others are lent to that one, have no worker of their own meanwhile, and go back when the worker has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from vlmd.supervisor.fleet.states import SlotState

if TYPE_CHECKING:
    from vlmd.supervisor.fleet.slot import Slot


class Team:
    """Whom a slot's device is lent to, and which devices are lent to it."""

    def __init__(self, owner: Slot) -> None:
        self.lent_to: Slot | None = None
        self.partners: list[Slot] = []
        self._owner = owner
        self._leaving: list[Slot] = []
        """Partners of a worker that is about to end: they go back when it has."""

    @property
    def awaited(self) -> str | None:
        """Partners that are not free yet, in words."""
        late = [slot.name for slot in self.partners if slot.worker is not None or slot.state != SlotState.LENT]
        return f"waits for {', '.join(late)}" if late else None

    @property
    def broken(self) -> bool:
        """A partner is to rest."""
        return any(slot.paused or slot.sick is not None for slot in self.partners)

    # --- as the one with the worker -------------------------------------------------------------------------

    def take(self, others: Iterable[Slot]) -> None:
        """From now on these devices are the owner's; the ones that were before go back."""
        wanted = list(others)
        self._leaving += [slot for slot in self.partners if slot not in wanted]
        self.partners = wanted
        for slot in wanted:
            slot.team.join(self._owner)
        if self._owner.worker is None:
            self.give_back()

    def give_back(self) -> None:
        """The worker that had them has ended: partners that are not needed any more are free."""
        leaving, self._leaving = self._leaving, []
        for slot in leaving:
            slot.team.return_to(self._owner)

    def dissolve(self) -> None:
        """The worker that had them has ended, and there will be no other."""
        self._leaving += self.partners
        self.partners = []
        self.give_back()

    def part(self, drain: bool) -> None:
        """A partner is to rest: the worker ends, and the devices go back."""
        self._owner.unloaded = True
        self._owner.let_worker_go(drain)

    async def part_at_once(self, reason: str) -> None:
        """A partner is sick: the worker cannot be trusted."""
        self._owner.unloaded = True
        self._owner.wake()
        if self._owner.worker is not None:
            await self._owner.worker.abandon(reason, SlotState.UNLOADING)

    # --- as one that is lent --------------------------------------------------------------------------------

    def join(self, other: Slot) -> None:
        """The owner's device is for the other one's worker from now on; its own ends."""
        if self.lent_to is other:
            return
        self.lent_to = other
        self.take(())
        worker = self._owner.worker
        if worker is not None and not worker.told_to_end:
            worker.leave(SlotState.SWAPPING)
        self._owner.wake()

    def return_to(self, other: Slot) -> None:
        """The owner's device is its own again, and has no worker until there is work."""
        if self.lent_to is other:
            self.lent_to = None
            self._owner.rest_unloaded()


def group_of(slots: Sequence[Slot], slot: Slot, count: int) -> list[Slot]:
    """The group of `count` neighbours that a slot belongs to; empty where there are too few, or of different kinds."""
    if count == 1:
        return [slot]
    first = slots.index(slot) // count * count
    group = list(slots[first : first + count])
    alike = len({member.device.kind for member in group}) == 1
    return group if len(group) == count and alike else []
