"""Where settings come from: which of several places counts, key by key, and where a mistake is said to stand."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmd.config import Given, places
from vlmd.config.changes import as_data
from vlmd.config.keys import every_key, leaves, written
from vlmd.config.lines import lines_of_keys
from vlmd.config.load import Loaded, load
from vlmd.config.toml import as_toml
from vlmd.core.errors import ConfigError


class Box:
    """A machine of our own: a system file, a user's file, an environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {"HOME": str(root / "home"), "XDG_CONFIG_HOME": str(root / "home" / ".config")}

    @property
    def etc(self) -> Path:
        return self.root / "etc" / "config.toml"

    @property
    def user(self) -> Path:
        return self.root / "home" / ".config" / "vlmd" / "config.toml"

    def write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def load(self, *sets: str, file: Path | None = None, **variables: str) -> Loaded:
        return load(Given(file, sets), {**self.environ, **variables})

    def problems(self, *sets: str, file: Path | None = None, **variables: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(*sets, file=file, **variables)
        return caught.value.problems


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    made = Box(tmp_path)
    monkeypatch.setattr(places, "SYSTEM_CONFIG", made.etc)
    monkeypatch.setenv("HOME", made.environ["HOME"])
    return made


RUNNABLE = '[models]\nm.path = "vlmd-demo"\n[pipelines.a-b]\nmodel = "m"\nlabels = ["Goal"]\n'


def test_every_layer_is_laid_over_those_below_key_by_key(box: Box) -> None:
    box.write(box.etc, "[limits]\nmax_windows = 2\nlease_windows = 2\nstop_seconds = 2\nstart_failures = 2")
    assert box.load().settings.limits.max_windows == 2
    box.write(box.user, "[limits]\nlease_windows = 3\nstop_seconds = 3\nstart_failures = 3")
    loaded = box.load(
        "limits.start_failures=5", VLMD_LIMITS__STOP_SECONDS="4", VLMD_LIMITS__START_FAILURES="4", VLMD_SCRIPT="x"
    )
    limits = loaded.settings.limits
    found = (limits.max_windows, limits.lease_windows, limits.stop_seconds, limits.start_failures)
    assert found == (2, 3, 4, 5)
    keys = ("max_windows", "lease_windows", "stop_seconds", "start_failures", "load_seconds")
    assert [loaded.origin(("limits", key)) for key in keys] == [
        f"{box.etc}:2",
        f"{box.user}:2",
        "VLMD_LIMITS__STOP_SECONDS",
        "--set limits.start_failures",
        "default",
    ]


def test_a_file_that_was_asked_for_is_the_only_file(box: Box) -> None:
    box.write(box.etc, "[limits]\nmax_windows = 2")
    box.write(box.user, "[limits]\nlease_windows = 3")
    asked = box.write(box.root / "asked.toml", "[limits]\nstart_failures = 4")
    flagged = box.write(box.root / "flagged.toml", "")
    by_variable = box.load(VLMD_CONFIG=str(asked)).settings
    assert (by_variable.limits.start_failures, by_variable.limits.max_windows) == (4, 20_000)
    by_flag = box.load(file=flagged, VLMD_CONFIG=str(asked), VLMD_DEVICES__THREADS="7").settings
    assert (by_flag.limits.start_failures, by_flag.devices.threads, by_flag.source) == (5, 7, flagged)


def test_paths_count_from_the_file_they_stand_in(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.write(box.etc, '[paths]\ninbox = "in"\nresults = "~/out"\n[models]\na.path = "w"\nb.path = "vlmd-demo"')
    box.write(box.user, '[paths]\nstate = "state"')
    (box.root / "here").mkdir()
    monkeypatch.chdir(box.root / "here")
    settings = box.load("models.c.path=w").settings
    assert settings.paths.inbox == box.etc.parent / "in"
    assert settings.paths.results == box.root / "home" / "out"
    assert settings.paths.state == box.user.parent / "state"
    expected = [str(box.etc.parent / "w"), "vlmd-demo", str(box.root / "here" / "w")]
    assert [model.path for model in settings.models.values()] == expected


@pytest.mark.parametrize(
    ("text", "keys", "value"),
    [
        ("limits.load_seconds=60", ("limits", "load_seconds"), 60.0),
        ('devices.use=["cpu", "cpu"]', ("devices", "use"), ["cpu", "cpu"]),
        ("devices.use = auto", ("devices", "use"), "auto"),
        ("limits.require_sandbox=false", ("limits", "require_sandbox"), False),
        ("inbox.default_pipeline=2024", ("inbox", "default_pipeline"), "2024"),
        ("paths.inbox=/1", ("paths", "inbox"), "/1"),
        ("pipelines.2024.prompt=true", ("pipelines", "2024", "prompt"), "true"),
        ('pipelines.2024.prompt="quoted"', ("pipelines", "2024", "prompt"), "quoted"),
        ("pipelines.2024.prompt=a = 1\nb = 2", ("pipelines", "2024", "prompt"), "a = 1\nb = 2"),
        ('pipelines."2024".window.until=3', ("pipelines", "2024", "window", "until"), 3.0),
    ],
)
def test_a_value_is_toml_or_the_text_that_the_key_wants(box: Box, text: str, keys: tuple[str, ...], value: Any) -> None:
    file = box.write(box.root / "c.toml", RUNNABLE.replace("a-b", "2024"))
    loaded = box.load(text, file=file)
    assert dict(leaves(as_data(loaded.settings)))[keys] == value
    variable = "VLMD_" + "__".join(keys).upper()
    by_variable = box.load(file=file, **{variable: text.partition("=")[2].strip()}).settings
    assert as_data(by_variable) == as_data(loaded.settings)


def test_a_variable_finds_a_name_it_cannot_spell(box: Box) -> None:
    file = box.write(box.root / "c.toml", RUNNABLE)
    assert box.load(file=file, VLMD_PIPELINES__A_B__GAP_SECONDS="5").settings.pipelines["a-b"].gap_seconds == 5
    two = box.write(box.root / "two.toml", RUNNABLE + RUNNABLE[RUNNABLE.index("[pipelines") :].replace("a-b", '"a.b"'))
    (problem,) = box.problems(file=two, VLMD_PIPELINES__A_B__GAP_SECONDS="5")
    assert problem == "VLMD_PIPELINES__A_B__GAP_SECONDS: may mean a-b or a.b; use --set, or rename one"


def test_every_mistake_is_told_at_once_with_its_place(box: Box) -> None:
    box.write(box.etc, '[limits]\n\nmax_windows = 0\n[pipelines.a]\nmodel = "n"\nlabels = [\n"x", "",\n]\n')
    box.write(box.user, "inbx = 3\n")
    told = box.problems(
        "devices.threads=many", "nonsense", VLMD_LIMITS__LOAD_SECOND="3", VLMD_PIPELINES__A__GAP_SECONDS="-1"
    )
    assert sorted(told) == sorted(
        [
            "--set nonsense: expected section.key=value, such as limits.load_seconds=60",
            f"{box.etc}:3: limits.max_windows: expected at least 1, not 0",
            f"{box.etc}:5: pipelines.a.model: there is no [models.n] section; there is no [models.…] section at all",
            f"{box.etc}:6: pipelines.a.labels: an entry of the list is empty",
            f"{box.user}:1: inbx: there is no such key; did you mean inbox?",
            '--set devices.threads: devices.threads: expected a whole number, not "many"',
            "VLMD_LIMITS__LOAD_SECOND: limits.load_second: there is no such key; did you mean load_seconds?",
            "VLMD_PIPELINES__A__GAP_SECONDS: pipelines.a.gap_seconds: expected at least 0, not -1",
        ]
    )


def test_two_broken_files_are_both_named(box: Box) -> None:
    box.write(box.etc, "[limits\n")
    box.write(box.user, "a = \n")
    assert [problem.split(":")[0] for problem in box.problems()] == [str(box.etc), str(box.user)]


def test_systemd_moves_the_defaults_and_nothing_else(box: Box) -> None:
    box.write(box.root / "unit" / "config.toml", "[limits]\nmax_windows = 2")
    box.write(box.etc, "[limits]\nmax_windows = 3")
    unit = {
        "STATE_DIRECTORY": "/var/lib/vlmd:/var/lib/other",
        "RUNTIME_DIRECTORY": "/run/vlmd",
        "CONFIGURATION_DIRECTORY": str(box.root / "unit"),
    }
    loaded = box.load(**unit)
    paths = loaded.settings.paths
    assert (paths.state, paths.socket) == (Path("/var/lib/vlmd"), Path("/run/vlmd/vlmd.sock"))
    assert paths.models == Path("/var/lib/vlmd/models")
    assert loaded.origin(("paths", "socket")) == "$RUNTIME_DIRECTORY"
    assert loaded.settings.limits.max_windows == 2
    box.write(box.user, '[paths]\nstate = "/srv/state"')
    assert box.load(**unit).settings.paths.state == Path("/srv/state")


def test_without_a_home_folder_a_sentence_says_so(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(path: Any) -> Any:
        return path

    monkeypatch.setattr(os.path, "expanduser", nobody)
    del box.environ["XDG_CONFIG_HOME"]
    assert 'paths.inbox: nobody knows which folder "~" is; write the path out' in box.problems()
    given_out = [f"paths.{key}=/srv/{key}" for key in ("inbox", "results", "state", "models")]
    assert box.load(*given_out).settings.paths.socket == Path("/srv/state/vlmd.sock")


def test_what_is_shown_can_be_saved_and_read_again(box: Box) -> None:
    file = box.write(box.root / "c.toml", RUNNABLE + 'prompt = "a \\"b\\"\\n\\\\n {labels}\\u007f"\n')
    first = box.load(file=file)
    saved = box.write(box.root / "saved.toml", as_toml(as_data(first.settings), first.origin))
    assert as_data(box.load(file=saved).settings) == as_data(first.settings)


Text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
Value = Text | st.integers(-(2**63), 2**63 - 1) | st.booleans()
Section = st.dictionaries(st.text("ab-é .\"'", min_size=1, max_size=5), Value | st.lists(Value, max_size=3), max_size=4)
Table = st.dictionaries(st.text("cd", min_size=1), Value | Section, max_size=4)
unhurried = hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.too_slow])


@given(Table)
@unhurried
def test_written_toml_says_the_same(table: dict[str, Any]) -> None:
    assert tomllib.loads(as_toml(table, lambda keys: "x\ny")) == table


@given(Table)
@unhurried
def test_every_key_is_found_in_the_line_it_stands_in(table: dict[str, Any]) -> None:
    text = as_toml(table)
    lines, found = text.split("\n"), lines_of_keys(text)
    for keys, _ in leaves(table):
        assert lines[found[keys] - 1].startswith(f"{written(keys[-1])} = ")


def test_lines_of_every_way_to_write_a_key() -> None:
    text = (
        '# c\na.b = 1\n\n[s]  # x\nk = """\nk = 2\n[t]\n"""\nl = [\n 1,\n]\ni = { j = 1 }\n["q.r".s]\nz=1\n[[x]]\ny=1'
    )
    found = lines_of_keys(text)
    expected: Mapping[tuple[str, ...], int] = {
        ("a", "b"): 2,
        ("s",): 4,
        ("s", "k"): 5,
        ("s", "l"): 9,
        ("s", "i", "j"): 12,
        ("q.r", "s"): 13,
        ("q.r", "s", "z"): 14,
        ("x",): 15,
        ("x", "y"): 16,
    }
    assert {keys: found[keys] for keys in expected} == expected


def test_every_key_is_known_by_its_path() -> None:
    keys = set(every_key())
    assert {("paths", "inbox"), ("models", "*", "path"), ("pipelines", "*", "window", "from")} <= keys
