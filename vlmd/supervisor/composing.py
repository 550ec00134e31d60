"""What a job asks in the light of what other pipelines found in its video, and whether that still holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vlmd.clock import now_ms
from vlmd.config import Live, PipelineSettings
from vlmd.core.errors import Code, MediaError
from vlmd.core.inputs import Inputs, Outcome
from vlmd.core.messages.worker import ModelSpec
from vlmd.core.recipe import Recipe
from vlmd.core.states import ACTIVE_JOBS
from vlmd.core.windows import FrameRule, SpansPlan, WindowPlan
from vlmd.inbox.questions import lacking
from vlmd.store import Store, jobs, needs
from vlmd.supervisor.asking import ensemble_recipe, plan_of, recipe_of

_NO_WINDOWS = SpansPlan(spans_ms=[], rule=FrameRule(least=1, most=1))


@dataclass(frozen=True)
class Asked:
    """What is asked of a video: of which windows, and how."""

    recipe: Recipe
    plan: WindowPlan


class Composer:
    """Knows what pipelines need, makes the jobs that are missing, and runs again what is out of date."""

    def __init__(self, live: Live, store: Store, models: Mapping[str, ModelSpec]) -> None:
        self._live = live
        self._store = store
        self._models = models

    async def asked(self, job: jobs.IndexingJob) -> Asked | None:
        """What a job asks; None where it has to wait for another one, and does by now. Raises `MediaError`."""
        pipeline = self._live.now.pipelines.get(job.pipeline)
        if pipeline is None:
            raise MediaError(Code.UNKNOWN_PIPELINE, f"pipeline {job.pipeline} is not configured")
        if problem := lacking(job.inputs or Inputs(), pipeline):
            reason = f"pipeline {job.pipeline} asks of each video what it brings, and {problem}"
            raise MediaError(Code.BAD_QUESTIONS, reason)
        results = await self._results(job, pipeline)
        return None if results is None else self._asked(pipeline, job.inputs, results)

    async def still_holds(self, job: jobs.IndexingJob, asked: Asked) -> bool:
        """Whether a job was planned by what is found by now: a need may have been done anew while its video was read.

        While a need is under way nothing is to be said; its end brings the job back.
        """
        pipeline = self._live.now.pipelines.get(job.pipeline)
        if pipeline is None or not pipeline.needs:
            return True
        needed = await self._store.write(needs.of_job, job.id)
        if {one.pipeline for one in needed} != set(pipeline.needs):
            return False  # a reload came by while the video was read
        results = {one.pipeline: one.outcome for one in needed if one.outcome is not None}
        return len(results) < len(needed) or self._asked(pipeline, job.inputs, results) == asked

    async def asks_otherwise(self, job: jobs.UnfinishedJob, pipeline: PipelineSettings) -> bool:
        """Whether an unfinished job would ask something else if it were planned now."""
        if job.recipe is None:
            return job.state == "waiting"  # for what it needs: it looks again whether that is what is configured
        needed = await self._store.write(needs.of_job, job.id) if pipeline.needs else []
        if {one.pipeline for one in needed} != set(pipeline.needs):
            return True
        results = {one.pipeline: one.outcome for one in needed if one.outcome is not None}
        if len(results) < len(needed) or any([await self._is_stale(one) for one in needed]):
            return True
        asked = self._asked(pipeline, job.inputs, results)
        return (job.recipe, job.plan) != (asked.recipe.digest(), jobs.plan_text(asked.plan))

    async def _results(self, job: jobs.IndexingJob, pipeline: PipelineSettings) -> dict[str, Outcome] | None:
        if not pipeline.needs:
            return {}
        wants = [needs.Want(name, self._inputs(name, job.inputs)) for name in pipeline.needs]
        needed = await self._store.write(needs.require, job.id, wants, now_ms())
        for one in needed:
            if one.state == "done" and await self._is_stale(one):
                await self._store.write(jobs.retry, one.id, False, now_ms())
            elif one.state != "done" and one.state not in ACTIVE_JOBS:
                reason = f"it needs {one.pipeline}, whose job {one.id} has {one.state}: {one.reason}"
                raise MediaError(Code.NEED_FAILED, reason)
        if await self._store.write(needs.wait, job.id, now_ms()):
            return None
        needed = await self._store.write(needs.of_job, job.id)
        results = {one.pipeline: one.outcome for one in needed if one.outcome is not None}
        return results if len(results) == len(needed) else None

    def _inputs(self, pipeline: str, inputs: Inputs | None) -> Inputs | None:
        """A pipeline that asks of each video what it brings gets what this one brought."""
        return inputs if self._live.now.pipelines[pipeline].asks_each_video else None

    def _asked(self, pipeline: PipelineSettings, inputs: Inputs | None, results: Mapping[str, Outcome]) -> Asked:
        if pipeline.task == "ensemble":
            return Asked(ensemble_recipe(results), _NO_WINDOWS)
        around = pipeline.window.around
        found = [] if around is None else [(span.start_ms, span.end_ms) for span in results[around].spans]
        model, settings = self._models[pipeline.model], self._live.now.models[pipeline.model]
        return Asked(recipe_of(pipeline, model, settings, inputs, results), plan_of(pipeline, inputs, found))

    async def _is_stale(self, one: needs.Needed) -> bool:
        """Whether a job that is done would be asked otherwise now. While its model is away, nobody could ask."""
        pipeline = self._live.now.pipelines.get(one.pipeline)
        if pipeline is None or (pipeline.model and pipeline.model not in self._models):
            return False
        needed = await self._store.write(needs.of_job, one.id)
        results = {other.pipeline: other.outcome for other in needed if other.outcome is not None}
        if set(results) != set(pipeline.needs) or any([await self._is_stale(other) for other in needed]):
            return True
        asked = self._asked(pipeline, one.inputs, results)
        return (one.recipe, one.plan) != (asked.recipe.digest(), jobs.plan_text(asked.plan))
