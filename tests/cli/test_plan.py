"""`vlmd plan`: what a model takes and what fits, in words and as JSON, with nothing of it on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from vlmd import catalog
from vlmd.cli import cli
from vlmd.cli.plan import print_catalog
from vlmd.cli.planned import Card, document, for_picture, imagined, smallest_card
from vlmd.core import plans
from vlmd.core.errors import UsageError
from vlmd.core.plans import Shape
from vlmd.weights import demo_folder

NAME = "HuggingFaceM4/idefics2-8b"
FIGURES = catalog.listed()[NAME]
CONFIG = """
[paths]
state = "{folder}/state"
[models.toy]
path = "vlmd-demo"
frame_tokens = 10
[pipelines.soccer]
model = "toy"
labels = ["Goal"]
window = {{ length = 4.0, fps = 5 }}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(folder=tmp_path))
    return path


def plan(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(config), "plan", *arguments], env={"COLUMNS": "80"})


def told(config: Path, *arguments: str) -> dict[str, Any]:
    result = plan(config, *arguments, "--json")
    assert result.exception is None, result.output
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def test_a_card_that_is_not_here(config):
    said = told(config, "idefics2-8b", "--gpu", "24", "--gpu", "12", "--gpu", "4")
    assert (said["model"], said["parameters"]) == (NAME, FIGURES.parameters)
    assert [size["frame_tokens"] for size in said["sizes"] if size["taken"]] == [66]
    assert [card["auto"] for card in said["cards"]] == ["bf16", "nf4", "nf4"]
    most = [card["largest_batch"] for card in said["cards"]]
    assert most[0] > 1 and most[1] > 1 and most[2] == 0
    row = next(row for row in said["memory"] if (row["precision"], row["frame_tokens"]) == ("nf4", 326))
    assert row["weights_bytes"] / 1e9 == pytest.approx(6.4, rel=0.02)
    assert row["total_bytes"] == sum(row[f"{part}_bytes"] for part in ("weights", "cache", "activations", "context"))


def test_a_larger_batch_takes_more_and_more_frames_may_not_fit(config):
    one, many = (told(config, NAME, "--gpu", "24", "--batch", batch) for batch in ("1", "8"))
    assert many["memory"][0]["cache_bytes"] == 8 * one["memory"][0]["cache_bytes"]
    assert many["memory"][0]["weights_bytes"] == one["memory"][0]["weights_bytes"]
    crowded = told(config, NAME, "--gpu", "24", "--frames", "600", "--new", "1000")
    assert "600 frames of 66 tokens do not fit" in crowded["problem"]
    assert not any(size["taken"] for size in crowded["sizes"])
    assert crowded["cards"][0]["largest_batch"] == 0
    assert "no window fits the context" in plan(config, NAME, "--gpu", "24", "--frames", "600").output


def test_a_configured_model_is_asked_what_its_pipeline_asks(config):
    said = told(config, "toy", "--gpu", "8")
    assert said["source"] == "named in config.toml"
    assert (said["window"]["frames"], said["window"]["frame_tokens"]) == (20, 10)
    assert told(config, "toy", "--gpu", "8", "--frames", "7")["window"]["frames"] == 7


def test_a_folder(config):
    said = told(config, str(demo_folder()), "--gpu", "8")
    assert (said["source"], said["parameters"]) == ("as its folder says", 1_830_656)


def test_a_model_of_the_hub_as_it_was_fetched_else_as_in_the_catalog(config, tmp_path):
    text = config.read_text().replace("[paths]", f'[paths]\nmodels = "{tmp_path}/models"')
    config.write_text(text + f'[models.two]\nhub = "{NAME}"\n[models.none]\nhub = "a/b"\n')
    said = told(config, "two", "--gpu", "24")
    assert said["source"] == f"not fetched yet; as {NAME} in the catalog of vlmd"
    assert "run `vlmd models fetch none`" in str(plan(config, "none").exception)
    folder = tmp_path / "models" / NAME.replace("/", "--") / ("a" * 40)
    folder.mkdir(parents=True)
    for path in catalog.folders()[NAME].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    record = {"hub": NAME, "commit": "a" * 40, "revisions": ["main"], "fetched": "2026", "files": {}}
    (folder / "vlmd.json").write_text(json.dumps(record))
    assert told(config, "two", "--gpu", "24")["source"] == "named in config.toml"
    assert told(config, "idefics2-8b", "--gpu", "24")["source"] == "as it was fetched"


def test_tables_fit_eighty_columns(config):
    shown = plan(config, NAME, "--gpu", "24", "--gpu", "12").stdout
    lines = shown.splitlines()
    assert max(len(line) for line in lines if "auto" not in line) <= 80
    assert "…" not in shown
    for words in ("8.40 B parameters", "batch on", "24 GB", 'precision "auto" is bf16 there', "▸"):
        assert words in shown, shown


def test_an_unknown_name_tells_what_may_be_meant(config, tmp_path):
    for name, meant in (("idefics2", NAME), ("toi", "toy"), ("zzzzzz", "vlmd models")):
        error = plan(config, name).exception
        assert isinstance(error, UsageError) and meant in str(error), str(error)
    (tmp_path / "empty").mkdir()
    assert "holds no config.json" in str(plan(config, str(tmp_path / "empty")).exception)


def test_a_folder_that_cannot_be_understood_is_a_sentence(config, tmp_path):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text('{"architectures": ["GPT9"]}')
    error = plan(config, str(tmp_path / "odd")).exception
    assert isinstance(error, UsageError) and "no family for architecture GPT9" in str(error)


@pytest.mark.parametrize("picture", ["1280", "x720", "0x5", "1280x720x3", "axb"])
def test_a_picture_is_two_numbers(config, picture):
    result = plan(config, NAME, "--picture", picture)
    assert result.exit_code == 2 and "1280x720" in result.output


def test_pictures_of_another_shape_take_the_most_they_may():
    from msgspec.structs import replace

    uneven = replace(FIGURES, sizes=[replace(size, most=size.tokens + 5) for size in FIGURES.sizes])
    assert for_picture(uneven, 1920, 1080) == uneven
    assert [size.tokens for size in for_picture(uneven, 1080, 1920).sizes] == [71, 331]


def test_only_free_memory_counts():
    """A card that others use: the precision is what its size decides, what fits is what they leave."""
    card = Card("cuda:0 NVIDIA L4", imagined(24).total, 8 * 10**9)
    (said,) = document(FIGURES, Shape(), 1, [card])["cards"]
    assert (said["auto"], said["largest_batch"]) == ("bf16", 0)
    batches = {(fit["precision"], fit["frame_tokens"]): fit["largest_batch"] for fit in said["fits"]}
    assert batches["nf4", 66] > 0 == batches["bf16", 66]
    for (precision, tokens), batch in batches.items():
        size = next(size for size in FIGURES.sizes if size.tokens == tokens)
        assert plans.plan(FIGURES, precision, size, Shape(), batch + 1).total > card.free


def test_the_smallest_card():
    assert [smallest_card(FIGURES, precision, Shape()) for precision in ("bf16", "nf4", "fp32")] == [24, 8, 40]


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_catalog_in_a_table(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    print_catalog()
    shown = capsys.readouterr().out
    assert (NAME in shown) == (columns == "120")
    for name, figures in catalog.listed().items():
        row = next(line for line in shown.splitlines() if name.partition("/")[2] in line)
        assert f"{plans.weights(figures, 'nf4') / 1e9:.1f}" in row


def test_the_catalog_as_json(capsys):
    print_catalog(as_json=True)
    rows = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in rows] == list(catalog.listed())
