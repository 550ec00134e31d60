"""The layers hold: who may import whom, and what the daemon leaves unloaded."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALL = [path.relative_to(ROOT) for folder in ("vlmd", "tools", "tests") for path in (ROOT / folder).rglob("*.py")]

MAY_IMPORT = {
    "core": {"core"},
    "store": {"core", "store", "filesystem", "manifests.SUFFIXES"},
    "outputs": {"core", "outputs", "__version__"},
    "merger": {"core", "outputs", "store.reader", "merger", "link", "lifeline", "log"},
    "media": {"core", "media", "link", "lifeline", "log", "vlmd"},
    "worker": {"core", "media.client", "media.memory", "weights", "worker", "link", "lifeline", "log", "__version__"},
    "weights": {"core", "log", "weights"},
    "manifests": {"core", "manifests"},
    "inbox": {"manifests", "core", "store", "inbox", "media.opening", "config", "clock", "filesystem", "log"},
    "config": {"core", "config"},
    "doctor": {
        *("core", "config", "store", "filesystem", "doctor", "media.client", "media.opening", "__version__"),
        *("weights", "catalog"),
    },
    "tui": {"core", "tui"},
    "catalog": {"core", "catalog"},
    "evaluation": {"core", "evaluation"},
    "reports": {"core", "evaluation", "reports", "__version__"},
}
"""What of ours each package may import."""

BELONGS_TO = {
    "torch": {"vlmd/worker"},
    "transformers": {"vlmd/worker"},
    "PIL": {"vlmd/worker", "vlmd/demo"},
    "numpy": {"vlmd/worker", "vlmd/demo", "vlmd/media", "vlmd/evaluation"},
    "nltk": {"vlmd/evaluation/texts"},
    "xlsxwriter": {"vlmd/reports/sheets.py"},
    "llguidance": {"vlmd/worker/generation/guides.py"},
    "cv2": {"vlmd/media/cuts.py"},
    "scenedetect": {"vlmd/media/cuts.py"},
    "av": {"vlmd/media", "vlmd/demo/render.py"},
    "aiosqlite": {"vlmd/store"},
    "watchdog": {"vlmd/inbox"},
    "prometheus_client": {"vlmd/supervisor/metrics.py", "vlmd/supervisor/api/metrics.py"},
    "httpx": {"vlmd/cli", "vlmd/supervisor/hooks", "vlmd/weights/hub"},
}
OUTSIDE_WORLD = {"asyncio", "io", "pathlib", "socket", "sqlite3", "subprocess", "threading", "time", "random"}


def imports(path: Path) -> Iterator[str]:
    """Full names of what a file imports, wherever in the file; `from a import b` is a.b."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    for path in (path for path in ALL if path.is_relative_to(f"vlmd/{package}")):
        ours = {name.removeprefix("vlmd.") for name in imports(path) if within(name, {"vlmd"})}
        assert {name for name in ours if not within(name, MAY_IMPORT[package])} == set(), path


@pytest.mark.parametrize("module", BELONGS_TO)
def test_a_library_is_imported_only_where_it_belongs(module: str) -> None:
    ours = [path for path in ALL if path.is_relative_to("vlmd")]
    users = {path for path in ours if any(within(name, {module}) for name in imports(path))}
    assert {user for user in users if not any(map(user.is_relative_to, BELONGS_TO[module]))} == set()


def test_only_one_verb_fetches_anything() -> None:
    others = [path for path in ALL if path.is_relative_to("vlmd") and not path.is_relative_to("vlmd/weights/hub")]
    users = {str(path) for path in others if any(within(name, {"vlmd.weights.hub"}) for name in imports(path))}
    assert users == {"vlmd/cli/models_fetch.py"}


def test_the_core_knows_nothing_of_the_outside_world() -> None:
    for path in (path for path in ALL if path.is_relative_to("vlmd/core")):
        assert {name for name in imports(path) if within(name, OUTSIDE_WORLD)} == set(), path


def test_the_daemon_and_the_command_line_leave_torch_and_av_unloaded() -> None:
    verbs = ("run", "trial", "demo", "look", "gc", "doctor", "top", "models", "plan", "evaluate")
    ours = ", ".join(f"vlmd.cli.{verb}" for verb in verbs)
    code = f"import sys, {ours}; print({{'torch', 'transformers', 'av'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in ALL}
    assert {path: count for path, count in lengths.items() if count > 400} == {}
