"""Figures from a child process: worked out once, remembered, and a sentence where there are none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vlmd import catalog
from vlmd.catalog import figures as asking
from vlmd.catalog.figures import figures_of, known_figures
from vlmd.core.figures import Figures
from vlmd.weights import demo_folder


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The demo model with a longer context: nothing is known of it yet."""
    folder = tmp_path / "changed"
    folder.mkdir()
    config = json.loads((demo_folder() / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 4096
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(demo_folder() / "processor_config.json", folder)
    return folder


def test_one_child_answers_for_all_and_what_it_said_is_remembered(tmp_path, changed, told):
    cache, bad = tmp_path / "state" / "figures.json", tmp_path / "bad"
    bad.mkdir()
    (bad / "config.json").write_text('{"architectures": ["GPT9"]}')
    answers = figures_of([changed, bad, demo_folder(), tmp_path / "none"], cache, told.append)
    figures = answers[changed]
    assert isinstance(figures, Figures) and figures.context == 4096
    assert figures.parameters == catalog.entries()[catalog.DEMO].figures.parameters, "it has no weights at all"
    assert "no family for architecture GPT9" in str(answers[bad])
    assert "expected a folder with a checkpoint" in str(answers[tmp_path / "none"])
    assert answers[demo_folder()] == catalog.entries()[catalog.DEMO].figures
    assert told == ["working out what changed, bad, none takes; this needs some seconds"]

    assert figures_of([changed], cache, told.append) == {changed: figures}
    assert known_figures(changed, cache) == figures
    assert len(told) == 1, "nobody was asked again"


def test_another_configuration_is_another_question(tmp_path, changed, monkeypatch, told):
    cache = tmp_path / "figures.json"
    monkeypatch.setattr(asking, "worked_out", lambda folders, say: {each: catalog.listed()[NAME] for each in folders})
    assert figures_of([changed], cache, told.append)
    assert known_figures(changed, cache) == catalog.listed()[NAME]
    (changed / "preprocessor_config.json").write_text("{}")
    assert known_figures(changed, cache) is None


NAME = "HuggingFaceM4/idefics2-8b"


@pytest.mark.parametrize("content", [b"", b"[]", b"{\xff", b'{"a": 1}'])
def test_a_damaged_cache_is_no_reason_to_know_less(tmp_path, content):
    cache = tmp_path / "figures.json"
    cache.write_bytes(content)
    assert known_figures(tmp_path, cache) is None
    assert known_figures(demo_folder(), cache) is not None


def test_a_child_that_dies_is_a_sentence(tmp_path, changed, monkeypatch, told):
    monkeypatch.setattr(asking, "_python", lambda module: ["/bin/sh", "-c", "echo no torch here >&2; exit 3", "sh"])
    answers = figures_of([changed], tmp_path / "cache", told.append)
    assert str(answers[changed]).endswith("what it takes could not be worked out: no torch here")
    assert not (tmp_path / "cache").exists()
