"""Whatever goes wrong has a name, a reason and something that helps."""

from __future__ import annotations

import re

import msgspec
import pytest

from vlmd.core.errors import REMEDY, Code, Failure, MediaError, VlmdError


def test_every_code_has_a_remedy() -> None:
    assert REMEDY.keys() == set(Code)
    assert all(remedy and remedy == remedy.strip(" .") for remedy in REMEDY.values())


@pytest.mark.parametrize("code", Code)
def test_codes_are_words_scripts_can_match_on(code: Code) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert code.name == code.value.upper().replace("-", "_")


def test_an_error_carries_its_failure_as_data() -> None:
    error = MediaError(Code.EMPTY, "a.mp4 holds no bytes")
    assert isinstance(error, VlmdError) and str(error) == "empty: a.mp4 holds no bytes"
    assert msgspec.json.decode(msgspec.json.encode(error.failure), type=Failure) == error.failure
    assert error.failure.remedy == REMEDY[Code.EMPTY]
