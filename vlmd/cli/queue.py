"""Verbs that change the queue: submit, retry, cancel, merge."""

from __future__ import annotations

from pathlib import Path

import click

from vlmd.cli import completing
from vlmd.cli.client import Client
from vlmd.cli.words import json_option, print_json
from vlmd.config import Given, load_settings

job_argument = click.argument("job", type=click.IntRange(min=1), shell_complete=completing.jobs)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "-p", "--pipeline", shell_complete=completing.pipelines, help="The pipeline. [default: inbox.default_pipeline]"
)
@click.option("--next", "first", is_flag=True, help="Put it at the front of the queue.")
@json_option
@click.pass_obj
def submit(given: Given, path: Path, pipeline: str | None, first: bool, as_json: bool) -> None:
    """Register the video PATH where it lies; it is not copied."""
    job = Client(load_settings(given)).submit(path.absolute(), pipeline, first)
    _say(job, f"job {job}: registered; `vlmd show {job}` tells how it goes", as_json)


@click.command()
@job_argument
@click.option("--fresh", is_flag=True, help="Ask every window again, also those that were answered.")
@json_option
@click.pass_obj
def retry(given: Given, job: int, fresh: bool, as_json: bool) -> None:
    """Take up an ended JOB again. What was answered is kept."""
    Client(load_settings(given)).act(job, "retry", {"fresh": fresh})
    _say(job, f"job {job}: queued again", as_json)


@click.command()
@job_argument
@json_option
@click.pass_obj
def cancel(given: Given, job: int, as_json: bool) -> None:
    """End JOB without a result. What was answered is kept for a retry."""
    Client(load_settings(given)).act(job, "cancel")
    _say(job, f"job {job}: cancelled", as_json)


@click.command()
@job_argument
@json_option
@click.pass_obj
def merge(given: Given, job: int, as_json: bool) -> None:
    """Write JOB's result anew. From its stored answers, with the gap and labels configured now; needs no GPU."""
    Client(load_settings(given)).act(job, "merge")
    _say(job, f"job {job}: its result is written anew", as_json)


def _say(job: int, text: str, as_json: bool) -> None:
    if as_json:
        print_json({"job": job})
    else:
        click.echo(text, err=True)
