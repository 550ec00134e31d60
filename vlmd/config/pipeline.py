"""[pipelines.NAME]: which model is asked what of the videos in a folder, and what comes of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from vlmd.config.generation import GenerationSettings
from vlmd.config.kinds import AbsolutePath, Labels, Name, Words
from vlmd.config.section import Section
from vlmd.config.window import WindowSettings
from vlmd.core.formats import TASKS_OF, showing
from vlmd.core.tasks import prompts
from vlmd.core.tasks.choice import MOST_CHOICES

TaskName = Literal["events", "caption", "choice", "feedback", "text", "ensemble"]
Language = Literal["en", "vi", "zh"]

_PROMPTS = {
    "caption": prompts.CAPTION_PROMPT,
    "feedback": prompts.FEEDBACK_PROMPT,
    "text": prompts.TEXT_PROMPT,
}


class PipelineSettings(Section):
    task: TaskName = "events"
    model: str = Field(default="", validate_default=True)
    """A name below `[models]`; empty only for an ensemble."""
    labels: Labels = Field(default=(), validate_default=True)
    teams: Words = ("home", "away")
    choices: Annotated[Words, Field(max_length=MOST_CHOICES)] = ()
    """Of every video that brings none."""
    language: Language = "en"
    question: str | None = None
    """Of every video that brings none."""
    context: tuple[Name, ...] = Field(default=(), strict=False)
    of: tuple[Name, ...] = Field(default=(), strict=False, validate_default=True)
    prompt: str | None = Field(default=None, validate_default=True)
    """None is the task's own; see `template`."""
    constrained: bool = False
    gap_seconds: Annotated[float, Field(ge=0, le=86400)] = 3.0
    calibration: Name | None = None
    outputs: tuple[str, ...] = Field(default=("json",), strict=False)
    videos: AbsolutePath | None = None
    """Where a manifest's videos lie, besides the inbox."""
    window: WindowSettings = Field(default_factory=WindowSettings)
    generation: GenerationSettings = Field(default_factory=GenerationSettings)

    @field_validator("model")
    @classmethod
    def _asked(cls, model: str, info: ValidationInfo) -> str:
        ensemble = info.data.get("task") == "ensemble"
        if not model and not ensemble:
            raise PydanticKnownError("missing")
        if model and ensemble:
            raise ValueError("an ensemble asks no model of its own; leave it out, and name pipelines in of")
        return model

    @field_validator("labels")
    @classmethod
    def _labelled(cls, labels: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not labels and info.data.get("task") == "events":
            raise ValueError('task = "events" looks for labels; name one at least, such as ["Goal", "Foul"]')
        return labels

    @field_validator("of")
    @classmethod
    def _several(cls, of: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        ensemble = info.data.get("task") == "ensemble"
        if ensemble and len(set(of)) < 2:
            raise ValueError("an ensemble is made of two pipelines or more; name them here")
        if of and not ensemble:
            raise ValueError('only a pipeline of task = "ensemble" is made of others; leave it out')
        return of

    @field_validator("choices")
    @classmethod
    def _two_or_more(cls, choices: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if choices and info.data.get("task") != "choice":
            raise ValueError('only a pipeline of task = "choice" has choices; leave it out')
        if len(choices) == 1:
            raise ValueError("expected two choices or more")
        return choices

    @field_validator("context", "prompt", "window")
    @classmethod
    def _asks_something(cls, value: object, info: ValidationInfo) -> object:
        asks = value.around if isinstance(value, WindowSettings) else value
        if asks and info.data.get("task") == "ensemble":
            raise ValueError("an ensemble asks no model, so there is nothing to tell or show one; leave it out")
        return value

    @field_validator("outputs")
    @classmethod
    def _can_show_it(cls, outputs: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for name in outputs:
            if name not in TASKS_OF:
                raise ValueError(f"there is no format {name!r}; there are {', '.join(TASKS_OF)}")
            if (task := info.data.get("task")) and task not in TASKS_OF[name]:
                raise ValueError(f"{name} cannot show what a {task} pipeline answers; {', '.join(showing(task))} can")
        return outputs

    @field_validator("prompt")
    @classmethod
    def _fillable(cls, prompt: str | None, info: ValidationInfo) -> str | None:
        asks_teams = "{teams}" in prompt if prompt else info.data.get("task") == "events"
        if asks_teams and info.data.get("teams") == ():
            raise ValueError("the prompt asks for {teams}, and teams is empty; name teams or write another prompt")
        if prompt is None:
            return None
        if not prompt.strip():
            raise ValueError("the prompt is empty; leave the key out for the default one")
        known = known_variables(str(info.data.get("task")), info.data.get("labels", ()), info.data.get("context", ()))
        if unknown := prompts.unknown_variables(prompt, known):
            listed = ", ".join(f"{{{name}}}" for name in sorted(known | prompts.WINDOW_VARIABLES))
            names = ", ".join(f"{{{name}}}" for name in unknown)
            raise ValueError(f"nothing can be filled in for {names}; known are {listed}")
        return prompt

    @property
    def template(self) -> str:
        """The prompt, or the task's own."""
        if self.prompt is not None:
            return self.prompt
        if self.task == "choice":
            own = prompts.CHOICE_PROMPTS[self.language]
        elif self.task == "events":
            sliding = self.window.plan == "sliding"
            own = prompts.EVENTS_PROMPT if sliding else prompts.EVENTS_PROMPT_AT_ANY_RATE
        else:
            own = _PROMPTS.get(self.task, "")
        contexts = "\n".join(f"{{{prompts.RESULT}{name}}}" for name in self.context)
        return f"{contexts}\n{own}" if contexts else own

    @property
    def known_variables(self) -> set[str]:
        """What a prompt of this pipeline may name besides a window's variables."""
        return known_variables(self.task, self.labels, self.context)

    @property
    def asks_each_video(self) -> bool:
        """A video has to bring something: a question, or choices."""
        question = "question" in prompts.variables(self.template) and self.question is None
        return question or (self.task == "choice" and not self.choices)

    @property
    def needs(self) -> tuple[str, ...]:
        """The pipelines whose results of the same video come first."""
        around = () if self.window.around is None else (self.window.around,)
        return tuple(dict.fromkeys([*self.context, *around, *self.of]))


def known_variables(task: str, labels: tuple[str, ...], context: tuple[str, ...]) -> set[str]:
    """What a pipeline's prompt may name besides a window's variables."""
    known = {"question", "fps", *(f"{prompts.RESULT}{name}" for name in context)}
    if labels:
        known |= {"labels", "teams"}
    if task == "choice":
        known |= {"choices", "letters"}
    return known
