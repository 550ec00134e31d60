"""What comes with a video, on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from vlmd.core.inputs import Inputs
from vlmd.core.video import seconds_to_ms

T = TypeVar("T")


def inputs_options(command: Callable[..., T]) -> Callable[..., T]:
    """Adds the parameters `question`, `choices` and `moments`."""
    options = (
        click.option("--question", help="What is asked of this video, where the prompt has a place for it."),
        click.option("--choice", "choices", multiple=True, help="One of the choices; once for each."),
        click.option("--at", "moments", type=click.FloatRange(0), multiple=True, help="A moment that matters, in s."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def inputs_of(question: str | None, choices: Sequence[str], moments: Sequence[float]) -> Inputs | None:
    """None where nothing was given."""
    times = tuple(sorted(map(seconds_to_ms, moments)))
    inputs = Inputs(question=question, choices=tuple(choices), timestamps_ms=times)
    return None if inputs == Inputs() else inputs
