"""What a pipeline asks of one video: its task, its windows, its recipe. Pure: settings and inputs in, data out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from vlmd.config import ModelSettings, PipelineSettings
from vlmd.core.families import family_name
from vlmd.core.inputs import Inputs, Outcome
from vlmd.core.messages.worker import ModelSpec
from vlmd.core.recipe import Generation, Recipe
from vlmd.core.tasks import prompts
from vlmd.core.tasks.choice import ChoiceTask
from vlmd.core.tasks.ensemble import EnsembleTask
from vlmd.core.tasks.events import EventsTask
from vlmd.core.tasks.feedback import FeedbackTask
from vlmd.core.tasks.registry import Task
from vlmd.core.tasks.text import CaptionTask, TextTask
from vlmd.core.video import seconds_to_ms
from vlmd.core.windows import WindowPlan

NOTHING = Inputs()
"""A video that came alone."""


def task_of(pipeline: PipelineSettings, inputs: Inputs | None = None) -> Task:
    """What is asked of every window, and how answers are read and merged."""
    match pipeline.task:
        case "caption":
            return CaptionTask()
        case "choice":
            return ChoiceTask(choices=list((inputs or NOTHING).choices or pipeline.choices))
        case "feedback":
            return FeedbackTask()
        case "text":
            return TextTask()
        case "ensemble":
            return EnsembleTask(of=list(pipeline.of), gap_ms=seconds_to_ms(pipeline.gap_seconds))
        case _:
            gap_ms = seconds_to_ms(pipeline.gap_seconds)
            return EventsTask(labels=list(pipeline.labels), teams=list(pipeline.teams), gap_ms=gap_ms)


def plan_of(
    pipeline: PipelineSettings, inputs: Inputs | None = None, found: Sequence[tuple[int, int]] = ()
) -> WindowPlan:
    """How the video is cut; `found` are the spans that the pipeline of `window.around` found in it."""
    moments = (inputs or NOTHING).timestamps_ms
    return pipeline.window.plan_for([*found, *((moment, moment) for moment in moments)])


def recipe_of(
    pipeline: PipelineSettings,
    model: ModelSpec,
    settings: ModelSettings,
    inputs: Inputs | None = None,
    results: Mapping[str, Outcome] | None = None,
) -> Recipe:
    """What determines the answers; `results` are those of the pipelines that this one's prompt may speak of."""
    task = task_of(pipeline, inputs)
    generation = pipeline.generation.plan()
    return Recipe(
        model=model.name,
        revision=model.revision,
        family=family_name(model.family),
        precision=model.precision,
        frame_edge=settings.frame_edge,
        frame_tokens=None if settings.frame_tokens == "auto" else settings.frame_tokens,
        window_frames=pipeline.window.most_frames,
        fps=pipeline.window.fps,
        prompt=_prompt(pipeline, task, inputs or NOTHING, results or {}),
        generation=generation,
        grammar=task.grammar(generation.max_new_tokens) if pipeline.constrained else None,
        options=task.options(),
    )


def ensemble_recipe(results: Mapping[str, Outcome]) -> Recipe:
    """What determines the result of an ensemble: what each of its pipelines found. No model is asked."""
    found = hashlib.sha256(msgspec.json.encode(dict(sorted(results.items())))).hexdigest()
    return Recipe(
        model="", revision=found, family="ensemble/1", precision="", fps=0.0, prompt="", generation=Generation()
    )


def _prompt(pipeline: PipelineSettings, task: Task, inputs: Inputs, results: Mapping[str, Outcome]) -> str:
    values = {
        "fps": f"{pipeline.window.fps:g}",
        "question": inputs.question or pipeline.question or "",
        "labels": ", ".join(pipeline.labels),
        "teams": " or ".join(pipeline.teams),
        **task.variables(),
        **{f"{prompts.RESULT}{name}": outcome.text for name, outcome in results.items()},
    }
    return prompts.fill(inputs.prompt or pipeline.template, values)
