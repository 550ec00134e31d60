"""Which models suit a machine, and at which precision: from their figures and what its smallest device has. Pure.

Nobody has measured here which model sees most. What is known counts, in this order: that some windows fit together,
whether a family was trained on videos, and its size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vlmd.core import plans
from vlmd.core.abilities import Card, Wishes, lacking
from vlmd.core.errors import WorkerError
from vlmd.core.families import Trained, trained_on
from vlmd.core.figures import Figures, FrameSize
from vlmd.core.plans import Parts, Shape

ENOUGH = 8
"""Windows at once that make a larger batch worth less than better weights."""
FEW = 4
"""Windows at once below which a model is proposed only after those that have more room."""
MOST = 32
"""Windows at once, at the most: a lease holds no more."""
CPU_MOST = 4
"""The same of a CPU, where a batch saves little time."""
CPU_PARAMETERS = 600_000_000
"""A larger model answers too slowly on a CPU to be proposed."""


@dataclass(frozen=True)
class Room:
    """What one worker may have: of several devices, the least."""

    free: int
    total: int
    gpu: bool = True
    capability: int | None = None
    """Ten times a GPU's compute capability; where nobody says it is taken for a newer one."""

    @property
    def float(self) -> str:
        """The fastest arithmetic: what "auto" takes where the weights fit, and what quantized ones are computed in."""
        if not self.gpu:
            return "fp32"
        return "fp16" if self.lacks("bf16") else "bf16"

    def lacks(self, precision: str) -> str | None:
        """Why the device cannot compute at a precision, and what to take; None where it can."""
        capability = None if self.capability is None else divmod(self.capability, 10)
        wishes = Wishes(precision, "auto", adapter=False)
        return next((str(fault) for fault in lacking(wishes, Card("this GPU", capability), ())), None)


@dataclass(frozen=True)
class Proposal:
    """A model at a precision, and what it takes with the largest batch that fits."""

    model: str
    figures: Figures
    shape: Shape
    precision: str
    size: FrameSize
    batch: int
    parts: Parts
    setting: str
    """`precision` as config.toml says it: "auto" where that comes to it."""

    @property
    def trained(self) -> Trained:
        return trained_on(self.figures.architecture)

    @property
    def window_tokens(self) -> int:
        return plans.prompt_tokens(self.figures, self.size, self.shape)


def proposals(models: Mapping[str, Figures], room: Room, shape: Shape) -> list[Proposal]:
    """Those that fit, the best first."""
    able = {name: each for name, each in models.items() if room.gpu or each.parameters <= CPU_PARAMETERS}
    fitting = [found for name, each in able.items() if (found := proposed(name, each, room, shape))]
    return sorted(fitting, key=_rank)


def proposed(name: str, figures: Figures, room: Room, shape: Shape, precision: str | None = None) -> Proposal | None:
    """One model, at the precision that is asked for, or that suits it best; None where not one window fits."""
    choices = [precision] if precision else [room.float, "nf4"] if room.gpu else [room.float]
    try:
        size = plans.chosen_size(figures, shape)
    except WorkerError:
        return None
    most = MOST if room.gpu else CPU_MOST
    batches = {each: plans.largest_batch(figures, each, size, shape, room.free, most=most) for each in choices}
    taken = _precision(batches)
    if not batches[taken]:
        return None
    parts = plans.plan(figures, taken, size, shape, batches[taken])
    automatic = plans.automatic(figures, shape, room.total, room.float) if room.gpu else room.float
    setting = "auto" if taken == automatic and precision is None else taken
    return Proposal(name, figures, shape, taken, size, batches[taken], parts, setting)


def shortage(figures: Figures, room: Room, shape: Shape, precision: str | None = None) -> str:
    """Why a model does not fit, as the end of a sentence."""
    try:
        plans.chosen_size(figures, shape)
    except WorkerError as error:
        return error.failure.reason
    taken = precision or ("nf4" if room.gpu else room.float)
    needs = plans.one_window(figures, taken, shape).total
    return f"takes {needs / 1e9:.1f} GB with {taken} weights, and {room.free / 1e9:.1f} GB are free"


def _precision(batches: Mapping[str, int]) -> str:
    """The first with which enough windows fit, else the one with which most do."""
    enough = next((each for each, batch in batches.items() if batch >= ENOUGH), None)
    return enough or max(batches, key=lambda each: batches[each])


def _rank(found: Proposal) -> tuple[bool, int, int, str]:
    return found.batch < FEW, -found.trained, -found.figures.parameters, found.model
