"""Faults of the disk, put under real processes: `shim.c` says what it can do.

daemon.start(environment=faults.environment(library, stage.folder, FAIL="write:ENOSPC", WHILE=guard))
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")


class NoCompiler(Exception):
    """Without a C compiler there is no shim."""


def build(folder: Path) -> Path:
    """The shim as a library in `folder`. Raises `NoCompiler`."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("no C compiler to build the shim with")
    library = folder / "shim.so"
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, SOURCE, "-o", library], check=True, timeout=60)
    return library


def environment(library: Path, *folders: Path, only: str | None = None, **faults: object) -> dict[str, str]:
    """Of a process whose side effects below `folders` are watched; `only` names the module it runs."""
    own = {f"FAULTS_{name}": str(value) for name, value in faults.items()}
    if only is not None:
        own["FAULTS_ONLY"] = f"-m {only} "
    return {"LD_PRELOAD": str(library), "FAULTS_UNDER": ":".join(map(str, folders)), **own}
