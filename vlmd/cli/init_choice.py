"""What `vlmd init` lets somebody choose: a model that fits, a pipeline, its labels. By options, or by questions."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from vlmd import catalog
from vlmd.catalog.figures import CACHE, figures_of
from vlmd.cli.init_machine import Machine
from vlmd.cli.init_words import SHOWN, described, tell_choice, tell_proposals
from vlmd.cli.words import console
from vlmd.config import PipelineSettings, Settings
from vlmd.config.first import SOCCER, SOCCER_LABELS, First, model_name
from vlmd.config.kinds import NAME_PATTERN
from vlmd.config.problems import explain
from vlmd.core import plans
from vlmd.core.errors import UsageError
from vlmd.core.figures import Figures
from vlmd.core.hub_names import is_hub_name, name_to_use
from vlmd.core.names import shown
from vlmd.core.plans import Shape
from vlmd.core.proposals import Proposal, Room, proposals, proposed, shortage
from vlmd.core.tasks.prompts import EVENTS_PROMPT
from vlmd.weights import demo_folder

_DEFAULT_BATCH = 8

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What was said on the command line."""

    model: str | None
    precision: str | None
    pipeline: str | None
    labels: tuple[str, ...] | None
    yes: bool
    as_json: bool

    @property
    def asks(self) -> bool:
        """There is somebody to ask."""
        return not self.yes and sys.stdin.isatty()

    def require_answers(self) -> None:
        """Raises `UsageError` where questions are open that nobody answers."""
        if not self.yes and not self.asks:
            raise UsageError(
                "init asks questions, and there is no terminal to ask on: add --yes to take what is proposed, with "
                "--model, --precision, --pipeline and --labels for what you choose yourself"
            )


@dataclass(frozen=True)
class Wanted:
    """A model by where it comes from; its figures where they are known before anything is fetched."""

    name: str
    hub: str | None
    path: str | None
    figures: Figures | None


class Choice:
    """Asks, or takes what is proposed; `document` is what there was to choose from and what was taken."""

    def __init__(self, options: Options, settings: Settings, machine: Machine) -> None:
        self._options = options
        self._state = settings.paths.state
        self._room = machine.room
        self._cpu = not machine.devices
        self._out = console(stderr=options.as_json)
        self.document: dict[str, Any] = {}

    def made(self) -> First:
        """Raises `UsageError`."""
        self._check_precision()
        shape = self._shape(self._options.labels or SOCCER_LABELS)
        wanted, proposal = self._model(shape)
        pipeline = self._pipeline()
        labels = self._labels(pipeline)
        return First(
            model=model_name(wanted.name),
            hub=wanted.hub,
            path=wanted.path,
            precision=self._options.precision or (proposal.setting if proposal else "auto"),
            max_batch=self._batch(proposal),
            pipeline=pipeline,
            labels=labels,
            cpu_threads=max(1, len(os.sched_getaffinity(0)) // 2) if self._cpu else None,
        )

    def _check_precision(self) -> None:
        if self._options.precision and (problem := self._room.lacks(self._options.precision)):
            raise UsageError(f"--precision {self._options.precision}: {problem}")

    def _shape(self, labels: tuple[str, ...]) -> Shape:
        return Shape(words=plans.words_of(" ".join([EVENTS_PROMPT, *labels])))

    def _batch(self, proposal: Proposal | None) -> int | None:
        if proposal is None or (proposal.batch <= _DEFAULT_BATCH and not self._cpu):
            return None
        return proposal.batch

    # --- the model --------------------------------------------------------------------------------------------

    def _model(self, shape: Shape) -> tuple[Wanted, Proposal | None]:
        found = proposals(catalog.listed(), self._room, shape)
        self.document["proposals"] = [described(each) for each in found]
        if self._options.model:
            return self._checked(self._options.model, shape, found)
        if not found:
            raise UsageError(
                f"no model that vlmd knows fits into {self._room.free / 1e9:.1f} GB of free memory; end what has the "
                "rest, or name one with --model"
            )
        if self._options.precision:
            found = _at_precision(found, self._options.precision, self._room, shape)
        tell_proposals(self._out, found)
        if not self._options.asks:
            return self._checked(found[0].model, shape, found)
        return self._asked_model(shape, found)

    def _asked_model(self, shape: Shape, found: list[Proposal]) -> tuple[Wanted, Proposal | None]:
        listed = found[:SHOWN]

        def parse(said: str) -> tuple[Wanted, Proposal | None]:
            if not said.isdecimal():
                return self._checked(said, shape, found)
            if not 1 <= int(said) <= len(listed):
                raise UsageError(f"there is no number {said}, only 1 to {len(listed)}")
            return self._checked(listed[int(said) - 1].model, shape, found)

        return self._ask("Which one? Its number, or another model's name", "1", parse)

    def _checked(self, name: str, shape: Shape, found: list[Proposal]) -> tuple[Wanted, Proposal | None]:
        """The model of a name, if it fits. Raises `UsageError`."""
        wanted = resolved(name, self._state)
        if wanted.figures is None:
            self._out.print(f"{shown(name)}: what it takes is known once it is fetched", soft_wrap=True)
            self.document["chosen"] = {"model": wanted.name}
            return wanted, None
        proposal = proposed(wanted.name, wanted.figures, self._room, shape, self._options.precision)
        if proposal is None:
            raise UsageError(f"{shown(name)} {self._misfit(wanted.figures, shape)}; {_other(found)}")
        self.document["chosen"] = described(proposal)
        tell_choice(self._out, proposal, self._room)
        return wanted, proposal

    def _misfit(self, figures: Figures, shape: Shape) -> str:
        return shortage(figures, self._room, shape, self._options.precision)

    # --- the pipeline -----------------------------------------------------------------------------------------

    def _pipeline(self) -> str:
        if self._options.pipeline or not self._options.asks:
            return _pipeline_name(self._options.pipeline or SOCCER)
        return self._ask("Name of the pipeline; videos go into a folder of that name", SOCCER, _pipeline_name)

    def _labels(self, pipeline: str) -> tuple[str, ...]:
        if self._options.labels:
            return self._options.labels
        soccer = pipeline == SOCCER
        if self._options.asks:
            default = f"the {len(SOCCER_LABELS)} of SoccerNet" if soccer else None
            question = "Which events to look for? With commas between"
            return self._ask(question, default, lambda said: SOCCER_LABELS if said == default else parse_labels(said))
        if soccer:
            return SOCCER_LABELS
        raise UsageError(f'say which events pipeline {pipeline} is to look for, as in --labels "Fall, Sit, Stand"')

    def _ask(self, question: str, default: str | None, parse: Callable[[str], T]) -> T:
        """Until the answer can be understood."""
        while True:
            said = click.prompt(question, default=default, err=self._options.as_json)
            try:
                return parse(str(said).strip())
            except UsageError as error:
                self._out.print(str(error), style="yellow")


def resolved(model: str, state: Path) -> Wanted:
    """What a name stands for: a folder, else a model of the catalog, else any of the hub. Raises `UsageError`."""
    if model == catalog.DEMO:
        return Wanted(model, None, model, _figures(demo_folder(), state))
    if (Path(model).expanduser() / "config.json").is_file():
        folder = Path(model).expanduser().absolute()
        return Wanted(folder.name, None, str(folder), _figures(folder, state))
    if (full := catalog.find(model)) is not None:
        return Wanted(full, full, None, catalog.listed()[full])
    if same := name_to_use(model):
        raise UsageError(f"{shown(model)} only loads with code of its own, which vlmd never runs; take {same}")
    if is_hub_name(model):
        return Wanted(model, model, None, None)
    near = catalog.closest(model)
    meant = f"did you mean {' or '.join(near)}?" if near else "`vlmd models` lists those that vlmd knows"
    raise UsageError(
        f'{shown(model)} is no model that vlmd knows, no folder of a checkpoint and no "owner/name"; {meant}'
    )


def parse_labels(text: str) -> tuple[str, ...]:
    """Labels with commas between. Raises `UsageError`."""
    words = tuple(word for each in text.split(",") if (word := each.strip()))
    try:
        return PipelineSettings(model="any", labels=words).labels
    except ValidationError as error:
        raise UsageError(f"labels: {explain(error)[0].sentence}") from error


def _figures(folder: Path, state: Path) -> Figures:
    answer = figures_of([folder], state / CACHE, lambda words: click.echo(words, err=True))[folder]
    if isinstance(answer, str):
        raise UsageError(answer)
    return answer


def _at_precision(found: list[Proposal], precision: str, room: Room, shape: Shape) -> list[Proposal]:
    fitting = [each for one in found if (each := proposed(one.model, one.figures, room, shape, precision)) is not None]
    if not fitting:
        raise UsageError(
            f'no model fits with "{precision}" weights; leave --precision out, or name a model with --model'
        )
    return fitting


def _other(found: list[Proposal]) -> str:
    return f"take {found[0].model}, which fits" if found else "end what has the memory, or take a smaller model"


def _pipeline_name(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name):
        raise UsageError(f'"{shown(name)}" becomes the name of a folder: small letters, digits, ".", "_" and "-" alone')
    return name
