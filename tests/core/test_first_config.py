"""The file that init writes can be read, says what was chosen, and never takes another's place unasked."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmd.config import load_settings
from vlmd.config.first import SOCCER_LABELS, First, first_config, model_name
from vlmd.config.kinds import NAME_PATTERN
from vlmd.config.load import parse_settings
from vlmd.config.writing import write_config
from vlmd.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
names = st.from_regex(NAME_PATTERN, fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).map(str.strip).filter(bool)
labels = st.lists(texts, min_size=1, max_size=30, unique_by=str.casefold).filter(
    lambda words: "none" not in [word.casefold() for word in words]
)


def first(**other: object) -> First:
    usual = {
        "model": "m", "hub": "a/b", "path": None, "precision": "nf4", "max_batch": 12, "pipeline": "soccer",
        "labels": SOCCER_LABELS, "cpu_threads": None,
    }  # fmt: skip
    return First(**(usual | other))  # type: ignore[arg-type]


@given(names, names, labels, st.sampled_from([None, 1, 8]), st.sampled_from([None, 1, 32]))
def test_whatever_is_chosen_the_file_says_it(model, pipeline, words, threads, batch):
    chosen = first(model=model, pipeline=pipeline, labels=words, cpu_threads=threads, max_batch=batch)
    settings = parse_settings(tomllib.loads(first_config(chosen)))
    assert list(settings.models) == [model] and list(settings.pipelines) == [pipeline]
    assert settings.pipelines[pipeline].labels == tuple(words)
    assert (settings.models[model].hub, settings.models[model].precision) == ("a/b", "nf4")
    assert settings.models[model].max_batch == (batch or 8)
    assert settings.devices.use == ("auto" if threads is None else ("cpu",))
    assert settings.devices.threads == (threads or 1)


@given(st.text(max_size=80))
def test_any_origin_has_a_name(origin):
    assert NAME_PATTERN.fullmatch(model_name(origin))


def test_soccer_has_teams_and_other_pipelines_are_not_asked_for_them():
    for pipeline, teams in (("soccer", ("home", "away")), ("physio", ())):
        asked = parse_settings(tomllib.loads(first_config(first(pipeline=pipeline)))).pipelines[pipeline]
        assert asked.teams == teams
        assert ("{teams}" in asked.template) == bool(teams)


def test_the_labels_are_those_of_the_long_file():
    shown = "".join(line.removeprefix("#") for line in (ROOT / "config.toml").read_text().splitlines(keepends=True))
    block = shown[shown.index("labels = [") : shown.index("]\n The sides")] + "]"
    assert tuple(tomllib.loads(block)["labels"]) == SOCCER_LABELS


def test_lines_are_short():
    assert max(map(len, first_config(first()).splitlines())) <= 120


def test_what_is_commented_out_is_the_default():
    text = first_config(first(max_batch=None))
    switched_on = "\n".join(
        line[1:] if line.startswith("#") and line[1:2].isalpha() else line for line in text.splitlines()
    )
    assert parse_settings(tomllib.loads(switched_on)) == parse_settings(tomllib.loads(text))


def test_it_is_written_once(tmp_path):
    path = tmp_path / "deep" / "config.toml"
    assert write_config(path, first_config(first())) is None
    load_settings(path)
    with pytest.raises(ConfigError, match="is there already, and stays; --force"):
        write_config(path, "other")
    assert path.read_text() == first_config(first())
    assert os.listdir(path.parent) == ["config.toml"]


def test_forced_it_keeps_a_copy_of_what_lay_there(tmp_path):
    path, link = tmp_path / "config.toml", tmp_path / "link.toml"
    path.write_text("mine")
    link.symlink_to(path)
    copies = [write_config(link, text, replace=True) for text in ("new", "newer")]
    assert path.read_text() == "newer" and link.is_symlink()
    assert [copy.read_text() for copy in copies if copy] == ["mine", "new"]
    assert len(os.listdir(tmp_path)) == 4


def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written: .*; make its folder writable"):
        write_config(tmp_path / "file" / "config.toml", "x")
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigError):
        write_config(tmp_path / "config.toml", "x", replace=True)
    assert sorted(os.listdir(tmp_path)) == ["config.toml", "file"]
