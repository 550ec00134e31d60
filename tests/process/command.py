"""The real command line with scripted workers: `python -m tests.process.command -c CONFIG run [--once]`."""

import functools

from vlmd.cli import main, run
from vlmd.supervisor.daemon import Daemon
from vlmd.supervisor.process import python

if __name__ == "__main__":
    run.Daemon = functools.partial(Daemon, worker_command=python("tests.scripted.worker"))
    main()
