"""Verbs that read: status, jobs, show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vlmd.cli import completing
from vlmd.cli.client import Client
from vlmd.cli.progress import problem_line
from vlmd.cli.queue import job_argument
from vlmd.cli.results import of_job
from vlmd.cli.words import clock, compared, json_option, nearest, percent, print_json, print_table, size
from vlmd.config import Given, load_settings
from vlmd.core.names import shown
from vlmd.core.states import JobState
from vlmd.outputs.formats.shown import read
from vlmd.tui.doing import doing as what_it_does
from vlmd.tui.doing import swaps
from vlmd.tui.problems import problems, unlisted


@click.command()
@json_option
@click.pass_obj
def status(given: Given, as_json: bool) -> None:
    """Show devices, queue and problems. Whatever went wrong comes with what helps."""
    document = Client(load_settings(given)).status()
    if as_json:
        print_json(document)
        return
    _print_devices(document["devices"])
    _print_queue(document)
    _print_problems(document)


@click.command()
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only jobs in this state.")
@click.option("-p", "--pipeline", shell_complete=completing.pipelines, help="Only jobs of this pipeline.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many, the newest."
)
@json_option
@click.pass_obj
def jobs(given: Given, state: str | None, pipeline: str | None, limit: int, as_json: bool) -> None:
    """List jobs, oldest first."""
    listed = Client(load_settings(given)).jobs(state, pipeline, limit)
    if as_json:
        print_json(listed)
        return
    columns = ["job", "pipeline", "video", "state", "windows", "found", "doubts"]
    print_table(columns, [_job_row(job) for job in listed])


@click.command()
@job_argument
@click.option("--result", "--so-far", "so_far", is_flag=True, help="Merge what is answered so far, and print that.")
@json_option
@click.pass_obj
def show(given: Given, job: int, so_far: bool, as_json: bool) -> None:
    """Show one JOB. Its video, its windows, what failed and why, where its result lies."""
    settings = load_settings(given)
    if so_far:
        result = of_job(settings, job)
        print_json(result) if as_json else _print_result(result)
        return
    document = Client(settings).job(job)
    if as_json:
        print_json(document)
        return
    _print_job(document, settings.paths.results)


def _print_devices(devices: list[dict[str, Any]]) -> None:
    columns = ["device", "what", "model", "state", "doing", "answered", "windows/s", "memory", "up"]
    print_table(columns, map(_device_row, devices))
    for device in devices:
        if (batch := device["batch"]) and batch["bytes_planned"] and batch["bytes_used"]:
            weights = compared(device["model_bytes_planned"], device["model_bytes"])
            taken = compared(batch["bytes_planned"], batch["bytes_used"])
            click.echo(f"memory of {device['name']}: weights {weights}; a batch of {batch['windows']} {taken}")


def _device_row(device: dict[str, Any]) -> list[object]:
    looking_at, reading = device["looking_at"], device["reading"]
    doing = what_it_does(device)
    if looking_at:
        doing = f"job {looking_at['job']} {looking_at['name']} at {clock(looking_at['at_s'])}"
    used = reading["memory_used"] if reading["memory_used"] is not None else device["model_bytes"]
    memory = size(used) + (f" of {size(reading['memory_total'])}" if reading["memory_total"] else "")
    up = "" if device["uptime_s"] is None else clock(round(device["uptime_s"]))
    rate = f"{device['windows_per_second']:.2f}"
    what = [device["name"], device["label"], device["model"], device["state"]]
    return [*what, doing, device["answered"], rate, memory, up]


def _print_queue(document: dict[str, Any]) -> None:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(document["jobs"].items())) or "none"
    windows = document["windows"]
    left = windows["total"] - windows["answered"] - windows["failed"]
    click.echo(f"jobs: {counts}")
    click.echo(
        f"windows of unfinished jobs: {windows['answered']} of {windows['total']} answered, {windows['failed']} failed"
    )
    if left and document["windows_per_second"]:
        rate = document["windows_per_second"]
        click.echo(f"{rate:.2f} windows a second, {clock(round(left / rate))} left")
    if swapped := swaps(document):
        each = [f"{device['name']} {device['swaps']}" for device in document["devices"] if device["swaps"]]
        click.echo(f"{swapped} in all ({_some(each, len(each))})")
    if held := document["held"]["videos"]:
        first = _some(document["held"]["first"], held)
        click.echo(f"videos that wait for a question (NAME.json beside them, or a manifest): {first}")
    if settling := document["inbox"]["settling"]:
        click.echo(f"settling: {_some(settling, len(settling))}")
    growing = [f"{name} for {clock(seconds)}" for name, seconds in document["inbox"]["growing"].items()]
    if growing:
        click.echo(f"still growing: {_some(growing, len(growing))}")
    waiting = [f"job {job['id']} for job {job['waits_for'] or '?'}" for job in document["waiting"]]
    if waiting:
        click.echo(f"waiting for another job: {_some(waiting, document['jobs']['waiting'])}")


def _some(words: list[str], count: int) -> str:
    """The first ten of `count`, and how many more there are."""
    more = f", and {count - 10} more" if count > 10 else ""
    return shown(", ".join(words[:10])) + more


def _print_problems(document: dict[str, Any]) -> None:
    for problem in problems(document):
        click.echo(problem_line(problem))
    if more := unlisted(document):
        click.echo(f"and {more} more without a result: `vlmd jobs --state failed` lists the jobs")


def _job_row(job: dict[str, Any]) -> list[object]:
    windows = job["windows"]
    done = f"{windows['answered']}/{windows['total']}" + (f", {windows['failed']} failed" if windows["failed"] else "")
    said = job["summary"] or {}
    why = job["code"] or job.get("waits")
    state = f"{job['state']} ({why})" if why else job["state"]
    return [
        job["id"],
        job["pipeline"],
        nearest(job["name"]),
        state,
        done,
        said.get("found"),
        "; ".join(said.get("doubts", [])),
    ]


def _print_job(job: dict[str, Any], results: Path) -> None:
    click.echo(f"job {job['id']}: {job['name']}, pipeline {job['pipeline']}: {job['state']}")
    if job["code"]:
        click.echo(f"{job['code']}: {job['reason']} ({job['remedy']})")
    if job.get("waits"):
        click.echo(shown(job["waits"]))
    if job["video"]:
        video = job["video"]
        cut = ", truncated: its end is missing" if video["truncated"] else ""
        click.echo(
            f"video: {clock(video['duration_ms'] / 1000)}, {video['width']}x{video['height']}, {video['codec']}, "
            f"{video['frames']} pictures{cut}"
        )
    windows = job["windows"]
    click.echo(
        f"windows: {windows['answered']} of {windows['total']} answered ({windows['reused']} taken over), "
        f"{windows['failed']} failed"
    )
    if job["degraded"]:
        click.echo(f"answered with less than was asked, for want of memory: {job['degraded']} windows")
    if memory := job["memory"]:
        click.echo(f"memory of a batch of {memory['batch']}: {compared(memory['planned'], memory['used'])}")
    if job["summary"]:
        _print_summary(job["summary"], windows["total"])
    if job["result"]:
        click.echo(f"result: {results / job['result']}")
    for window in job["failed_windows"]:
        click.echo(f"  {clock(window['start_s'])}: {window['code']}: {window['reason']} ({window['remedy']})")


def _print_summary(summary: dict[str, Any], windows: int) -> None:
    click.echo(
        f"found: {summary.get('found', summary['events'])}, in {summary['windows_with_events']} windows; "
        f"{summary['windows_with_none']} windows answered none"
    )
    if summary["unparseable"] or summary["repaired"] or summary["degenerate"]:
        click.echo(
            f"answers: {summary['unparseable']} unparseable ({percent(summary['unparseable'], windows)}), "
            f"{summary['repaired']} repaired, {summary['degenerate']} stuck in a loop"
        )
    _print_doubts(summary.get("doubts", []))


def _print_doubts(doubts: list[str]) -> None:
    for doubt in doubts:
        click.echo(f"doubt: {shown(doubt)}")


def _print_result(document: dict[str, Any]) -> None:
    coverage, result = document["coverage"], read(document)
    click.echo(f"{coverage['answered']} of {coverage['windows']} windows answered")
    _print_doubts(document["doubts"])
    if (choice := result.choice) is not None:
        said = f"{choice.answer}, {choice.text}" if choice.answer else f"none: {choice.reason}"
        click.echo(f"answer: {shown(said)}")
        return
    rows = [
        [clock(one.start_s), clock(one.end_s), one.title, one.team, one.confidence, one.words]
        for one in result.moments()
    ]
    print_table(["from", "to", "what", "team", "confidence", "text"], rows)
