"""What a job was planned by still has to be what is found when its plan is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.store.making import answered, new_job, plan
from vlmd.config import Live, parse_settings
from vlmd.core.errors import MediaError
from vlmd.core.inputs import Outcome
from vlmd.core.messages.worker import ModelSpec
from vlmd.core.windows import SlidingPlan
from vlmd.store import Store, files, jobs
from vlmd.supervisor.composing import Composer

PIPELINES = {
    "match": {"model": "m", "task": "text", "question": "Who plays?"},
    "p": {"model": "m", "labels": ["Goal"], "context": ["match"]},
}
MODEL = ModelSpec(
    name="m",
    path="/x",
    revision="r",
    family="Idefics3ForConditionalGeneration",
    precision="fp32",
    max_batch=1,
    threads=1,
)


async def test_a_plan_made_by_what_was_found_before_is_seen_to_be_out_of_date(tmp_path: Path) -> None:
    settings = parse_settings({"models": {"m": {"path": "/x"}}, "pipelines": PIPELINES})
    store = await Store.open(tmp_path / "state" / "vlmd.db")
    try:
        composer = Composer(Live(settings, None), store, {"m": MODEL})
        await store.write(files.register, new_job(), 1)
        (job,) = await store.write(jobs.indexing)
        assert await composer.asked(job) is None, "it waits for the job it needs"
        (needed,) = await store.write(jobs.indexing)
        recipe = (await composer.asked(needed)).recipe  # type: ignore[union-attr]
        await found(store, needed.id, recipe, Outcome(text="red against blue"))
        asked = await composer.asked(job)
        assert asked is not None and asked.recipe.prompt.startswith("red against blue\n")
        assert await composer.still_holds(job, asked)
        await store.write(jobs.retry, needed.id, True, 10)
        assert await composer.still_holds(job, asked), "nobody knows yet what is going to be found"
        await found(store, needed.id, recipe, Outcome(text="blue against red"))
        assert not await composer.still_holds(job, asked)
    finally:
        await store.close()


async def test_a_need_that_came_with_a_reload_while_the_video_was_read(tmp_path: Path) -> None:
    """And one that is asked of other moments than before is out of date."""
    live = Live(parse_settings({"models": {"m": {"path": "/x"}}, "pipelines": PIPELINES}), None)
    store = await Store.open(tmp_path / "state" / "vlmd.db")
    try:
        composer = Composer(live, store, {"m": MODEL})
        await store.write(files.register, new_job(), 1)
        (job,) = await store.write(jobs.indexing)
        assert await composer.asked(job) is None
        (needed,) = await store.write(jobs.indexing)
        await found(store, needed.id, (await composer.asked(needed)).recipe, Outcome(text="red"))  # type: ignore[union-attr]
        asked = await composer.asked(job)
        assert asked is not None and await composer.still_holds(job, asked)
        cascade = {**PIPELINES["p"], "context": [], "window": {"plan": "spans", "around": "match"}}
        around = {"p": {**cascade, "window": {"plan": "spans", "around": "other"}}, "other": PIPELINES["match"]}
        live.now = parse_settings({"models": {"m": {"path": "/x"}}, "pipelines": {**PIPELINES, **around}})
        assert not await composer.still_holds(job, asked)
        later = {**PIPELINES, "match": {**PIPELINES["match"], "window": {"from": 2.0}}}
        live.now = parse_settings({"models": {"m": {"path": "/x"}}, "pipelines": later})
        assert await composer.asked(job) is None, "what is needed is asked again, of other moments"
    finally:
        await store.close()


async def test_a_need_that_lacks_what_it_asks_of_each_video_says_so(tmp_path: Path) -> None:
    pipelines = {**PIPELINES, "match": {"model": "m", "task": "choice", "question": "Which?"}}
    store = await Store.open(tmp_path / "state" / "vlmd.db")
    try:
        live = Live(parse_settings({"models": {"m": {"path": "/x"}}, "pipelines": pipelines}), None)
        composer = Composer(live, store, {"m": MODEL})
        await store.write(files.register, new_job(pipeline="match"), 1)
        (job,) = await store.write(jobs.indexing)
        with pytest.raises(MediaError, match="asks of each video what it brings, and it has no choices"):
            await composer.asked(job)
    finally:
        await store.close()


async def found(store: Store, job: int, recipe: object, outcome: Outcome) -> None:
    """The job is planned, answered and merged."""
    planned = replace(plan(recipe=recipe), cut=SlidingPlan())  # type: ignore[arg-type]
    await store.write(jobs.plan, job, planned, 4)
    await answered(store, job, recipe=recipe)  # type: ignore[arg-type]
    assert await store.write(jobs.merged, job, "{}", outcome, 9)
