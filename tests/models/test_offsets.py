"""Offsets of tokens are those of decoding every beginning of the answer, at a fraction of the time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import ByteLevelBPETokenizer
from transformers import AutoTokenizer

from vlmd.worker.offsets import text_and_offsets

MODEL = Path(__file__).parents[2] / "vlmd" / "demo" / "model"
TEXT = st.text(st.sampled_from('abc {}":,\n\téß€日本語🎉👩‍👩‍👧.'), max_size=300)


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(MODEL)


@pytest.fixture(scope="module")
def byte_level() -> ByteLevelBPETokenizer:
    made = ByteLevelBPETokenizer()
    made.train_from_iterator(['{"label": "Goal", "details": "日本語 für 🎉"}'] * 20, vocab_size=400)
    return made


def plain(decode, ids: list[int]) -> tuple[str, list[int]]:
    lengths = [len(decode(ids[:count])) for count in range(len(ids) + 1)]
    return decode(ids), lengths[:-1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 399), max_size=300))
def test_any_tokens_whole_characters_or_not(byte_level, ids: list[int]) -> None:
    assert text_and_offsets(byte_level.decode, ids) == plain(byte_level.decode, ids)


@settings(deadline=None)
@given(TEXT)
def test_text_of_many_scripts(byte_level, text: str) -> None:
    ids = byte_level.encode(text).ids
    assert text_and_offsets(byte_level.decode, ids) == plain(byte_level.decode, ids)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_the_shipped_models_tokens(tokenizer, data) -> None:
    ids = data.draw(st.lists(st.integers(0, len(tokenizer) - 1), max_size=200))

    def decode(some: list[int]) -> str:
        return tokenizer.decode(some, skip_special_tokens=True)

    assert text_and_offsets(decode, ids) == plain(decode, ids)


def test_a_long_answer_costs_little_more_for_each_token(byte_level) -> None:
    """Tokens decoded, not seconds: the square of 4,096 would be eight millions."""
    decoded = 0

    def decode(ids: list[int]) -> str:
        nonlocal decoded
        decoded += len(ids)
        return byte_level.decode(ids)

    ids = byte_level.encode('{"label": "Goal", "details": "日本語 🎉"}, ' * 600).ids[:4096]
    assert text_and_offsets(decode, ids)[1] == sorted(text_and_offsets(decode, ids)[1])
    assert decoded < 4096 * 2 * 64
