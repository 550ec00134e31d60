"""What lies where: decided from made-up mounts, probed on real ones."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vlmd.core.errors import StoreError
from vlmd.filesystem import Filesystem, Kind, filesystem_of, kind_of, mounted
from vlmd.inbox import watch
from vlmd.store import Store, store

ROOT = Path(__file__).parents[1]
MOUNTS = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
35 22 0:31 / /srv/video\\040files rw,relatime shared:9 master:3 - nfs4 nas:/export rw,vers=4.2
36 22 0:32 / /home/me/far rw,nosuid - fuse.sshfs me@far:/ rw
37 22 0:33 /volumes/a /mnt rw - btrfs /dev/vdb rw
""".splitlines(keepends=True)
SHARE = Filesystem("nfs4", "/srv/share")


@pytest.mark.parametrize(
    ("mount", "type", "folder", "kind"),
    [
        ("22", "ext4", "/", Kind.LOCAL),
        ("35", "nfs4", "/srv/video files", Kind.NETWORK),
        ("36", "fuse.sshfs", "/home/me/far", Kind.NETWORK),
        ("37", "btrfs", "/mnt", Kind.LOCAL),
        ("99", "unknown", "", Kind.UNKNOWN),
    ],
)
def test_a_mount_is_found_by_its_number(mount: str, type: str, folder: str, kind: Kind) -> None:
    found = mounted(MOUNTS, mount)
    assert (found, found.kind) == (Filesystem(type, folder), kind)


@pytest.mark.parametrize("type", ["nfs", "cifs", "smb3", "9p", "ceph", "lustre", "gpfs", "fuse.s3fs", "fuse.glusterfs"])
def test_network_filesystems_are_known(type: str) -> None:
    assert kind_of(type) == Kind.NETWORK


@pytest.mark.parametrize("type", ["fuse", "fuse.something", "virtiofs", "newfs", ""])
def test_what_nobody_knows_is_unknown(type: str) -> None:
    assert kind_of(type) == Kind.UNKNOWN


def test_real_folders(tmp_path: Path) -> None:
    assert filesystem_of(Path("/proc")).type == "proc"
    assert filesystem_of(tmp_path / "not" / "there") == filesystem_of(tmp_path)


def test_a_real_mount_of_another_kind() -> None:
    """In a mount namespace of its own, where this machine lets us have one."""
    code = "from vlmd.filesystem import *; print(filesystem_of(Path('/mnt/below')))"
    script = f'mount -t tmpfs none /mnt && mkdir /mnt/below && {sys.executable} -c "{code}"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    if ran.returncode != 0:
        pytest.skip(f"this machine gives no mount namespace: {ran.stderr.strip()}")
    assert ran.stdout == "Filesystem(type='tmpfs', mount='/mnt')\n"


async def test_no_database_on_a_network_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "filesystem_of", lambda path: SHARE)
    with pytest.raises(StoreError, match=r"nfs4 \(/srv/share\).*set paths\.state.*copy vlmd\.db and"):
        await Store.open(tmp_path / "state" / "vlmd.db")
    assert not (tmp_path / "state").exists(), "nothing is begun there"


async def test_a_database_on_an_unknown_filesystem_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "filesystem_of", lambda path: Filesystem("newfs"))
    await (await Store.open(tmp_path / "vlmd.db")).close()
    assert "newfs, which is not known to be safe" in caplog.text


async def test_an_inbox_on_a_network_share_is_not_watched_but_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "filesystem_of", lambda path: SHARE)
    watched = watch.Watch(str(tmp_path).encode())
    watched.renew()
    assert watched._observer is None
    assert watched.problem is not None and "nfs4 gives no notice" in watched.problem
