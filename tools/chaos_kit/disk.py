"""A disk as it may be found after a power cut: what was synced is there, the rest perhaps, in part, or not at all.

Files and the names they go by are told apart, as POSIX does: syncing a file keeps its bytes, syncing its folder keeps
its name. Nothing is taken for granted that a filesystem only happens to do.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .journal import Effect

_SECTOR = 512
_KEPT, _TORN = 0.5, 0.25
"""Of what was not synced: what part reached the disk, and what part of that by halves."""


@dataclass
class _File:
    synced: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Writes, and truncations (to an offset, without bytes), that were not synced."""

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.synced, *change)
        self.pending.clear()

    def found(self, dice: random.Random | None) -> bytearray:
        """Its bytes after the cut; without dice nothing of the unsynced is there."""
        content = bytearray(self.synced)
        for offset, data in self.pending if dice else []:
            if dice and dice.random() < _KEPT:
                torn = data is not None and dice.random() < _TORN
                for change in _sectors(offset, data or b"", dice) if torn else [(offset, data)]:
                    _apply(content, *change)
        return content


@dataclass(frozen=True)
class _Naming:
    """A change of names in one folder that was not synced: who goes by which name, None for nobody any more."""

    folder: str
    names: tuple[tuple[str, _File | None], ...]


class Disk:
    """Starts as a copy of `folders`; `happen` takes in one side effect after the other."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = {str(folder) for folder in folders}
        self._now: dict[str, _File] = {}
        self._synced: dict[str, _File] = {}
        self._pending: list[_Naming] = []
        for folder in list(self._folders):
            for path in Path(folder).rglob("*"):
                if path.is_dir():
                    self._folders.add(str(path))
                elif path.is_file():
                    self._now[str(path)] = self._synced[str(path)] = _File(bytearray(path.read_bytes()))
        self._synced_folders = set(self._folders)
        self._pending_folders: dict[str, str] = {}

    def happen(self, effect: Effect) -> None:
        path = effect.path
        match effect.kind:
            case "create":
                self._now[path] = _File()
                self._name((path, self._now[path]))
            case "mkdir":
                self._folders.add(path)
                self._pending_folders[path] = _above(path)
            case "write" if path in self._now:
                self._now[path].pending.append((effect.offset, effect.data))
            case "truncate" if path in self._now:
                self._now[path].pending.append((effect.offset, None))
            case "sync" if path in self._folders:
                self._sync_folder(path)
            case "sync" if path in self._now:
                self._now[path].sync()
            case "rename" if path in self._now:
                self._now[effect.other] = self._now.pop(path)
                self._name((path, None), (effect.other, self._now[effect.other]))
            case "unlink" if self._now.pop(path, None) is not None:
                self._name((path, None))

    def after_cut(self, target: Path, below: Path, dice: random.Random | None) -> None:
        """Put what lay below `below` into `target`, as found after a cut now."""
        names, folders = dict(self._synced), set(self._synced_folders)
        if dice is not None:
            folders |= {folder for folder in self._pending_folders if dice.random() < _KEPT}
            for change in self._pending:
                if dice.random() < _KEPT:
                    names.update(change.names)  # type: ignore[arg-type]
        for folder in sorted(folders):
            if _reachable(folder, folders, str(below)):
                (target / Path(folder).relative_to(below)).mkdir(parents=True, exist_ok=True)
        for name, file in names.items():
            if file is not None and _reachable(_above(name), folders, str(below)):
                (target / Path(name).relative_to(below)).write_bytes(file.found(dice))

    def _name(self, *names: tuple[str, _File | None]) -> None:
        self._pending.append(_Naming(_above(names[0][0]), names))

    def _sync_folder(self, folder: str) -> None:
        for change in [change for change in self._pending if change.folder == folder]:
            for name, file in change.names:
                if file is None:
                    self._synced.pop(name, None)
                else:
                    self._synced[name] = file
            self._pending.remove(change)
        for made in [made for made, above in self._pending_folders.items() if above == folder]:
            self._synced_folders.add(made)
            del self._pending_folders[made]


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if data is None:
        del content[offset:]
    else:
        content[offset : offset + len(data)] = data


def _sectors(offset: int, data: bytes, dice: random.Random) -> list[tuple[int, bytes]]:
    """The sectors of a write that reached the disk."""
    starts = range(0, len(data), _SECTOR)
    return [(offset + start, data[start : start + _SECTOR]) for start in starts if dice.random() < _KEPT]


def _above(path: str) -> str:
    return path.rpartition("/")[0]


def _reachable(folder: str, folders: set[str], root: str) -> bool:
    """Every folder from `root` down to this one is there; the folders the disk began with always are."""
    while folder in folders:
        above = _above(folder)
        if above == root or above not in folders:
            return above == root
        folder = above
    return False
