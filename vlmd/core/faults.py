"""What is wrong with a model, as it is told everywhere: by the doctor, at load, in the status, by `vlmd models`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vlmd.core.errors import Code, Failure

_CHANGED = frozenset({Code.MODEL_UNSAFE, Code.UNKNOWN_ARCHITECTURE, Code.PRECISION_UNSUPPORTED})
"""What a change of the configuration helps against: this counts from a restart on."""


class Fault(NamedTuple):
    """One thing that is wrong, and what to do about it."""

    code: Code
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.found}; {self.remedy}"


def failure_of(where: str, faults: Sequence[Fault]) -> Failure:
    """All that is wrong with the model at `where`, in one sentence; the first fault gives the code."""
    code = faults[0].code
    remedies = "; ".join(dict.fromkeys(fault.remedy for fault in faults))
    after = "restart vlmd" if code in _CHANGED else "`vlmd resume`"
    found = "; ".join(fault.found for fault in faults)
    return Failure(code, found if found.startswith(where) else f"{where}: {found}", f"{remedies}, then {after}")
