"""What is named on the command line becomes result documents, or one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vlmd.cli.results import documents
from vlmd.config import Given
from vlmd.core.errors import UsageError
from vlmd.outputs.result import SCHEMA


def result(name: str) -> dict[str, Any]:
    return {"schema": SCHEMA, "video": {"name": name}}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def found(*named: Path) -> list[tuple[str, str]]:
    """The settings are not looked at: there are none at that place."""
    given = Given(Path("/nowhere/config.toml"), ())
    return [(name, document["video"]["name"]) for name, document in documents(given, [str(one) for one in named])]


def test_files_come_in_their_order_and_folders_by_path(tmp_path: Path) -> None:
    one = write(tmp_path / "z.json", result("z"))
    folder = tmp_path / "folder"
    for name in ("b/2", "a", "b/1"):
        write(folder / f"{name}.json", result(name))
    write(folder / "labels.json", [1])
    write(folder / "other.json", {"schema": "another/1"})
    write(folder / ".a.json.tmp", "half")
    write(folder / "a.srt", "1")
    assert [name for _, name in found(one, folder)] == ["z", "a", "b/1", "b/2"]
    assert [name for name, _ in found(one, folder)][1] == str(folder / "a.json")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"schema": NaN}', "NaN is no number"),
        (b"\xff\xfe", "is no JSON"),
        ("[]", "is no result of vlmd"),
        ({"schema": "vlmd.result/2"}, "is no result of vlmd"),
    ],
)
def test_what_is_no_result_is_named(tmp_path: Path, content: Any, sentence: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content) if isinstance(content, bytes) else write(path, content)
    with pytest.raises(UsageError, match=sentence) as error:
        found(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_and_a_folder_without_results_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        found(tmp_path / "missing.json")
    write(tmp_path / "labels.json", [])
    with pytest.raises(UsageError, match="there is no result in"):
        found(tmp_path)
