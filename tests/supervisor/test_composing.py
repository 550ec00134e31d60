"""What a job was planned by still has to be what is found when its plan is there."""

from __future__ import annotations

from pathlib import Path

from tests.store.making import answered, new_job, plan
from vlmd.config import Live, parse_settings
from vlmd.core.inputs import Outcome
from vlmd.core.messages.worker import ModelSpec
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


async def found(store: Store, job: int, recipe: object, outcome: Outcome) -> None:
    """The job is planned, answered and merged."""
    await store.write(jobs.plan, job, plan(recipe=recipe), 4)  # type: ignore[arg-type]
    await answered(store, job, recipe=recipe)  # type: ignore[arg-type]
    assert await store.write(jobs.merged, job, "{}", outcome, 9)
