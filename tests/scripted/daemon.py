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
    settings = load_settings(Path(sys.argv[1]))
    asyncio.run(Daemon(settings, "--once" in sys.argv, WORKER).run())
