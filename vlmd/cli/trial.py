"""`vlmd try`: a few windows of a video, answered on the screen; nothing is queued, nothing is stored."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import click
import msgspec

from vlmd.cli import completing
from vlmd.cli.bars import Doing
from vlmd.cli.inputs import inputs_of, inputs_options
from vlmd.cli.words import clock, json_option, print_json
from vlmd.config import Given, Settings, load_settings
from vlmd.core.errors import UsageError, VlmdError
from vlmd.core.inputs import Inputs
from vlmd.core.messages.worker import WindowAnswered
from vlmd.core.names import shown
from vlmd.core.numbers import counted
from vlmd.core.tasks.base import Reading
from vlmd.supervisor.asking import task_of
from vlmd.supervisor.trial import Trial


@click.command(name="try")
@click.argument("pipeline", shell_complete=completing.pipelines)
@click.argument("video", type=click.Path(path_type=Path))
@click.option(
    "--windows", "count", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many windows."
)
@inputs_options
@json_option
@click.pass_obj
def trial(
    given: Given,
    pipeline: str,
    video: Path,
    count: int,
    question: str | None,
    choices: tuple[str, ...],
    moments: tuple[float, ...],
    as_json: bool,
) -> None:
    """Ask PIPELINE about a bit of VIDEO. Windows are spread evenly; nothing is queued or stored."""
    settings = load_settings(given)
    settings.require_runnable()
    if pipeline not in settings.pipelines:
        raise UsageError(f"there is no pipeline {pipeline!r}; there is {', '.join(sorted(settings.pipelines))}")
    found = asyncio.run(
        tried(settings, pipeline, video.absolute(), count, as_json, inputs_of(question, choices, moments))
    )
    if as_json:
        print_json(found)
    if not found:
        raise VlmdError("not one window was answered")


async def tried(
    settings: Settings, pipeline: str, video: Path, count: int, quiet: bool, inputs: Inputs | None = None
) -> list[dict[str, Any]]:
    """What a pipeline says of so many windows of a video, each told as it is answered unless `quiet`."""
    task = task_of(settings.pipelines[pipeline], inputs)
    found = []
    with Doing() as doing:
        doing.say(f"looking up the revision of {settings.pipelines[pipeline].model}")
        attempt = Trial(settings, pipeline, inputs, doing.say)
        async for start_ms, end_ms, answer in attempt.answers(os.fsencode(video), count):
            reading = task.read(answer.text, answer.tokens, answer.usage.finish, answer.option_logprobs)
            found.append(_document(start_ms, end_ms, answer, reading))
            with doing.aside():
                if not quiet:
                    _print(found[-1])
            doing.say(f"{len(found)} of {counted(attempt.asked, 'window')} answered")
    return found


def _document(start_ms: int, end_ms: int, answer: WindowAnswered, reading: Reading) -> dict[str, Any]:
    return {
        "start_s": start_ms / 1000,
        "end_s": end_ms / 1000,
        "outcome": reading.outcome,
        "reading": msgspec.to_builtins(reading),
        "text": answer.text,
        "prompt_tokens": answer.usage.prompt_tokens,
        "new_tokens": answer.usage.new_tokens,
        "generate_ms": answer.timings.generate_ms,
    }


def _print(window: dict[str, Any]) -> None:
    span = f"{clock(window['start_s'])} to {clock(window['end_s'])}"
    tokens = f"{window['prompt_tokens']} + {window['new_tokens']} tokens"
    click.echo(f"{span}: {window['outcome']} ({tokens}, {window['generate_ms']} ms)")
    for line in window["text"].splitlines() or [""]:
        click.echo(f"    {shown(line)}")
    if letters := window["reading"].get("probabilities"):
        click.echo(f"    {', '.join(f'{letter} {share:.3f}' for letter, share in letters.items())}")
