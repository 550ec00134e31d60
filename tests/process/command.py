"""The real command line with scripted workers: `python -m tests.process.command -c CONFIG run [--once]`."""

import functools

from tests.scripted import WORKER
from vlmd.cli import main, run
from vlmd.supervisor.daemon import Daemon

if __name__ == "__main__":
    run.Daemon = functools.partial(Daemon, worker_command=WORKER)
    main()
