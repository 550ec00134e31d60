"""What was found when a model was tried on pictures of which it is known how it must behave. Pure data."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must hold."""

    name: str
    ok: bool
    said: str
    """What was found, in figures."""
    serious: bool = False
    """Without it no answer of this model is worth anything: the model is not used."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, for one checkpoint at one precision on one kind of device."""

    checks: Sequence[Check]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.ok]

    @property
    def refusal(self) -> str | None:
        """Why the model must not be used; None if it may."""
        serious = [f"{check.name}: {check.said}" for check in self.failed if check.serious]
        return "; ".join(serious) or None
