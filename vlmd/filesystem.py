"""What kind of filesystem a folder lies on, and what that means for a database and for notices of changes.

SQLite's write-ahead log needs shared memory and locks that work: on a network share it is corrupted sooner or
later. And a share says nothing of files that another machine puts there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    LOCAL = "local"
    NETWORK = "network"
    """Shared with other machines, or with a host that is one."""
    UNKNOWN = "unknown"


_LOCAL = {
    *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "bcachefs", "nilfs2", "reiserfs"),
    *("overlay", "aufs", "tmpfs", "ramfs", "rootfs"),
    *("vfat", "exfat", "ntfs", "ntfs3", "fuseblk", "hfsplus", "udf"),
}
_NETWORK = {
    *("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "9p", "ceph"),
    *("lustre", "gpfs", "beegfs", "pvfs2", "orangefs", "ocfs2", "gfs", "gfs2", "vboxsf", "prl_fs", "vmhgfs"),
}
_NETWORK_FUSE = {
    *("sshfs", "nfs", "smbnetfs", "rclone", "s3fs", "goofys", "mount-s3", "gcsfuse", "blobfuse", "blobfuse2"),
    *("glusterfs", "ceph", "ceph-fuse", "lustre", "juicefs", "moosefs", "mfs", "lizardfs", "seaweedfs", "curlftpfs"),
    *("davfs", "davfs2", "cvmfs", "cvmfs2", "vmhgfs-fuse", "gvfsd-fuse", "google-drive-ocamlfuse", "onedriver"),
}
"""Behind "fuse."; any other of these is unknown."""
_VOLATILE = {"tmpfs", "ramfs"}


@dataclass(frozen=True)
class Filesystem:
    """Where a folder lies. `type` is the kernel's word for it, "unknown" where it would not say."""

    type: str
    mount: str = ""

    @property
    def kind(self) -> Kind:
        return kind_of(self.type)

    @property
    def volatile(self) -> bool:
        """It lies in memory: gone with the next boot."""
        return self.type in _VOLATILE


def kind_of(type: str) -> Kind:
    """What a type of /proc/self/mountinfo is: known good, known bad, or neither."""
    family, _, name = type.partition(".")
    if type in _LOCAL:
        return Kind.LOCAL
    if type in _NETWORK or (family == "fuse" and name in _NETWORK_FUSE):
        return Kind.NETWORK
    return Kind.UNKNOWN


def mounted(mountinfo: Iterable[str], mount_id: str) -> Filesystem:
    """The filesystem of the mount with this number: `ID PARENT MAJ:MIN ROOT MOUNTPOINT OPTIONS … - TYPE SOURCE …`."""
    for line in mountinfo:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if fields[0] == mount_id and after:
            return Filesystem(after.split(" ")[0], _unescaped(fields[4]))
    return Filesystem("unknown")


def filesystem_of(path: Path) -> Filesystem:
    """Where `path` lies, or will lie once it is made. Unknown where the kernel does not tell; never raises OSError."""
    try:
        fd = os.open(_nearest(path), os.O_PATH | os.O_CLOEXEC)
        try:
            mount_id = _mount_id(fd)
        finally:
            os.close(fd)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mountinfo:
            return mounted(mountinfo, mount_id)
    except OSError:  # no /proc, no permission: nothing is known, and whoever asks says so
        return Filesystem("unknown")


def _nearest(path: Path) -> Path:
    """The deepest folder of `path` that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _mount_id(fd: int) -> str:
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as facts:
        return next((line.split()[1] for line in facts if line.startswith("mnt_id:")), "")


def _unescaped(mount: str) -> str:
    """The kernel writes blanks in mount points as octal numbers."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        mount = mount.replace(code, character)
    return mount


def why_no_database(state: Path, found: Filesystem) -> str | None:
    """Why no database may lie in `state`, and what to do; None where it may."""
    if found.kind != Kind.NETWORK:
        return None
    return (
        f"{state} lies on {found.type} ({found.mount}), a network filesystem, where the database would be damaged "
        "sooner or later; set paths.state in config.toml to a folder on a local disk (such as /var/lib/vlmd). "
        f"To take what is there along: stop every vlmd that uses it, copy vlmd.db and, if there, vlmd.db-wal from "
        f"{state} into the new folder together, then start vlmd"
    )
