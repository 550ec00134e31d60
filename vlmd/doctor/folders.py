"""Inbox, results, state: there, writable, for the right people, on the right disks; and the kernel's notices."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from vlmd.doctor.findings import Finding, Setting, fail, ok, warn
from vlmd.filesystem import Kind, filesystem_of, why_no_database

_LITTLE = 1 << 30
_NOTHING = 64 << 20
_NOTICES = Path("/proc/sys/fs/inotify")
_FOLDERS_COUNTED = 100_000


def permissions(setting: Setting) -> list[Finding]:
    paths = setting.settings.paths
    state = judged_private("state", paths.state) if paths.state.exists() else _missing("state", paths.state)
    return [judged_folder("inbox", paths.inbox), judged_folder("results", paths.results), state]


def judged_folder(check: str, folder: Path) -> Finding:
    """A folder that people share: writable by us, by a group at most."""
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        return _missing(check, folder)
    except OSError as error:
        return fail(check, f"{folder}: {error.strerror}", "let vlmd's user enter the folders above it")
    if not stat.S_ISDIR(mode):
        return fail(check, f"{folder} is no folder", f"set paths.{check} to a folder")
    needed = os.R_OK | os.X_OK | (os.W_OK if check == "results" else 0)
    if not os.access(folder, needed):
        return fail(
            check, f"{folder} cannot be {'written' if needed & os.W_OK else 'read'}", "run doctor as vlmd's user"
        )
    return _judged_mode(check, folder, mode)


def _judged_mode(check: str, folder: Path, mode: int) -> Finding:
    shown = f"{folder} ({stat.filemode(mode)})"
    if mode & stat.S_IWOTH:
        remedy = f"give it to a group: `chgrp GROUP {folder} && chmod 2770 {folder}`"
        return warn(check, f"{shown}: everybody on this machine may write in it", remedy)
    if mode & stat.S_IWGRP and not mode & stat.S_ISGID:
        remedy = f"`chmod g+s {folder}`, so that new folders belong to its group too"
        return warn(check, f"{shown}: a group may write in it, and folders in it belong to whoever makes them", remedy)
    return ok(check, shown)


def judged_private(check: str, folder: Path) -> Finding:
    """vlmd's own: for nobody else."""
    facts = folder.stat()
    shown = f"{folder} ({stat.filemode(facts.st_mode)})"
    if facts.st_mode & 0o022:
        return fail(check, f"{shown}: others may write in it", f"`chmod 700 {folder}`")
    if facts.st_uid not in (os.geteuid(), 0) or not os.access(folder, os.W_OK):
        return fail(check, f"{shown} belongs to user {facts.st_uid}", "run vlmd, and doctor, as that user")
    if facts.st_mode & 0o077:
        return warn(check, f"{shown}: others may look into it", f"`chmod 700 {folder}`")
    return ok(check, shown)


def _missing(check: str, folder: Path) -> Finding:
    return warn(check, f"{folder} is not there", "`vlmd run` makes it; or set it in [paths] of config.toml")


def filesystems(setting: Setting) -> list[Finding]:
    paths = setting.settings.paths
    return [_state_disk(paths.state), _watched_disk("inbox", paths.inbox), _watched_disk("results", paths.results)]


def _state_disk(folder: Path) -> Finding:
    found, check = filesystem_of(folder), "disk of state"
    shown = f"{folder} on {found.type}"
    if (why := why_no_database(folder, found)) is not None:
        sentence, _, remedy = why.partition("; ")
        return fail(check, sentence, remedy)
    if found.kind == Kind.UNKNOWN:
        return warn(check, f"{shown}, which is not known to keep a database safe", "set paths.state to a local disk")
    if found.volatile:
        return warn(
            check, f"{shown}: it lies in memory", "set paths.state to a disk, or the queue is gone with a reboot"
        )
    return _judged_room(check, shown, folder)


def _watched_disk(check: str, folder: Path) -> Finding:
    found = filesystem_of(folder)
    shown = f"{folder} on {found.type}"
    if check == "inbox" and found.kind == Kind.NETWORK:
        remedy = "nothing, or lower inbox.rescan_seconds to find files sooner"
        return warn(f"disk of {check}", f"{shown}, which gives no notices: files are found by rescans", remedy)
    return _judged_room(f"disk of {check}", shown, folder, needed=check == "results")


def _judged_room(check: str, shown: str, folder: Path, needed: bool = True) -> Finding:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return judged_room(check, shown, shutil.disk_usage(there).free, needed)


def judged_room(check: str, shown: str, free: int, needed: bool) -> Finding:
    found = f"{shown}: {free / 1e9:.1f} GB free"
    if needed and free < _NOTHING:
        return fail(check, found, "free some space: vlmd cannot write what the model says")
    if needed and free < _LITTLE:
        return warn(check, found, "free some space before it runs out; `vlmd gc --dry-run` says what vlmd can forget")
    return ok(check, found)


def notices(setting: Setting) -> list[Finding]:
    """inotify's limits against the folders of the inbox: each takes a watch."""
    try:
        watches = int((_NOTICES / "max_user_watches").read_text())
        queue = int((_NOTICES / "max_queued_events").read_text())
    except (OSError, ValueError) as error:
        return [warn("notices", f"inotify's limits cannot be read ({error})", "nothing: rescans find every file")]
    return [judged_notices(watches, queue, _folders(setting.settings.paths.inbox))]


def _folders(inbox: Path) -> int:
    count = 0
    for _ in os.walk(inbox):
        count += 1
        if count >= _FOLDERS_COUNTED:
            break
    return count


def judged_notices(watches: int, queue: int, folders: int) -> Finding:
    found = f"{folders} folders in the inbox; inotify allows {watches} watches and queues {queue} notices"
    if folders * 2 > watches:
        remedy = f"`sysctl fs.inotify.max_user_watches={max(524_288, folders * 4)}`, or files are found by rescans only"
        return warn("notices", found, remedy)
    return ok("notices", found)
