"""A daemon under strace: every process it starts leaves a trace of its own."""

from __future__ import annotations

import shutil
import site
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from chaos_kit.daemon import ROOT, Daemon
from chaos_kit.endings import broken_promises
from chaos_kit.stage import Stage

import vlmd

from .calls import Judged, judge

_STRACE = ["strace", "-f", "-ff", "-qq", "-s", "300", "-e", "signal=none", "-e", "trace=%file,%network,prctl"]
_SECONDS = 3600.0


@cache
def can_trace() -> bool:
    """Whether strace is there and may trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def traced_run(stage: Stage, names: Sequence[str]) -> Judged:
    """A whole run over what lies in the stage's inbox; its decoders' traces, judged."""
    prefix = stage.folder / "trace"
    daemon = Daemon(stage, ["tests.scripted.daemon", str(stage.config)], under=[*_STRACE, "-o", str(prefix)])
    try:
        daemon.start("--once")
        code = daemon.wait(_SECONDS)
        broken = broken_promises(daemon, names)
    finally:
        daemon.close()
    judged = judge_all(stage.folder, prefix.name)
    judged.violations += broken + ([] if code == 0 else [f"the daemon ended with exit code {code}"])
    return judged


def trace(command: Sequence[str], folder: Path) -> Judged:
    """One command, judged like a daemon and all it starts."""
    subprocess.run([*_STRACE, "-o", str(folder / "trace"), *command], check=False, cwd=ROOT)
    return judge_all(folder, "trace")


def judge_all(folder: Path, prefix: str) -> Judged:
    """The traces that lie in a folder, of a run whose files lie there too."""
    traces = (path.read_text(errors="replace").splitlines() for path in sorted(folder.glob(f"{prefix}.*")))
    return judge(traces, installation(), str(folder))


def installation() -> list[str]:
    """The folders of this Python, its packages and ours; by their real names too."""
    packages = [*site.getsitepackages(), str(Path(vlmd.__file__).parent), str(ROOT / "pyproject.toml")]
    named = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.executable, *packages, *filter(None, sys.path)]
    real = {str(Path(name).resolve()) for name in named}
    return [*sorted({*named, *real} - {"/", "/usr"}), "/usr/bin/", "/usr/local/"]
