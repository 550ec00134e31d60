"""How the mistakes in a config.toml are told: all at once, each with its dotted path, in plain words."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vlmd.config import Settings, parse_settings
from vlmd.core.errors import ConfigError


def problems(data: dict[str, Any] | str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_settings(tomllib.loads(data) if isinstance(data, str) else data)
    return caught.value.problems


def pipeline_problems(**pipeline: Any) -> list[str]:
    return problems({"models": {"m": {"path": "x"}}, "pipelines": {"p": {"model": "m", "labels": ["Goal"]} | pipeline}})


def test_every_mistake_is_told_at_once() -> None:
    told = problems("""
        inbx = 1
        [limits]
        max_windows = "many"
        require_sandbox = 1
        load_seconds = inf
        [inbox]
        default_pipeline = "socer"
        [models.Bad]
        path = "x"
        [models.qwen]
        path = "x"
        precision = "int4"
        max_bach = 4
        [pipelines.soccer]
        model = "qwem"
        labels = []
        [pipelines.soccer.window]
        from = 4
        until = 3
        [pipelines.other]
        task = "captions"
    """)
    assert sorted(told) == sorted(
        [
            "inbx: there is no such key; did you mean inbox?",
            'limits.max_windows: expected a whole number, not "many"',
            "limits.require_sandbox: expected true or false, not 1",
            "limits.load_seconds: expected a finite number, not inf",
            "inbox.default_pipeline: there is no [pipelines.socer] section; did you mean soccer?",
            "models.Bad: expected a name of small letters, digits, '.', '_' and '-' that begins with a "
            "letter or digit (it becomes the name of a folder)",
            'models.qwen.precision: expected "auto", "nf4", "int8", "bf16", "fp16" or "fp32", not "int4"',
            "models.qwen.max_bach: there is no such key; did you mean max_batch?",
            "pipelines.soccer.model: there is no [models.qwem] section; did you mean qwen?",
            'pipelines.soccer.labels: task = "events" looks for labels; name one at least, such as ["Goal", "Foul"]',
            "pipelines.soccer.window.until: expected a time after from (4), not 3",
            'pipelines.other.task: expected "events", "caption", "choice", "feedback", "text" or "ensemble", '
            'not "captions"',
            "pipelines.other.model: is missing, and has no default",
        ]
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"source": "x"}, "source: there is no such key; known here: paths, devices, inbox"),
        ({"devices": 3}, "devices: expected a section of its own, not 3"),
        ({"models": []}, "models: expected a section of its own, not an empty list"),
        ({"models": {"m": "x"}}, 'models.m: expected a section of its own, not "x"'),
        ({"models": {"m": {"path": ""}}}, "models.m.path: expected a path"),
        ({"models": {"a/b": {"path": "x"}}}, 'models."a/b": expected a name'),
        ({"models": {"m": {}}}, "models.m: expected where its checkpoint lies"),
        ({"models": {"m": {"path": "x", "hub": "a/b"}}}, "models.m: path and hub both say"),
        ({"models": {"m": {"path": "x", "revision": "main"}}}, "models.m: revision says which version"),
        ({"models": {"m": {"hub": "no-owner"}}}, 'models.m.hub: expected a name of the model hub, "owner/name"'),
        ({"models": {"m": {"hub": "../b"}}}, "models.m.hub: expected a name of the model hub"),
        ({"models": {"m": {"hub": "a/b", "revision": "../x"}}}, "models.m.revision: expected a branch, a tag"),
        (
            {"models": {"m": {"hub": "OpenGVLab/InternVL3_5-4B"}}},
            "models.m.hub: OpenGVLab/InternVL3_5-4B only loads with code of its own, which vlmd never runs; "
            'write hub = "OpenGVLab/InternVL3_5-4B-HF"',
        ),
        ({"devices": {"use": "cpu"}}, 'devices.use: expected "auto" or a list'),
        ({"devices": {"use": []}}, 'devices.use: expected "auto" or a list'),
        ({"devices": {"use": ["cuda:01"]}}, 'devices.use: expected "cuda:N"'),
        ({"devices": {"use": ["cuda:0", "cuda:0"]}}, "devices.use: a GPU gets one worker"),
        ({"devices": {"use": ["MIG-1"]}}, "devices.use: MIG-1 is a part of a GPU"),
        ({"inbox": {"ignore": ["a/b"]}}, "inbox.ignore[0]: expected a pattern"),
        ({"paths": {"inbox": 3}}, "paths.inbox: expected a path in quotes"),
        ({"paths": {"inbox": "a\0b"}}, "paths.inbox: expected a path; it is empty or holds a NUL"),
        (
            {"paths": {"inbox": "~nobody-at-all/x"}},
            'paths.inbox: nobody knows which folder "~nobody-at-all" is',
        ),
        ({"paths": {"inbox": "/a", "results": "/a/../a/b"}}, "paths.results: lies inside the inbox"),
        (
            {"paths": {"state": "/" + "x" * 97}},
            f"paths.socket: /{'x' * 97}/vlmd.sock would take 108 bytes",
        ),
        (
            {"limits": {"max_windows": 1 << 20000}},
            "limits.max_windows: expected at most 1000000, not a number",
        ),
        ({"limits": {"load_seconds": 0}}, "limits.load_seconds: expected at least 0.1, not 0"),
    ],
)
def test_mistake_is_told_in_plain_words(data: dict[str, Any], told: str) -> None:
    (problem,) = problems(data)
    assert problem.startswith(told)


@pytest.mark.parametrize(
    ("pipeline", "told"),
    [
        ({"labels": []}, 'pipelines.p.labels: task = "events" looks for labels'),
        ({"task": "choice", "choices": ["yes"]}, "pipelines.p.choices: expected two choices or more"),
        ({"choices": ["yes", "no"]}, 'pipelines.p.choices: only a pipeline of task = "choice" has choices'),
        ({"outputs": ["pdf"]}, "pipelines.p.outputs: there is no format 'pdf'; there are json, jsonl, csv"),
        (
            {"task": "choice", "choices": ["a", "b"], "outputs": ["srt"]},
            "pipelines.p.outputs: srt cannot show what a choice pipeline answers; json, jsonl, csv, submission",
        ),
        ({"prompt": "{choices}"}, "pipelines.p.prompt: nothing can be filled in for {choices}"),
        ({"window": {"plan": "whole", "step": 1.0}}, 'pipelines.p.window.step: means nothing where plan = "whole"'),
        ({"window": {"frames": 4}}, 'pipelines.p.window.frames: means nothing where plan = "sliding"'),
        ({"window": {"plan": "whole", "min_frames": 4}}, "pipelines.p.window.max_frames: min_frames and max_frames go"),
        (
            {"window": {"plan": "whole", "min_frames": 4, "max_frames": 2}},
            "pipelines.p.window.max_frames: expected at least min_frames (4), not 2",
        ),
        (
            {"window": {"plan": "whole", "frames": 4, "max_frames": 2}},
            "pipelines.p.window.max_frames: frames says exactly how many",
        ),
        ({"labels": ["Goal", " goal "]}, 'pipelines.p.labels: "goal" stands there more than once'),
        ({"labels": ["Goal", ""]}, "pipelines.p.labels: an entry of the list is empty"),
        ({"labels": ["NONE"]}, 'pipelines.p.labels: "None" cannot be a label'),
        ({"labels": [1]}, "pipelines.p.labels[0]: expected a text in quotes, not 1"),
        ({"labels": "Goal"}, 'pipelines.p.labels: expected a list such as ["a", "b"], not "Goal"'),
        ({"prompt": " "}, "pipelines.p.prompt: the prompt is empty"),
        (
            {"prompt": "{label} {start}"},
            "pipelines.p.prompt: nothing can be filled in for {label}; known are {end}",
        ),
        ({"teams": []}, "pipelines.p.prompt: the prompt asks for {teams}, and teams is empty"),
        ({"window": {"length": 60.0, "step": 0.5}}, "pipelines.p.window.step: expected at least a hundredth"),
        (
            {"window": {"length": 600, "step": 600}},
            "pipelines.p.window.fps: 600 seconds at 5 pictures per second",
        ),
        ({"window": {"from_": 1.0}}, "pipelines.p.window.from_: there is no such key; did you mean from?"),
        ({"max_new_tokens": 9}, "pipelines.p.max_new_tokens: there is no such key"),
        ({"generation": {"max_new_token": 9}}, "pipelines.p.generation.max_new_token: there is no such key; did you"),
        ({"generation": {"max_new_tokens": 0}}, "pipelines.p.generation.max_new_tokens: expected at least 1, not 0"),
        (
            {"generation": {"max_new_tokens": 9, "min_new_tokens": 10}},
            "pipelines.p.generation.min_new_tokens: expected at most max_new_tokens (9), not 10",
        ),
        (
            {"generation": {"beams": 4, "temperature": 0.7}},
            "pipelines.p.generation.temperature: 4 beams are searched without drawing",
        ),
        (
            {"generation": {"temperature": 1e-6}},
            "pipelines.p.generation.temperature: expected 0, which draws nothing, or at least 0.01, not 1e-06",
        ),
        ({"generation": {"top_p": 0.9}}, "pipelines.p.generation.top_p: changes nothing at temperature 0"),
        ({"generation": {"seed": 1}}, "pipelines.p.generation.seed: changes nothing at temperature 0"),
        ({"generation": {"top_p": 0, "temperature": 1}}, "pipelines.p.generation.top_p: expected more than 0, not 0"),
        ({"generation": {"repetition_penalty": 0.9}}, "pipelines.p.generation.repetition_penalty: expected at least 1"),
        ({"generation": {"seconds": 0}}, "pipelines.p.generation.seconds: expected at least 0.1, not 0"),
        ({"window": {"until": 0.0}}, "pipelines.p.window.until: expected more than 0, not 0.0"),
    ],
)
def test_mistake_in_a_pipeline_is_told(pipeline: dict[str, Any], told: str) -> None:
    (problem,) = pipeline_problems(**pipeline)
    assert problem.startswith(told)


TEXT = st.text("a~/.\0é", max_size=4)
JUNK = st.recursive(
    st.booleans() | st.integers() | st.floats() | TEXT | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
KEYS = st.sampled_from(["paths", "devices", "inbox", "limits", "models", "pipelines", "m", "model", "window", "use"])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, st.dictionaries(KEYS, st.dictionaries(KEYS, JUNK) | JUNK) | JUNK, max_size=4))
def test_anything_else_is_a_config_error(data: dict[str, Any]) -> None:
    try:
        assert isinstance(parse_settings(data), Settings)
    except ConfigError as error:
        assert error.problems and all(": " in problem for problem in error.problems)


def test_mistakes_in_hooks() -> None:
    told = problems({"hooks": {"on_done": "notify.sh", "on_failed": "https://example.org/", "tries": 0}})
    assert [problem.split(" ", 1)[0] for problem in told] == [
        "hooks.on_done:",
        "hooks.secret_file:",
        "hooks.tries:",
    ]
    assert 'such as ["/usr/local/bin/tell", "--now"]' in told[0]
    assert "on_failed is a web address, and what is sent there is signed" in told[1]


@pytest.mark.parametrize("hook", [[], [""], ["./here"], ["a", 1], "ftp://example.org", "https://", {"a": 1}])
def test_what_is_no_hook(hook: Any) -> None:
    (told,) = problems({"hooks": {"on_done": hook}})
    assert told.startswith("hooks.on_done: expected a command as a list of words")
