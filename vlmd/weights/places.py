"""Where checkpoints lie.

`<models>/<owner>--<name>/<commit>/` holds one that was fetched from the hub: plain files, and `vlmd.json`, which says
where they come from. While it is fetched the folder is called `<commit>.partial`, while it is removed
`<commit>.removing`; so a folder without such an ending is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol

import msgspec

from vlmd.core.errors import VlmdError
from vlmd.core.hub_names import MAIN, is_commit, is_hub_name

RECORD = "vlmd.json"
PARTIAL, REMOVING = ".partial", ".removing"
_STATES = {"": "complete", "partial": "partial", "removing": "removing"}


class FileRecord(msgspec.Struct, frozen=True):
    size: int
    sha256: str | None = None
    """As verified when it was fetched."""


class Record(msgspec.Struct, frozen=True):
    """What a fetched checkpoint's folder says of itself."""

    hub: str
    commit: str
    revisions: tuple[str, ...]
    """What was asked for when this commit was the answer: branches, tags, commits."""
    fetched: str
    """When it was complete, or begun while it is not; UTC, ISO 8601."""
    files: dict[str, FileRecord]


@dataclass(frozen=True)
class Fetched:
    """One folder of a hub checkpoint."""

    folder: Path
    hub: str
    commit: str
    state: str
    """ "complete", "partial" or "removing"."""
    record: Record | None
    """None where it is missing or damaged."""

    def is_at(self, revision: str) -> bool:
        """It is what the revision stood for when it was fetched."""
        return revision == self.commit or (self.record is not None and revision in self.record.revisions)


class NotFetched(VlmdError):
    """A hub checkpoint that does not lie on this machine; the beginning of a sentence."""


class Wanted(Protocol):
    """What a configuration says of where a model lies: a folder, or a name on the hub."""

    @property
    def path(self) -> str | None: ...
    @property
    def hub(self) -> str | None: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def is_demo(self) -> bool: ...


def folder_of(model: Wanted, models: Path) -> Path:
    """The folder of a model's checkpoint; `models` is where the hub's lie. Raises `NotFetched`."""
    if model.is_demo:
        return demo_folder()
    if model.hub is None:
        return Path(model.path or "")
    found = fetched(model.hub, model.revision, models)
    if found is None:
        wanted = f"{model.hub} at {model.revision}" if model.revision else model.hub
        raise NotFetched(f"{wanted} is not on this machine (below {models})")
    return found.folder


def demo_folder() -> Path:
    """Where the toy model lies that comes with vlmd."""
    return Path(str(resources.files("vlmd.demo") / "model"))


def home_of(hub: str, models: Path) -> Path:
    """The folder that holds every commit of a hub repository."""
    return models / hub.replace("/", "--")


def fetched(hub: str, revision: str | None, models: Path) -> Fetched | None:
    """The complete checkpoint that a name and a revision stand for: of several, the one that was fetched last."""
    return _newest([found for found in commits(hub, models) if found.state == "complete"], revision)


def begun(hub: str, revision: str | None, models: Path) -> Fetched | None:
    """One whose fetching was interrupted."""
    return _newest([found for found in commits(hub, models) if found.state == "partial"], revision)


def _newest(found: list[Fetched], revision: str | None) -> Fetched | None:
    fitting = [each for each in found if each.is_at(revision or MAIN)]
    return max(fitting, key=lambda each: each.record.fetched if each.record else "", default=None)


def commits(hub: str, models: Path) -> list[Fetched]:
    """Everything that lies here of a repository, complete or not."""
    return [found for folder in _folders(home_of(hub, models)) if (found := _looked_at(folder, hub))]


def everything(models: Path) -> Iterator[Fetched]:
    """All that was fetched from the hub."""
    for home in _folders(models):
        hub = home.name.replace("--", "/", 1)
        if is_hub_name(hub):
            yield from commits(hub, models)


def read_record(folder: Path) -> Record | None:
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None


def write_record(folder: Path, record: Record) -> None:
    """Whole, or as it was."""
    temporary = folder / f".{RECORD}.tmp"
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, folder / RECORD)


@contextlib.contextmanager
def alone(hub: str, models: Path) -> Iterator[None]:
    """Nobody else fetches or removes anything of this repository meanwhile. Raises `VlmdError` where somebody does."""
    lock = models / f".{home_of(hub, models).name}.lock"
    with contextlib.ExitStack() as stack:
        try:
            models.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise VlmdError(f"another `vlmd models` is at {hub} just now; wait until it is done") from error
        except OSError as error:
            raise VlmdError(f"{models} cannot be written to ({error.strerror}); run this as its owner") from error
        yield


def _looked_at(folder: Path, hub: str) -> Fetched | None:
    """None for a folder that is none of vlmd's."""
    commit, _, ending = folder.name.partition(".")
    state = _STATES.get(ending)
    return Fetched(folder, hub, commit, state, read_record(folder)) if state and is_commit(commit) else None


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise VlmdError(
            f"{folder} cannot be read ({error.strerror}); let this user read it, or ask its owner"
        ) from error
