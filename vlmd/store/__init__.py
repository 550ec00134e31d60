"""The database: one file, one writer.

`Store` opens it, guards it and runs verbs; the verbs, one function and one transaction each, lie in `files`,
`jobs` and `windows`. `reader` takes snapshots for everybody else.
"""

from vlmd.store.store import Store

__all__ = ["Store"]
