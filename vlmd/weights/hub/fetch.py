"""A checkpoint from the hub, whole or not at all: judged before anything large is loaded, verified, put in place.

Interrupted in any way, the next fetch goes on with the same commit where this one was.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from vlmd.core.errors import VlmdError
from vlmd.core.hub_names import MAIN, name_to_use
from vlmd.weights import places
from vlmd.weights.checkpoint import CONFIG, INDEX, named_in
from vlmd.weights.headers import BadWeights
from vlmd.weights.hub.api import Hub
from vlmd.weights.hub.download import bytes_here, download
from vlmd.weights.hub.listing import HubFile, Listing
from vlmd.weights.hub.refusals import HubError
from vlmd.weights.judging import faults_in_listing, faults_of
from vlmd.weights.places import PARTIAL, Fetched, FileRecord, Record

_SPARE = 64 << 20
"""Bytes of the disk that are left alone."""
_OTHER = "take another revision or repository"


@dataclass(frozen=True)
class Plan:
    """What is about to be loaded."""

    name: str
    revision: str
    commit: str
    files: int
    size: int
    missing: int
    """Bytes that are not here yet."""
    free: int
    """Bytes of the disk."""
    folder: Path


class Watcher(Protocol):
    """Hears how it goes."""

    def planned(self, plan: Plan) -> None: ...
    def arrived(self, count: int) -> None:
        """So many bytes are here, of all that there are."""


def fetch(hub: Hub, name: str, revision: str | None, models: Path, watcher: Watcher, update: bool) -> Fetched:
    """The folder of a complete checkpoint. One that is here is taken as it is, unless `update` asks for a newer one."""
    _refuse_name(name)
    with places.alone(name, models):
        there = places.fetched(name, revision, models)
        if there is not None and not update:
            return there
        begun = None if update else places.begun(name, revision, models)
        _fetch(hub, name, revision or MAIN, begun.commit if begun else None, models, watcher)
        found = places.fetched(name, revision, models)
    if found is None:
        raise VlmdError(f"{name} was fetched and is not there; somebody removed it meanwhile, run it again")
    return found


def _fetch(hub: Hub, name: str, revision: str, commit: str | None, models: Path, watcher: Watcher) -> None:
    listing = hub.listing(name, commit or revision)
    home = places.home_of(name, models)
    if (home / listing.commit).is_dir():
        _asked_again(home / listing.commit, revision)
        return
    files = _files(hub, name, listing)
    partial = home / f"{listing.commit}{PARTIAL}"
    record = Record(name, listing.commit, (revision,), _now(), {})
    try:
        partial.mkdir(parents=True, exist_ok=True)
        places.write_record(partial, record)
        _borrow(files, partial, places.commits(name, models))
    except OSError as error:
        raise HubError(f"{partial} cannot be written ({error.strerror}); run this as the owner of {models}") from error
    plan = _planned(name, revision, listing, files, partial)
    watcher.planned(plan)
    _require_room(plan)
    digests = _download(hub, plan, files, watcher)
    _put_in_place(partial, record, digests)


def _refuse_name(name: str) -> None:
    if same := name_to_use(name):
        raise HubError(f"{name} only loads with code of its own, which vlmd never runs; fetch {same} instead")


def _files(hub: Hub, name: str, listing: Listing) -> list[HubFile]:
    """What is to be fetched. Raises `HubError` where vlmd could not load it."""
    if CONFIG not in listing.names:
        kind = "an adapter, not a model" if "adapter_config.json" in listing.names else "no checkpoint of transformers"
        raise HubError(f"{name} is {kind}: there is no {CONFIG}; take the repository of a whole model")
    config = _json(hub, name, listing, CONFIG)
    if faults := list(faults_in_listing(name, listing.names, config, again=_OTHER)):
        raise HubError(f"{name} is not fetched: {'. And '.join(map(str, faults))}")
    try:
        shards = named_in(_json(hub, name, listing, INDEX)) if listing.needs_index else []
    except BadWeights as error:
        raise HubError(f"{name} is not fetched: {error}; {_OTHER}") from error
    return listing.wanted(shards)


def _json(hub: Hub, name: str, listing: Listing, file: str) -> Any:
    try:
        return json.loads(hub.small(name, listing.commit, file))
    except (ValueError, RecursionError) as error:
        raise HubError(f"{file} of {name} is no JSON; {_OTHER}") from error


def _borrow(files: list[HubFile], partial: Path, others: list[Fetched]) -> None:
    """Large files that an earlier commit has too are not loaded again; they are verified like the others."""
    for file in files:
        for other in others:
            known = other.record.files.get(file.name) if other.record and other.state == "complete" else None
            if known and file.sha256 is not None and known.sha256 == file.sha256 and not bytes_here(partial, file):
                with contextlib.suppress(OSError):
                    os.link(other.folder / file.name, partial / file.name)


def _planned(name: str, revision: str, listing: Listing, files: list[HubFile], partial: Path) -> Plan:
    size = sum(file.size for file in files)
    here = sum(bytes_here(partial, file) for file in files)
    free = shutil.disk_usage(partial).free
    return Plan(name, revision, listing.commit, len(files), size, size - here, free, partial)


def _require_room(plan: Plan) -> None:
    if plan.missing + _SPARE > plan.free:
        short = plan.missing + _SPARE - plan.free
        raise HubError(
            f"{plan.name} takes {_size(plan.missing)} more, and {plan.folder.parent} has {_size(plan.free)} free; "
            f"make room for {_size(short)}, or let paths.models name a larger disk"
        )


def _download(hub: Hub, plan: Plan, files: list[HubFile], watcher: Watcher) -> dict[str, FileRecord]:
    done = 0
    records = {}
    for position, file in enumerate(files):
        later = sum(bytes_here(plan.folder, other) for other in files[position + 1 :])
        before = done + later

        def arrived(count: int, before: int = before) -> None:
            watcher.arrived(before + count)

        sha256 = download(hub, plan.name, plan.commit, file, plan.folder, arrived)
        records[file.name] = FileRecord(file.size, sha256)
        done += file.size
    return records


def _put_in_place(partial: Path, record: Record, files: dict[str, FileRecord]) -> None:
    """The last look is the one that is taken before every load; then one rename makes it count."""
    if faults := faults_of(partial, record.hub):
        raise HubError(f"{record.hub} was fetched and cannot be used: {'. And '.join(map(str, faults))}")
    try:
        places.write_record(partial, Record(record.hub, record.commit, record.revisions, _now(), files))
        _sync(partial)
        os.rename(partial, partial.with_name(record.commit))
        _sync(partial.parent)
    except OSError as error:
        raise HubError(f"{partial} cannot be put in place ({error.strerror}); run it again") from error


def _asked_again(folder: Path, revision: str) -> None:
    """A commit that is here already answers one more revision."""
    record = places.read_record(folder)
    if record is None:
        raise HubError(f"{folder} holds no readable {places.RECORD}; `vlmd models remove` it, then fetch it again")
    revisions = tuple(dict.fromkeys((*record.revisions, revision)))
    try:
        places.write_record(folder, Record(record.hub, record.commit, revisions, _now(), record.files))
    except OSError as error:
        raise HubError(f"{folder} cannot be written ({error.strerror}); run this as its owner") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
