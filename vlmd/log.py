"""Logs: one line a record, to stderr; with priorities where journald reads them."""

from __future__ import annotations

import logging
import os
import sys

from vlmd.core.names import shown

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _OneLine(logging.Formatter):
    """One line without control characters, whatever a record holds: names and answers are strangers' text."""

    def __init__(self, journal: bool) -> None:
        super().__init__(
            "%(name)s: %(message)s" if journal else "%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"
        )
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        line = shown(super().format(record).replace("\n", " | "))
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{line}" if self._journal else line


def to_stderr(level: int) -> None:
    """Send this process's logs to stderr; libraries speak up from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine(journal="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("vlmd").setLevel(level)
