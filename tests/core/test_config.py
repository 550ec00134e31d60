"""config.toml: where it is found, and what it may say."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from vlmd.config import load_settings, parse_settings, places
from vlmd.core.errors import ConfigError
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.recipe import DRAW_RULE, Generation
from vlmd.core.tasks.prompts import EVENTS_PROMPT
from vlmd.core.windows import SlidingPlan

SHIPPED = Path(__file__).parents[2] / "config.toml"
RUNNABLE = {"models": {"m": {"path": "vlmd-demo"}}, "pipelines": {"p": {"model": "m", "labels": ["Goal"]}}}


@pytest.fixture(autouse=True)
def no_config_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLMD_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(places, "SYSTEM_CONFIG", tmp_path / "etc" / "config.toml")


def runnable(**pipeline: Any) -> dict[str, Any]:
    return RUNNABLE | {"pipelines": {"p": RUNNABLE["pipelines"]["p"] | pipeline}}


def uncommented(text: str) -> str:
    """The file with everything switched on that it offers: "#" without a blank begins a setting."""
    return re.sub(r"^#(?=[^\s#])", "", text, flags=re.MULTILINE)


# --- the shipped file --------------------------------------------------------------------------------------


def test_shipped_file_is_the_defaults() -> None:
    assert load_settings(SHIPPED).model_dump() == parse_settings({}).model_dump()


def test_shipped_file_writes_out_every_key() -> None:
    shipped = tomllib.loads(uncommented(SHIPPED.read_text()))
    for section in ("paths", "devices", "inbox", "limits", "hooks", "retention"):
        assert set(shipped[section]) == set(getattr(parse_settings({}), section).model_dump())
    pipeline = parse_settings(shipped).pipelines["soccer"]
    models = shipped["models"].values()
    assert {key for model in models for key in model} == set(parse_settings(shipped).models["idefics3"].model_dump())
    pipelines = shipped["pipelines"].values()
    assert {key for one in pipelines for key in one} == set(pipeline.model_dump())
    windows = [one.get("window", {}) for one in pipelines]
    assert {key for one in windows for key in one} == set(pipeline.window.model_dump(by_alias=True))
    assert set(shipped["pipelines"]["soccer"]["generation"]) == set(pipeline.generation.model_dump())


def test_commented_examples_parse_and_show_the_defaults() -> None:
    settings = parse_settings(tomllib.loads(uncommented(SHIPPED.read_text())))
    settings.require_runnable()
    model, pipeline = settings.models["idefics3"], settings.pipelines["soccer"]
    unset = {"path", "hub", "revision", "adapter", "frame_edge"}
    assert model.model_dump(exclude=unset) == _defaults("models", "m", exclude=unset)
    assert pipeline.prompt == EVENTS_PROMPT
    own = {"model", "labels", "window", "generation", "prompt", "calibration"}
    assert pipeline.model_dump(exclude=own) == _defaults("pipelines", "p", exclude=own)
    assert pipeline.window.model_dump(exclude={"until"}) == type(pipeline.window)().model_dump(exclude={"until"})
    unset = {"seconds"}
    assert pipeline.generation.model_dump(exclude=unset) == type(pipeline.generation)().model_dump(exclude=unset)
    assert len(pipeline.labels) == 17
    assert settings.inbox.default_pipeline == "soccer"


def _defaults(section: str, name: str, exclude: set[str]) -> dict[str, Any]:
    dumped: dict[str, Any] = getattr(parse_settings(RUNNABLE), section)[name].model_dump(exclude=exclude)
    return dumped


def test_defaults_agree_with_the_decoder() -> None:
    assert parse_settings({}).limits.for_decoder() == DecodeLimits()
    assert parse_settings(RUNNABLE).pipelines["p"].window.plan_for() == SlidingPlan()
    assert parse_settings(RUNNABLE).pipelines["p"].template == EVENTS_PROMPT
    assert parse_settings(RUNNABLE).pipelines["p"].generation.plan() == Generation()


def test_defaults_survive_a_round_trip() -> None:
    first = parse_settings(RUNNABLE)
    dumped = first.model_dump(by_alias=True, exclude_none=True)
    assert parse_settings(dumped).model_dump() == first.model_dump()


# --- values ------------------------------------------------------------------------------------------------


def test_window_in_seconds_becomes_a_plan_in_milliseconds() -> None:
    window = {"length": 2.5, "step": 1, "fps": 2, "from": 0.1, "until": 7200}
    plan = parse_settings(runnable(window=window)).pipelines["p"].window.plan_for()
    assert plan == SlidingPlan(length_ms=2500, step_ms=1000, fps=2, from_ms=100, until_ms=7_200_000)


def test_what_generation_says_goes_into_the_recipe_as_it_stands() -> None:
    way = {"max_new_tokens": 512, "min_new_tokens": 4, "temperature": 0.7, "top_p": 0.9, "seed": 3, "seconds": 20}
    plan = parse_settings(runnable(generation=way)).pipelines["p"].generation.plan()
    assert plan == Generation(
        max_new_tokens=512, min_new_tokens=4, temperature=0.7, top_p=0.9, seed=3, seconds=20.0, draw_rule=DRAW_RULE
    )
    beams = parse_settings(runnable(generation={"beams": 5, "repetition_penalty": 1.2})).pipelines["p"].generation
    assert beams.plan() == Generation(beams=5, repetition_penalty=1.2)


def test_devices_by_name() -> None:
    use = ["cuda:1", "GPU-12345678-aaaa", "cpu", "cpu"]
    assert parse_settings({"devices": {"use": use}}).devices.use == tuple(use)


def test_teams_may_be_empty_where_the_prompt_does_not_ask_for_them() -> None:
    assert parse_settings(runnable(teams=[], prompt="{labels}?")).pipelines["p"].teams == ()


def test_settings_are_frozen() -> None:
    settings = parse_settings({})
    with pytest.raises(ValueError, match="frozen"):
        settings.limits.max_windows = 3  # type: ignore[misc]


def test_home_and_relative_paths(tmp_path: Path) -> None:
    file = tmp_path / "box" / "vlmd.toml"
    file.parent.mkdir()
    file.write_text("""
        [paths]
        inbox = "in"
        results = "../out"
        state = "/s"
        [models]
        a.path = "weights/a"
        b.path = "~/b"
        c.path = "vlmd-demo"
        d.path = "./vlmd-demo"
    """)
    settings = load_settings(file)
    assert settings.paths.inbox == tmp_path / "box" / "in"
    assert settings.paths.results == tmp_path / "out"
    assert (settings.paths.socket, settings.paths.database) == (Path("/s/vlmd.sock"), Path("/s/vlmd.db"))
    assert [model.path for model in settings.models.values()] == [
        str(tmp_path / "box" / "weights" / "a"),
        str(tmp_path / "home" / "b"),
        "vlmd-demo",
        str(tmp_path / "box" / "vlmd-demo"),
    ]
    assert [name for name, model in settings.models.items() if model.is_demo] == ["c"]


def test_relative_paths_are_absolute_even_if_the_file_is_named_relatively(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.toml").write_text('[paths]\ninbox = "in"')
    monkeypatch.chdir(tmp_path)
    settings = load_settings(Path("c.toml"))
    assert settings.paths.inbox == tmp_path / "in"
    assert settings.source == tmp_path / "c.toml"


# --- which file --------------------------------------------------------------------------------------------


def test_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(name: str, threads: int) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[devices]\nthreads = {threads}")
        return path

    assert (load_settings(None).devices.threads, load_settings(None).source) == (1, None)
    etc = write("etc/config.toml", 2)
    assert (load_settings(None).devices.threads, load_settings(None).source) == (2, etc)
    write("home/.config/vlmd/config.toml", 3)
    assert load_settings(None).devices.threads == 3
    write("xdg/vlmd/config.toml", 4)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert load_settings(None).devices.threads == 4
    monkeypatch.setenv("VLMD_CONFIG", str(write("asked.toml", 5)))
    assert load_settings(None).devices.threads == 5
    assert load_settings(write("flag.toml", 6)).devices.threads == 6


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings(tmp_path / "missing.toml")
    monkeypatch.setenv("VLMD_CONFIG", str(tmp_path / "missing.toml"))
    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings(None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[limits\n", ": is not valid TOML: "),
        (b"a = 1\na = 2\n", ": is not valid TOML: Cannot overwrite a value"),
        (b"a = 1\nb = '\xff'\n", ": line 2 is not UTF-8"),
        (b"a = " + b"9" * 5000, ": is not valid TOML: "),
        (b"a = " + b"[" * 100_000, ": is not valid TOML: "),
        (b"[limits]\nmax_windows = 0", ":2: limits.max_windows: expected at least 1, not 0"),
    ],
)
def test_a_problem_names_its_file(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{file}{told}")


def test_a_folder_is_no_config_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path)


# --- ready to run ------------------------------------------------------------------------------------------


def test_nothing_is_chosen_for_the_user() -> None:
    with pytest.raises(ConfigError, match="no model and no pipeline is configured") as caught:
        parse_settings({}).require_runnable()
    assert "vlmd-demo" in str(caught.value)
    with pytest.raises(ConfigError, match="no pipeline is configured"):
        parse_settings({"models": RUNNABLE["models"]}).require_runnable()
    parse_settings(RUNNABLE).require_runnable()


def test_the_example_in_the_help_parses() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings({}).require_runnable()
    example = "\n".join(line[4:] for line in str(caught.value).splitlines() if line.startswith("    "))
    parse_settings(tomllib.loads(example)).require_runnable()


def test_import_is_light() -> None:
    code = "import sys, vlmd.config; assert not {'torch', 'av', 'transformers', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SHIPPED.parent)
