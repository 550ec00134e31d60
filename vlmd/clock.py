"""The wall clock, for what is written down: UTC milliseconds since 1970. Pure code gets its times passed in."""

from __future__ import annotations

import time


def now_ms() -> int:
    return time.time_ns() // 1_000_000
