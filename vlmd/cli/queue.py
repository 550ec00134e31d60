"""Verbs that change the queue: submit, retry, cancel, merge."""

from __future__ import annotations

from pathlib import Path

import click

from vlmd.cli import completing
from vlmd.cli.client import Client
from vlmd.cli.inputs import inputs_of, inputs_options
from vlmd.cli.waiting import wait_for
from vlmd.cli.words import json_option, print_json
from vlmd.config import Given, load_settings
from vlmd.core.errors import VlmdError
from vlmd.manifests import SUFFIXES

job_argument = click.argument("job", type=click.IntRange(min=1), shell_complete=completing.jobs)
_wait_option = click.option("--wait", is_flag=True, help="Wait until it has ended; exit code 1 if it has no result.")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "-p", "--pipeline", shell_complete=completing.pipelines, help="The pipeline. [default: inbox.default_pipeline]"
)
@click.option("--next", "first", is_flag=True, help="Put it at the front of the queue.")
@click.option("--limit", type=click.IntRange(min=1), help="Of a manifest: its first so many samples.")
@inputs_options
@_wait_option
@json_option
@click.pass_obj
def submit(
    given: Given,
    path: Path,
    pipeline: str | None,
    first: bool,
    limit: int | None,
    question: str | None,
    choices: tuple[str, ...],
    moments: tuple[float, ...],
    wait: bool,
    as_json: bool,
) -> None:
    """Register the video PATH where it lies; it is not copied. A manifest (.json, .jsonl, .csv): all its samples."""
    client = Client(load_settings(given))
    if path.suffix.lower() in SUFFIXES:
        _submit_manifest(client, path.absolute(), pipeline, limit, as_json)
        return
    job = client.submit(path.absolute(), pipeline, first, inputs_of(question, choices, moments))
    _say(job, f"job {job}: registered; `vlmd show {job}` tells how it goes", as_json)
    if wait:
        wait_for(client, job)


def _submit_manifest(client: Client, path: Path, pipeline: str | None, limit: int | None, as_json: bool) -> None:
    taken, problem = client.submit_manifest(path, pipeline, limit)
    if as_json:
        print_json({"jobs": taken, "problem": problem})
    else:
        click.echo(f"{len(taken)} samples have a job; `vlmd jobs` tells how they go", err=True)
    if problem:
        raise VlmdError(f"{path}: {problem}")


@click.command()
@job_argument
@click.option("--fresh", is_flag=True, help="Ask every window again, also those that were answered.")
@_wait_option
@json_option
@click.pass_obj
def retry(given: Given, job: int, fresh: bool, wait: bool, as_json: bool) -> None:
    """Take up an ended JOB again. What was answered is kept."""
    client = Client(load_settings(given))
    client.act(job, "retry", {"fresh": fresh})
    _say(job, f"job {job}: queued again", as_json)
    if wait:
        wait_for(client, job)


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
@_wait_option
@json_option
@click.pass_obj
def merge(given: Given, job: int, wait: bool, as_json: bool) -> None:
    """Write JOB's result anew. From its stored answers, with the gap and labels configured now; needs no GPU."""
    client = Client(load_settings(given))
    client.act(job, "merge")
    _say(job, f"job {job}: its result is written anew", as_json)
    if wait:
        wait_for(client, job)


def _say(job: int, text: str, as_json: bool) -> None:
    if as_json:
        print_json({"job": job})
    else:
        click.echo(text, err=True)
