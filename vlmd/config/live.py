"""The settings as they are now: a reload changes them while the daemon runs."""

from __future__ import annotations

from collections.abc import Callable

from vlmd.config.settings import Settings


class Live:
    """Parts keep this and read `now` at each use, so that every part goes by the same settings."""

    def __init__(self, now: Settings, again: Callable[[], Settings] | None = None) -> None:
        self.now = now
        self._again = again or (lambda: now)

    def read_again(self) -> Settings:
        """What the files and the environment say by now; `now` stays as it is. Raises `ConfigError`."""
        return self._again()
