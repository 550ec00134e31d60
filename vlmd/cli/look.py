"""Verbs that read: status, jobs, show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vlmd.cli import completing
from vlmd.cli.client import Client
from vlmd.cli.queue import job_argument
from vlmd.cli.words import clock, json_option, percent, print_json, print_table, size
from vlmd.config import Given, load_settings
from vlmd.core.states import JobState


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
    print_table(["job", "pipeline", "video", "state", "windows", "events"], [_job_row(job) for job in listed])


@click.command()
@job_argument
@click.option("--so-far", is_flag=True, help="Merge what has been answered so far, and print that result.")
@json_option
@click.pass_obj
def show(given: Given, job: int, so_far: bool, as_json: bool) -> None:
    """Show one JOB. Its video, its windows, what failed and why, where its result lies."""
    settings = load_settings(given)
    client = Client(settings)
    if so_far:
        result = client.result_so_far(job)
        print_json(result) if as_json else _print_result(result)
        return
    document = client.job(job)
    if as_json:
        print_json(document)
        return
    _print_job(document, settings.paths.results)


def _print_devices(devices: list[dict[str, Any]]) -> None:
    rows = []
    for device in devices:
        doing = f"job {device['job']}, {device['windows_held']} windows" if device["job"] else device["stage"]
        reading = device["reading"]
        memory = size(reading["memory_used"]) if reading["memory_used"] is not None else size(device["model_bytes"])
        rows.append(
            [device["name"], device["label"], device["model"], device["state"], doing, device["answered"], memory]
        )
    print_table(["device", "what", "model", "state", "doing", "answered", "memory"], rows)


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
    if document["inbox"]["settling"]:
        click.echo(f"settling: {', '.join(document['inbox']['settling'][:10])}")
    for name, seconds in list(document["inbox"]["growing"].items())[:10]:
        click.echo(f"still growing after {clock(seconds)}: {name}")


def _print_problems(document: dict[str, Any]) -> None:
    for problem in document["problems"]:
        click.echo(f"{problem['what']}: {problem['reason']} ({problem['remedy']})")
    if document["inbox"]["problem"]:
        click.echo(f"inbox: {document['inbox']['problem']}")
    if document["sandbox_missing"]:
        click.echo(f"decoders run without a full sandbox: {', '.join(document['sandbox_missing'])}")
    for device in document["devices"]:
        if device["reason"]:
            click.echo(f"{device['name']}: {device['reason']}")
    if document["gpu_health_problem"]:
        click.echo(f"the GPUs' health is not known: {document['gpu_health_problem']}")
    for model in document["unloadable"]:
        click.echo(f"jobs for {model['model']} wait: it cannot be loaded: {model['reason']} ({model['remedy']})")
    for job in document["failed"]:
        click.echo(f"job {job['id']} {job['name']}: {job['code']}: {job['reason']} ({job['remedy']})")
    for notice in document["hooks"]["untold"]:
        helps = "given up; restart vlmd to try again" if notice["given_up"] else "is tried again"
        click.echo(
            f"on_{notice['event']} of job {notice['job']}, {notice['tries']} tries: {notice['problem']} ({helps})"
        )
    for file in document["refused"]:
        click.echo(f"refused {file['path']}: {file['code']}: {file['reason']} ({file['remedy']})")


def _job_row(job: dict[str, Any]) -> list[object]:
    windows = job["windows"]
    done = f"{windows['answered']}/{windows['total']}" + (f", {windows['failed']} failed" if windows["failed"] else "")
    events = job["summary"]["events"] if job["summary"] else None
    state = f"{job['state']} ({job['code']})" if job["code"] else job["state"]
    return [job["id"], job["pipeline"], job["name"], state, done, events]


def _print_job(job: dict[str, Any], results: Path) -> None:
    click.echo(f"job {job['id']}: {job['name']}, pipeline {job['pipeline']}: {job['state']}")
    if job["code"]:
        click.echo(f"{job['code']}: {job['reason']} ({job['remedy']})")
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
    if job["summary"]:
        _print_summary(job["summary"], windows["total"])
    if job["result"]:
        click.echo(f"result: {results / job['result']}")
    for window in job["failed_windows"]:
        click.echo(f"  {clock(window['start_s'])}: {window['code']}: {window['reason']} ({window['remedy']})")


def _print_summary(summary: dict[str, Any], windows: int) -> None:
    click.echo(
        f"events: {summary['events']}, seen in {summary['windows_with_events']} windows; "
        f"{summary['windows_with_none']} windows answered none"
    )
    if summary["unparseable"] or summary["repaired"] or summary["degenerate"]:
        click.echo(
            f"answers: {summary['unparseable']} unparseable ({percent(summary['unparseable'], windows)}), "
            f"{summary['repaired']} repaired, {summary['degenerate']} stuck in a loop"
        )


def _print_result(result: dict[str, Any]) -> None:
    coverage = result["coverage"]
    click.echo(f"{coverage['answered']} of {coverage['windows']} windows answered")
    rows = [
        [
            clock(event["start_s"]),
            clock(event["end_s"]),
            event["label"],
            event["team"],
            event["confidence"],
            event["details"],
        ]
        for event in result["events"]
    ]
    print_table(["from", "to", "label", "team", "confidence", "details"], rows)
