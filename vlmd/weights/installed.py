"""Which packages that some models need beside transformers are installed; none is imported for it."""

from __future__ import annotations

from importlib.util import find_spec

from vlmd.core.abilities import PACKAGES


def installed() -> frozenset[str]:
    return frozenset(module for module in PACKAGES if find_spec(module) is not None)
