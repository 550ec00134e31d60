"""A Debian in a folder, where the README's steps are followed; nothing of it is booted."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

SUITE = "bookworm"
_NEEDED = "python3,python3-venv,systemd,procps,libseccomp2"
_CLONE_NEWNS = 0x20000
_HERE = Path(__file__).parent


class Root:
    """Commands run in the root, as root or as another of its users. Mounts are seen by this process alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._libc = ctypes.CDLL(None, use_errno=True)

    def prepare(self) -> None:
        """Make the root if the folder holds none, and mount what programs expect."""
        if not (self.folder / "usr/bin/systemd-sysusers").exists():
            command = ["debootstrap", "--variant=minbase", f"--include={_NEEDED}", SUITE, str(self.folder)]
            subprocess.run(command, check=True)
        if self._libc.unshare(_CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare failed; only root may do this")
        _mount("--make-rprivate", "/")
        _mount("--bind", str(self.folder), str(self.folder))
        _mount("-t", "proc", "proc", str(self.folder / "proc"))
        _mount("--rbind", "/dev", str(self.folder / "dev"))
        shutil.copy(_HERE / "confine.py", self.folder / "usr/local/lib/confine.py")

    def run(self, command: str, user: str = "root", check: bool = True) -> subprocess.CompletedProcess[str]:
        """A line of shell; what it prints is returned."""
        ran = subprocess.run(self._words(["sh", "-c", command], user), env=_ENVIRONMENT, capture_output=True, text=True)
        if check and ran.returncode != 0:
            raise SystemExit(f"{command!r} as {user}: exit code {ran.returncode}\n{ran.stdout}{ran.stderr}")
        return ran

    def start_service(self, unit: str, log: Path, without: str = "") -> subprocess.Popen[bytes]:
        """The unit's program, confined as the unit says; lines that hold `without` are not heeded."""
        # In a root that was only changed to, no user namespace may be made; so this one is pivoted to.
        pivot = 'pivot_root . mnt && cd / && umount --lazy /mnt && exec python3 /usr/local/lib/confine.py "$@"'
        confine = ["sh", "-c", pivot, "confine", unit, "--without", without]
        command = ["unshare", "--pid", "--fork", "--kill-child", "--mount", *confine]
        with log.open("wb") as file:
            return subprocess.Popen(command, cwd=self.folder, env=_ENVIRONMENT, stdout=file, stderr=file)

    def copy_packages(self) -> None:
        """This environment's packages instead of downloaded ones; the root's Python must be of the same kind."""
        inside = self.run("python3 -c 'import sysconfig; print(sysconfig.get_config_var(\"SOABI\"))'").stdout.strip()
        if inside != sysconfig.get_config_var("SOABI"):
            raise SystemExit(f"packages for {sysconfig.get_config_var('SOABI')} do not run in {inside}")
        (target,) = self.folder.glob("opt/vlmd/lib/python3*/site-packages")
        ignore = shutil.ignore_patterns("__pycache__", "*vlmd*", "pip", "pip-*", "__editable__*", "nvidia", "triton")
        source = sysconfig.get_paths()["purelib"]
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignore, copy_function=_link_or_copy)

    def install_wheel(self, source: Path) -> None:
        """vlmd itself, built from `source`, without what it needs."""
        wheels = self.folder / "tmp/wheels"
        shutil.rmtree(wheels, ignore_errors=True)
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(source)]
        subprocess.run(build, check=True)
        self.run("/opt/vlmd/bin/pip install --quiet --no-index --no-deps --force-reinstall /tmp/wheels/*.whl")

    def _words(self, command: Sequence[str], user: str) -> list[str]:
        return ["chroot", f"--userspec={user}", str(self.folder), *command]


_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SYSTEMD_OFFLINE": "1",  # systemctl looks for no manager
}


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _link_or_copy(source: str, target: str) -> None:
    """Some gigabytes that nobody changes: linked where they lie on the same disk."""
    with contextlib.suppress(FileExistsError):
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copy2(source, target)


def require_root() -> None:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise SystemExit("this needs root (it makes a root of its own) and the program debootstrap")
