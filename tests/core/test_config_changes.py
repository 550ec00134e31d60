"""What differs between two settings, and what of it a running daemon takes over."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from vlmd.config import Settings, parse_settings
from vlmd.config.changes import AT_ONCE, AT_RESTART, WHEN, as_data, changes, kept
from vlmd.config.check import doubts
from vlmd.config.keys import dotted, every_key

BASE = """
[paths]
inbox = "/a/in"
results = "/a/out"
state = "/a/state"
[models.m]
path = "/m"
[models.spare]
path = "/s"
[pipelines.p]
model = "m"
labels = ["Goal"]
"""
LIMITS = "[limits]\nmax_windows = 3\nstart_failures = 9"
PIPELINE = '[pipelines.q]\nmodel = "m"\nlabels = ["Foul"]'


def settings(text: str) -> Settings:
    return parse_settings(tomllib.loads(text))


def changed(*pairs: tuple[str, str], more: str = "") -> Settings:
    text = BASE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return settings(f"{text}\n{more}")


def test_every_key_is_classified() -> None:
    assert {".".join(keys) for keys in every_key()} == set(WHEN)
    assert set(WHEN.values()) == {AT_ONCE, AT_RESTART}


@pytest.mark.parametrize(
    ("new", "at_once", "at_restart"),
    [
        (changed(), [], []),
        (changed(("/a/in", "/b/in")), [], ["paths.inbox"]),
        (changed(("/a/state", "/b")), [], ["paths.socket", "paths.state"]),
        (changed(("/m", "/n")), [], ["models.m.path"]),
        (changed(('"/s"', '"/t"')), ["models.spare.path"], []),
        (changed(("Goal", "Corner")), ["pipelines.p.labels"], []),
        (changed(('model = "m"', 'model = "spare"')), ["pipelines.p.model"], []),
        (changed(more=LIMITS), ["limits.max_windows"], ["limits.start_failures"]),
        (changed(more="[pipelines.p.window]\nuntil = 5"), ["pipelines.p.window.until"], []),
        (changed(more='[devices]\nuse = ["cpu"]\n[inbox]\nignore = []'), ["inbox.ignore"], ["devices.use"]),
    ],
)
def test_differences_by_when_they_count(new: Settings, at_once: list[str], at_restart: list[str]) -> None:
    found = changes(changed(), new, loaded={"m"})
    assert [dotted(keys) for keys in found.at_once] == at_once
    assert [dotted(keys) for keys in found.at_restart] == at_restart


@pytest.mark.parametrize("more", ["", PIPELINE, LIMITS, '[devices]\nuse=["cpu"]'])
def test_what_waits_stays_as_it_was(more: str) -> None:
    old, new = changed(), changed(("/a/out", "/b/out"), ("/m", "/n"), more=more)
    found = changes(old, new, loaded={"m"})
    now = kept(old, new, found)
    assert not changes(old, now, loaded={"m"}).at_restart
    assert changes(old, now, loaded={"m"}).at_once == found.at_once
    assert changes(now, new, loaded={"m"}).at_restart == found.at_restart
    assert as_data(now)["paths"] == as_data(old)["paths"]


def test_a_pipeline_comes_and_goes() -> None:
    old, new = changed(), changed(more=PIPELINE)
    assert "pipelines.q.labels" in [dotted(keys) for keys in changes(old, new).at_once]
    assert list(kept(old, new, changes(old, new)).pipelines) == ["p", "q"]
    assert list(kept(new, old, changes(new, old)).pipelines) == ["p"]


def test_a_loaded_model_that_is_taken_out_stays_known() -> None:
    old = changed(more=PIPELINE)
    text = BASE.replace('[models.m]\npath = "/m"\n', "").replace('model = "m"', 'model = "spare"')
    found = changes(old, settings(text), loaded={"m"})
    assert "models.m.path" in [dotted(keys) for keys in found.at_restart]
    assert kept(old, settings(text), found).models["m"] == old.models["m"]


TEXT = '[pipelines.t]\ntask = "text"\nmodel = "m"\n'


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[pipelines.p.window]\nlength = 2\nstep = 5", "pipelines.p.window.step: windows of 2 s begin every 5 s"),
        (f"{PIPELINE}\ngap_seconds = 1", "pipelines.q.gap_seconds: 1 is less than window.step (2)"),
        (PIPELINE.replace("Foul", "Goal"), "pipelines.q: asks exactly what pipelines.p asks"),
        ('[inbox]\nignore = ["*"]', 'inbox.ignore: "*" is among the patterns'),
        ("", "models.spare: no pipeline uses it"),
        (
            f"{TEXT}question = 'Why?'\nprompt = 'Look.'",
            "pipelines.t.question: the prompt has no place for it ({question})",
        ),
        (f"{TEXT}context = ['p']\nprompt = 'Look.'", "pipelines.t.context: the prompt has no place for what p finds"),
        (f"{TEXT}labels = ['Goal']", 'pipelines.t.labels: a pipeline of task = "text" looks for none'),
        (f"{TEXT}calibration = 'x'", 'pipelines.t.calibration: a pipeline of task = "text" finds no events'),
        (
            f"{TEXT}question = 'Why?'\ncontext = ['u']\n{TEXT.replace('.t]', '.u]')}prompt = '{{question}}'",
            "pipelines.t: it needs u, which asks of each video what it brings",
        ),
        (
            TEXT.replace("text", "choice") + "prompt = '{question}'",
            "pipelines.t.prompt: it has no place for the choices",
        ),
    ],
)
def test_legal_and_surely_not_meant(more: str, told: str) -> None:
    assert [doubt for doubt in doubts(changed(more=more)) if doubt.startswith(told)]


def test_a_folder_that_cannot_be_made(tmp_path: Any) -> None:
    (tmp_path / "file").write_text("")
    text = BASE.replace("/a/", f"{tmp_path}/file/").replace("[models.spare]\npath = '/s'", "")
    told = [doubt for doubt in doubts(settings(text)) if doubt.startswith("paths.")]
    assert [doubt.split(":")[0] for doubt in told] == ["paths.inbox", "paths.results", "paths.state"]
    assert all("is no folder" in doubt for doubt in told)
