"""What is filled into a prompt of any task."""

from __future__ import annotations

from tests.supervisor.test_composing import MODEL
from vlmd.config import parse_settings
from vlmd.supervisor.asking import recipe_of


def test_labels_and_teams_are_filled_in_whatever_the_task() -> None:
    pipeline = {"model": "m", "task": "text", "labels": ["Goal", "Foul"], "prompt": "{labels} by {teams}?"}
    settings = parse_settings({"models": {"m": {"path": "/x"}}, "pipelines": {"p": pipeline}})
    recipe = recipe_of(settings.pipelines["p"], MODEL, settings.models["m"])
    assert recipe.prompt == "Goal, Foul by home or away?"
