"""A notice is tried again later and later, never endlessly; a signature is one that others can check; secrets are."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.errors import ConfigError
from vlmd.supervisor.hooks.retry import FIRST_DELAY_MS, LONGEST_DELAY_MS, next_try, wait_ms
from vlmd.supervisor.hooks.webhook import read_secret, signature

TIMES = st.integers(0, 1 << 42)


@given(st.integers(1, 1000), TIMES)
def test_delays_grow_up_to_the_longest(failures: int, now: int) -> None:
    at, later = next_try(failures, 2000, now), next_try(failures + 1, 2000, now)
    assert at is not None and later is not None
    assert now + FIRST_DELAY_MS <= at <= later <= now + LONGEST_DELAY_MS


@given(st.integers(1, 1000), TIMES)
def test_the_last_try_is_the_last(most: int, now: int) -> None:
    assert next_try(most, most, now) is None
    assert most == 1 or next_try(most - 1, most, now) is not None


@given(TIMES, TIMES, st.integers(1, 1000))
def test_a_clock_that_was_set_back_stops_no_notice(now: int, before: int, failures: int) -> None:
    due_at = next_try(failures, 2000, before)
    assert due_at is not None
    assert 0 <= wait_ms(due_at, now) <= LONGEST_DELAY_MS


def test_the_signature_covers_time_and_body() -> None:
    expected = hmac.new(b"secret", b"1700000000." + b'{"a": 1}', hashlib.sha256).hexdigest()
    assert signature(b"secret", b'{"a": 1}', 1_700_000_000) == f"t=1700000000,v1={expected}"


def test_a_secret_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    assert read_secret(secret(tmp_path, "0123456789abcdef\n", 0o640)) == b"0123456789abcdef"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [("0123456789abcde\n", 0o600, "fewer than 16 bytes"), ("0123456789abcdef", 0o644, "by everybody; `chmod 600` it")],
)
def test_a_secret_that_is_none_is_refused(tmp_path: Path, content: str, mode: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_secret(secret(tmp_path, content, mode))


def secret(folder: Path, content: str, mode: int) -> Path:
    (folder / "secret").write_text(content)
    (folder / "secret").chmod(mode)
    return folder / "secret"
