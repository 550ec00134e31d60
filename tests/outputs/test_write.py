"""A result file is whole or absent, whoever is killed while writing it."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from vlmd.outputs.encoding import as_text
from vlmd.outputs.write import Draft, holder

KILLS = 12
WRITER = """
import pathlib, sys
from vlmd.outputs.encoding import as_text
from vlmd.outputs.write import Draft
path = pathlib.Path(sys.argv[1])
for number in range(10**9):
    draft = Draft(path, path.parent)
    draft.write([as_text({"video": {"sha256": str(number)}, "rows": [number] * 20_000})])
    draft.publish()
    if number == 0:
        print("begun", flush=True)
"""


def write_whole(path: Path, text: str) -> None:
    draft = Draft(path, path.parent)
    draft.write([text])
    draft.publish()


def test_a_reader_never_sees_half_a_file_while_writers_are_killed(tmp_path: Path) -> None:
    path, dice, seen = tmp_path / "p" / "a.mkv.json", random.Random(0), set[str | None]()
    for _ in range(KILLS):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"begun\n"
            for _ in range(dice.randint(1, 30)):
                seen.add(holder(path))
            writer.kill()
        seen.add(holder(path))
    assert seen and not {None, ""} & seen
    assert list(path.parent.glob("*.json")) == [path]


def test_folders_are_made_and_an_older_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a/b/c.json"
    for text in ("one\n", "två\n"):
        write_whole(path, text)
        assert path.read_bytes() == text.encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.json/occupied").mkdir(parents=True)
    with pytest.raises(OSError):
        write_whole(tmp_path / "a.json", "text")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]


def test_what_is_discarded_was_never_there(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "a.json", tmp_path)
    draft.write(["text"])
    draft.discard()
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_not_unicode_leaves_the_older_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "a.json", "\ud800")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("name", ["n" * 227 + ".json", "日" * 74 + ".json"])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    write_whole(tmp_path / name, "text")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        as_text({"confidence": float("nan")})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (as_text({"video": {"sha256": "abc"}}), "abc"),
        ("{}", ""),
        ("[]", ""),
        ('{"video": {"sha256": 7}}', ""),
        ("not json", ""),
        ("", ""),
    ],
)
def test_whose_result_lies_there(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert holder(tmp_path / "a.json") == found


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert holder(tmp_path / "a.json") is None and holder(tmp_path / "file" / "a.json") is None


def test_a_file_that_is_no_text_belongs_to_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    assert holder(tmp_path / "a.json") == ""
