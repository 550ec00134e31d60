"""Pipelines that need each other: whatever cannot work is told at `config check`, in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.test_config_mistakes import problems
from vlmd.config import parse_settings

EVENTS = {"model": "m", "labels": ["Goal"]}
TEXT = {"model": "m", "task": "text", "question": "Who plays?"}


def config(**pipelines: Any) -> dict[str, Any]:
    return {"models": {"m": {"path": "x"}}, "pipelines": pipelines}


def test_what_fits_together_is_fine() -> None:
    settings = parse_settings(
        config(
            match=TEXT,
            fast=EVENTS | {"context": ["match"]},
            slow=EVENTS | {"window": {"plan": "spans", "around": "fast"}},
            both={"task": "ensemble", "of": ["fast", "slow"]},
        )
    )
    assert settings.pipelines["fast"].template.startswith("{result.match}\nThese pictures")
    assert settings.pipelines["slow"].needs == ("fast",) and settings.pipelines["both"].needs == ("fast", "slow")
    assert settings.models_in_use() == ["m"]


@pytest.mark.parametrize(("pipelines", "told"), [
    ({"a": EVENTS | {"context": ["mach"]}, "match": TEXT}, "pipelines.a.context: there is no [pipelines.mach] section; "
     "did you mean match?"),
    ({"a": EVENTS | {"context": ["a"]}}, "pipelines.a: it needs itself (a needs a), so it could never begin"),
    ({"a": EVENTS | {"context": ["b"]}, "b": TEXT | {"context": ["c"]}, "c": TEXT | {"context": ["a"]}},
     "pipelines.a: it needs itself (a needs b needs c needs a), so it could never begin"),
    ({"a": {"task": "ensemble", "of": ["b", "c"]}, "b": TEXT, "c": EVENTS},
     'pipelines.a.of: b finds no events (task = "text"), and an ensemble is made of nothing else'),
    ({"a": EVENTS | {"window": {"plan": "spans", "around": "b"}},
      "b": {"model": "m", "task": "choice", "question": "?", "choices": ["x", "y"]}},
     'pipelines.a.window.around: b finds nothing that one could look around (task = "choice")'),
    ({"a": {"task": "ensemble", "of": ["b", "c"], "model": "m"}, "b": EVENTS, "c": EVENTS},
     "pipelines.a.model: an ensemble asks no model of its own; leave it out, and name pipelines in of"),
    ({"a": {"task": "ensemble", "of": ["b", "c"], "context": ["b"]}, "b": EVENTS, "c": EVENTS},
     "pipelines.a.context: an ensemble asks no model, so there is nothing to tell or show one; leave it out"),
    ({"a": {"task": "ensemble", "of": ["b", "c"], "window": {"plan": "spans", "around": "b"}}, "b": EVENTS,
      "c": EVENTS},
     "pipelines.a.window: an ensemble asks no model, so there is nothing to tell or show one; leave it out"),
    ({"a": {"task": "ensemble", "of": ["b", "b"]}, "b": EVENTS},
     "pipelines.a.of: an ensemble is made of two pipelines or more; name them here"),
    ({"a": EVENTS | {"of": ["b"]}, "b": EVENTS},
     'pipelines.a.of: only a pipeline of task = "ensemble" is made of others; leave it out'),
    ({"a": EVENTS | {"prompt": "{result.b}"}, "b": TEXT},
     "pipelines.a.prompt: nothing can be filled in for {result.b}; known are {end}, {fps}, {frames}, {labels}, "
     "{question}, {start}, {teams}, {times}"),
])  # fmt: skip
def test_what_cannot_work_is_told(pipelines: dict[str, Any], told: str) -> None:
    assert problems(config(**pipelines)) == [told]
