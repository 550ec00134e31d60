"""vlmd: drop videos into a folder, get what a vision-language model saw in them.

`vlmd.run`, `vlmd.read` and `vlmd.connect` are for Python programs; see `vlmd.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vlmd.api import connect, read, run

__all__ = ["__version__", "connect", "read", "run"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """What is for Python programs is imported when it is used: every process of vlmd imports this package."""
    if name in ("connect", "read", "run"):
        from vlmd import api

        return getattr(api, name)
    raise AttributeError(f"module 'vlmd' has no attribute {name!r}")
