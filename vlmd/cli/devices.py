"""Verbs for devices: pause, drain, resume."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from vlmd.cli.client import Client
from vlmd.cli.words import json_option, print_json
from vlmd.config import Given, load_settings
from vlmd.core.errors import VlmdError

_LOOK_SECONDS = 0.5
_PROGRESS_SECONDS = 2.0
_RELEASED = ("paused", "stopped")

devices_argument = click.argument("devices", nargs=-1, metavar="[DEVICE]...")
wait_option = click.option("--wait", is_flag=True, help="Return only when the GPUs are free.")


@click.command()
@devices_argument
@wait_option
@json_option
@click.pass_obj
def pause(given: Given, devices: tuple[str, ...], wait: bool, as_json: bool) -> None:
    """Release DEVICEs soon. The batch in hand is finished, the rest goes back to the queue.

    DEVICE is a name as `vlmd status` shows it, or a UUID; without any, all are meant. Files are still taken in, and
    the device rests, over a restart of the daemon too, until `vlmd resume`.
    """
    _rest("pause", given, devices, wait, as_json)


@click.command()
@devices_argument
@wait_option
@json_option
@click.pass_obj
def drain(given: Given, devices: tuple[str, ...], wait: bool, as_json: bool) -> None:
    """Release DEVICEs once they have finished what they hold. Otherwise the same as pause."""
    _rest("drain", given, devices, wait, as_json)


@click.command()
@devices_argument
@json_option
@click.pass_obj
def resume(given: Given, devices: tuple[str, ...], as_json: bool) -> None:
    """Let DEVICEs work again. Also those that were parked, once the cause is repaired; without any, all."""
    states = Client(load_settings(given)).devices("resume", list(devices) or None)
    _show(states, as_json, lambda state: f"{state['name']}: resumed")


def _rest(verb: str, given: Given, devices: tuple[str, ...], wait: bool, as_json: bool) -> None:
    client = Client(load_settings(given))
    states = client.devices(verb, list(devices) or None)
    if wait:
        states = _until_released(client, [state["name"] for state in states])
    _show(states, as_json, _sentence)


def _until_released(client: Client, names: list[str]) -> list[dict[str, Any]]:
    """Poll, and say now and then what is still held."""
    said_at = time.monotonic()
    while True:
        entries = [entry for entry in client.status()["devices"] if entry["name"] in names]
        held = [entry for entry in entries if entry["state"] not in _RELEASED and entry["pid"] is not None]
        if not held:
            return [{key: entry[key] for key in ("name", "state", "reason")} for entry in entries]
        for entry in held:
            if not entry["paused"]:
                raise VlmdError(f"{entry['name']} was resumed meanwhile")
        if time.monotonic() - said_at >= _PROGRESS_SECONDS:
            said_at = time.monotonic()
            click.echo("; ".join(_progress(entry) for entry in held), err=True)
        time.sleep(_LOOK_SECONDS)


def _progress(entry: dict[str, Any]) -> str:
    return f"{entry['name']}: {entry['state']}, {entry['windows_held']} windows in hand"


def _sentence(state: dict[str, Any]) -> str:
    if state["state"] == "paused":
        return f"{state['name']}: released; `vlmd resume {state['name']}` starts it again"
    return f"{state['name']}: {state['state']}"


def _show(states: list[dict[str, Any]], as_json: bool, words: Callable[[dict[str, Any]], str]) -> None:
    if as_json:
        print_json({"devices": states})
        return
    for state in states:
        click.echo(words(state), err=True)
