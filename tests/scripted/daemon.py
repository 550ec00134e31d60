"""The real daemon with scripted workers: `python -m tests.scripted.daemon CONFIG [--once]`."""

import asyncio
import logging
import sys
from pathlib import Path

from tests.scripted import WORKER
from vlmd import log
from vlmd.config import load_settings
from vlmd.supervisor.daemon import Daemon

if __name__ == "__main__":
    log.to_stderr(logging.INFO)
    config = Path(sys.argv[1])
    daemon = Daemon(load_settings(config), "--once" in sys.argv, WORKER, lambda: load_settings(config))
    asyncio.run(daemon.run())
