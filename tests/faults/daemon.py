"""The scripted daemon that writes down what it has acknowledged: `python -m tests.faults.daemon CONFIG [--once]`.

A line goes to `state/acknowledged` when a transaction has returned, so that whoever records its side effects knows
what must be on disk. FAULTS_SYNCHRONOUS=1 lets SQLite be careless (NORMAL): the recording has to notice.
"""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from tests.scripted import WORKER
from vlmd import log
from vlmd.config import load_settings
from vlmd.store import Store, files, jobs, store, windows
from vlmd.supervisor.daemon import Daemon

CHECKPOINT_PAGES = 30
"""So that a short run copies its log into the database many times."""


def acknowledged(verb: object, args: tuple[Any, ...], result: Any) -> dict[str, Any] | None:
    """What a verb that has returned stands for, if that is more than a change of state."""
    if verb is files.take:
        return {"jobs": [taken.job for taken in result if taken.job is not None]}
    if verb is windows.checkpoint:
        return {"answers": [[one.answer.lease, one.answer.window] for one in result[0]]}
    if verb is jobs.merged and result:
        return {"done": args[0]}
    return None


def write_down(path: Path) -> None:
    """Every transaction of this process, from now on."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    write = Store.write

    async def writing(self: Store, verb: Any, *args: Any, **kwargs: Any) -> Any:
        result = await write(self, verb, *args, **kwargs)
        if (said := acknowledged(verb, args, result)) is not None:
            os.write(fd, json.dumps(said).encode() + b"\n")
        return result

    Store.write = writing  # type: ignore[method-assign]


if __name__ == "__main__":
    log.to_stderr(logging.INFO)
    settings = load_settings(Path(sys.argv[1]))
    store._PRAGMAS["wal_autocheckpoint"] = CHECKPOINT_PAGES
    store._PRAGMAS["synchronous"] = int(os.environ.get("FAULTS_SYNCHRONOUS", "2"))
    settings.paths.state.mkdir(exist_ok=True)
    write_down(settings.paths.state / "acknowledged")
    asyncio.run(Daemon(settings, "--once" in sys.argv, WORKER).run())
