"""Any bytes may be a file's name; what is shown and what is written must not be."""

from __future__ import annotations

import json
import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmd.core import names

COMPONENT = st.binary(min_size=1, max_size=255).filter(lambda raw: not {0, ord("/")} & set(raw))
PATH = st.lists(COMPONENT, min_size=1, max_size=5).map(b"/".join)


@given(st.binary())
def test_what_is_shown_prints_on_one_line_and_is_valid_unicode(raw: bytes) -> None:
    text = names.shown(raw)
    text.encode()
    assert all(character.isprintable() and unicodedata.category(character) != "Cf" for character in text)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Bayern – São Paulo 日本.mkv".encode(), "Bayern – São Paulo 日本.mkv"),
        (b"\x1b[2Jclear.mp4", r"\x1b[2Jclear.mp4"),
        (b"two\nlines", r"two\x0alines"),
        (b"latin-\xe9", r"latin-\xe9"),
        ("right-to-left\u202egpj.mp4".encode(), r"right-to-left\u{202e}gpj.mp4"),
    ],
)
def test_what_could_steer_a_terminal_becomes_a_visible_escape(raw: bytes, text: str) -> None:
    assert names.shown(raw) == text


@pytest.mark.parametrize("path", [b"england/2015/match.mkv", "Köln – Gent.mp4".encode(), b"a b~1 (copy).mov"])
def test_harmless_paths_are_kept_as_they_are(path: bytes) -> None:
    assert os.fsencode(names.result_base(path)) == path


@given(PATH)
def test_a_result_stays_in_its_folder_and_fits_any_filesystem(path: bytes) -> None:
    parts = names.with_claim(names.result_base(path), "f" * 64).split("/")
    assert not {"", ".", ".."} & set(parts)
    assert all(len(f"{part}.json".encode()) <= 255 and "\0" not in part for part in parts)


@given(st.sets(COMPONENT.filter(lambda raw: raw not in (b".", b"..")), min_size=2, max_size=6))
def test_no_two_files_of_a_folder_become_alike(components: set[bytes]) -> None:
    assert len({names.result_base(component) for component in components}) == len(components)


@pytest.mark.parametrize("path", [b"../../etc/passwd", b"/etc/passwd", b"./etc//passwd"])
def test_dots_do_not_lead_out(path: bytes) -> None:
    assert names.result_base(path) == "etc/passwd"


@given(st.text())
def test_json_that_is_safe_to_print_says_the_same(text: str) -> None:
    written = names.safe_json(json.dumps({text: text}, ensure_ascii=False))
    assert json.loads(written) == {text: text}
    assert not set(written) & {chr(point) for point in (*range(32), *range(0x7F, 0xA0), 0x202E, 0x2028)}
    written.encode()


def test_json_that_is_safe_to_print_can_always_be_written() -> None:
    said = names.safe_json(json.dumps("\x1b[31m \x9b31m \ud800 \u202e", ensure_ascii=False))
    assert said == r'"\u001b[31m \u009b31m \ud800 \u202e"'
