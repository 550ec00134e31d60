"""transformers counts the weights it loads, for a bar on a terminal; here the count becomes signs of progress."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sized
from typing import Any

from transformers.utils import logging

_EVERY_SECONDS = 0.5


class _Counted(logging.EmptyTqdm):  # type: ignore[misc]
    """In place of a bar: goes over the same things, and says now and then how many it has had."""

    def __init__(self, things: Any, progress: Callable[[str], None]) -> None:
        super().__init__(things)
        self._things = things
        self._progress = progress

    def __iter__(self) -> Iterator[Any]:
        total, said = len(self._things), time.monotonic()
        for number, thing in enumerate(self._things, 1):
            yield thing
            if time.monotonic() - said >= _EVERY_SECONDS or number == total:
                said = time.monotonic()
                self._progress(f"weights {number} of {total}")


@contextlib.contextmanager
def counted(progress: Callable[[str], None]) -> Iterator[None]:
    """`progress` hears "weights 120 of 400" of whatever is loaded inside, twice a second at most."""

    def count(bar: Callable[..., Any], things: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return _Counted(things[0], progress) if things and isinstance(things[0], Sized) else bar(*things, **options)

    before = logging.set_tqdm_hook(count)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)
