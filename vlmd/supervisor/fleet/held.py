"""What a worker has in its hands: leases, and the windows of them that are on the device. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from vlmd.core.messages.worker import RunWindows
from vlmd.supervisor.fleet.states import Lost


@dataclass
class Held:
    leases: dict[int, RunWindows] = field(default_factory=dict)
    begun: set[tuple[int, int]] = field(default_factory=set)
    """(lease, window) pairs of batches that were begun and not answered."""
    _alone: int | None = None

    def has_room(self, most: int) -> bool:
        """Another lease may be added, so that there are at most so many."""
        return len(self.leases) < most and self._alone not in self.leases

    def take(self, run: RunWindows, alone: bool) -> None:
        """Hold a lease; one that is to be `alone` is the only one until it has ended."""
        if alone:
            self._alone = run.lease
        self.leases[run.lease] = run

    def of_job(self, job: int) -> list[int]:
        return [lease for lease, run in self.leases.items() if run.job == job]

    def blame_first(self) -> None:
        """A worker that hangs before it has begun a window hangs over the first one it was given."""
        if self.leases and not self.begun:
            first = next(iter(self.leases.values()))
            self.begun.add((first.lease, first.windows[0].index))

    def drop(self, worker: str, reason: str, blamed: bool) -> Lost:
        """Everything at once, as the worker is lost; `blamed` windows may be why it died."""
        lost = Lost(worker, list(self.leases), sorted(self.begun) if blamed else [], reason)
        self.leases.clear()
        self.begun.clear()
        return lost
