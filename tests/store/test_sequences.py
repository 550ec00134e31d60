"""Whatever verbs follow each other in whatever order: the books agree, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.store.making import DEGRADED, LOST, OTHER_RECIPE, RECIPE, STOPPED, delivery, new_job, plan
from vlmd.core.inputs import Outcome
from vlmd.core.recipe import Recipe
from vlmd.core.states import ENDED_JOBS, FILE_ARROWS, JOB_ARROWS, WINDOW_ARROWS
from vlmd.store import Store, files, jobs, windows

ARROWS = {"file": FILE_ARROWS, "job": JOB_ARROWS, "window": WINDOW_ARROWS}
LIMIT = 2
PLANNED = ("waiting", "queued", "running", "merging")
QUESTIONS = st.tuples(
    st.sampled_from(["video", "video", "other"]), st.integers(1, 4), st.sampled_from([RECIPE, RECIPE, OTHER_RECIPE])
)

RECOUNTED = """
SELECT jobs.*, (SELECT count(*) FROM windows WHERE job_id = jobs.id) AS all_windows,
    (SELECT count(*) FROM windows WHERE job_id = jobs.id AND windows.state = 'leased') AS in_hand,
    (SELECT count(*) FROM windows WHERE job_id = jobs.id AND windows.state = 'answered') AS with_answer,
    (SELECT count(*) FROM windows WHERE job_id = jobs.id AND windows.state = 'failed') AS without
FROM jobs"""


def some_job_is(*states: str) -> Callable[[Any], Any]:
    """Lets a rule apply only where it has something to do."""
    return precondition(lambda self: bool(self.jobs(*states)))


class Sequences(RuleBasedStateMachine):
    """Three files, two questions, a few workers, and everything that may happen to them."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.Runner()
        self.store: Store = self.loop.run(Store.open(self.folder / "db"))
        self.seen = sqlite3.connect(self.folder / "db", isolation_level=None)
        self.seen.row_factory = sqlite3.Row
        self.leases: dict[int, list[int]] = {}
        self.answers: dict[int, str] = {}
        self.answered: dict[int, int] = {}
        self.clock = 0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.seen.close()
            self.loop.run(self.store.close())
            self.loop.close()
            shutil.rmtree(self.folder)

    def write(self, verb: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        self.clock += 1
        return self.loop.run(self.store.write(verb, *args, self.clock))

    def rows(self, sql: str) -> list[sqlite3.Row]:
        return self.seen.execute(sql).fetchall()

    def jobs(self, *states: str) -> list[int]:
        marks = ", ".join(f"'{state}'" for state in states)
        return [row["id"] for row in self.rows(f"SELECT id FROM jobs WHERE state IN ({marks})")]

    def pick(self, data: st.DataObject, *states: str) -> int:
        return data.draw(st.sampled_from(self.jobs(*states)))

    @rule(path=st.sampled_from("abc"), content=st.integers(0, 1), pipeline=st.sampled_from("pq"))
    def register(self, path: str, content: int, pipeline: str) -> None:
        self.write(files.register, new_job(path, content, pipeline))

    @some_job_is("indexing")
    @rule(data=st.data(), question=QUESTIONS)
    def plan(self, data: st.DataObject, question: tuple[str, int, Recipe]) -> None:
        self.plan_one(self.pick(data, "indexing"), question)

    @some_job_is("indexing")
    @rule(question=QUESTIONS)
    def plan_all(self, question: tuple[str, int, Recipe]) -> None:
        for job in self.jobs("indexing"):
            self.plan_one(job, question)

    def plan_one(self, job: int, question: tuple[str, int, Recipe]) -> None:
        dropped = {row["id"] for row in self.rows(f"SELECT id FROM windows WHERE job_id = {job}")}
        self.write(jobs.plan, job, plan(*question))
        self.answered = {window: answer for window, answer in self.answered.items() if window not in dropped}

    @some_job_is("queued", "running")
    @rule(data=st.data(), size=st.integers(1, 3))
    def lease(self, data: st.DataObject, size: int) -> None:
        lease = self.write(windows.lease, self.pick(data, "queued", "running"), "cpu:0", size)
        if lease is not None:
            assert lease.id not in self.leases
            self.leases[lease.id] = [window.index for window in lease.windows]

    @some_job_is("queued", "running")
    @rule()
    def answer_everything(self) -> None:
        for job in self.jobs("queued", "running"):
            while (lease := self.write(windows.lease, job, "cpu:0", 9)) is not None:
                self.leases[lease.id] = [window.index for window in lease.windows]
        for row in self.rows("SELECT lease, idx FROM windows WHERE state = 'leased'"):
            self.keep(self.write(windows.checkpoint, [delivery(row["lease"], row["idx"], f"{self.clock}")])[0])

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), recipe=st.sampled_from([RECIPE, RECIPE, DEGRADED]), late=st.booleans())
    def answer(self, data: st.DataObject, recipe: Any, late: bool) -> None:
        lease = data.draw(st.sampled_from(sorted(self.leases))) if late else max(self.leases)
        chosen = data.draw(st.lists(st.sampled_from(self.leases[lease]), min_size=1))
        held = {row["idx"] for row in self.rows(f"SELECT idx FROM windows WHERE lease = {lease}")}
        given = [delivery(lease, index, f"{lease}:{index}:{n}", recipe) for n, index in enumerate(chosen)]
        accepted, wrong = self.write(windows.checkpoint, given)
        assert {one.answer.window for one in accepted} == held & set(chosen) and wrong == []
        assert len({one.answer.window for one in accepted}) == len(accepted)
        self.keep(accepted)

    def keep(self, accepted: list[windows.Delivery]) -> None:
        """These answers were acknowledged."""
        kept = {row["text"]: row["id"] for row in self.rows("SELECT id, text FROM answers")}
        self.answers |= {kept[one.answer.text]: one.answer.text for one in accepted}

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), retry=st.booleans())
    def fail(self, data: st.DataObject, retry: bool) -> None:
        lease = data.draw(st.sampled_from(sorted(self.leases)))
        index = data.draw(st.sampled_from(self.leases[lease]))
        held = self.rows(f"SELECT 1 FROM windows WHERE lease = {lease} AND idx = {index}")
        assert self.write(windows.fail, lease, index, LOST, retry, LIMIT) == bool(held)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(sorted(self.leases)))
        begun = data.draw(st.lists(st.sampled_from(self.leases[lease]), unique=True))
        self.write(windows.release, [lease], [(lease, index) for index in begun], LOST, LIMIT)
        assert not self.rows(f"SELECT 1 FROM windows WHERE lease = {lease}")

    @some_job_is(*PLANNED)
    @rule(data=st.data(), state=st.sampled_from(["cancelled", "failed"]))
    def end(self, data: st.DataObject, state: str) -> None:
        job = self.pick(data, *PLANNED)
        assert self.loop.run(self.store.write(jobs.fail, job, STOPPED, self.clock, state))

    @some_job_is(*ENDED_JOBS)
    @rule(data=st.data(), fresh=st.booleans())
    def retry(self, data: st.DataObject, fresh: bool) -> None:
        assert self.write(jobs.retry, self.pick(data, *ENDED_JOBS), fresh)

    @some_job_is("merging")
    @rule(data=st.data())
    def merged(self, data: st.DataObject) -> None:
        assert self.write(jobs.merged, self.pick(data, "merging"), "{}", Outcome())

    @some_job_is("done", "failed")
    @rule(data=st.data())
    def merge_again(self, data: st.DataObject) -> None:
        self.write(jobs.remerge, self.pick(data, "done", "failed"))

    @some_job_is(*PLANNED)
    @rule(data=st.data())
    def replan(self, data: st.DataObject) -> None:
        self.write(jobs.replan, self.pick(data, *PLANNED))

    @rule()
    def restart(self) -> None:
        self.loop.run(self.store.close())
        self.store = self.loop.run(Store.open(self.folder / "db"))
        self.write(windows.recover)
        assert not self.rows("SELECT 1 FROM windows WHERE state = 'leased'")

    @invariant()
    def counters_equal_a_recount(self) -> None:
        for job in self.rows(RECOUNTED):
            kept = (job["total"], job["leased"], job["answered"], job["failed"])
            assert kept == (job["all_windows"], job["in_hand"], job["with_answer"], job["without"])
            assert job["reused"] <= job["answered"]

    @invariant()
    def a_job_is_merged_as_soon_as_and_only_if_every_window_has_ended(self) -> None:
        for job in self.rows("SELECT * FROM jobs"):
            if job["state"] in ("queued", "running"):
                assert job["answered"] + job["failed"] < job["total"]
            if job["state"] in ("merging", "done"):
                assert job["answered"] + job["failed"] == job["total"] > 0

    @invariant()
    def only_running_jobs_have_windows_in_hand(self) -> None:
        assert not self.rows("SELECT 1 FROM jobs WHERE leased > 0 AND state <> 'running'")

    @invariant()
    def whoever_waits_has_somebody_to_wait_for(self) -> None:
        assert not self.rows(
            "SELECT 1 FROM jobs AS twin WHERE state = 'waiting' AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.recipe ="
            " twin.recipe AND jobs.fingerprint = twin.fingerprint"
            " AND state IN ('indexing', 'queued', 'running', 'merging'))"
        )

    @invariant()
    def no_answer_is_ever_lost_or_changed(self) -> None:
        assert {row["id"]: row["text"] for row in self.rows("SELECT id, text FROM answers")} == self.answers

    @invariant()
    def an_answered_window_stays_answered_until_its_job_is_planned_again(self) -> None:
        now = {row["id"]: row["answer_id"] for row in self.rows("SELECT id, answer_id FROM windows")}
        assert all(now[window] == answer for window, answer in self.answered.items())
        self.answered = {window: answer for window, answer in now.items() if answer is not None}

    @invariant()
    def windows_show_answers_to_their_own_question_only(self) -> None:
        assert not self.rows(
            "SELECT 1 FROM windows JOIN answers ON answers.id = answer_id JOIN jobs ON jobs.id = job_id"
            " WHERE answers.fingerprint <> jobs.fingerprint OR answers.asked <> jobs.recipe"
            " OR answers.start_ms <> windows.start_ms OR answers.end_ms <> windows.end_ms"
        )

    @invariant()
    def history_leads_to_the_present_by_legal_arrows(self) -> None:
        last: dict[tuple[str, int], str] = {}
        for row in self.rows("SELECT * FROM transitions WHERE entity <> 'window' ORDER BY id"):
            key = (row["entity"], row["entity_id"])
            assert row["old"] == last.get(key)
            assert row["old"] is None or (row["old"], row["new"]) in ARROWS[row["entity"]]
            last[key] = row["new"]
        present = {("job", row["id"]): row["state"] for row in self.rows("SELECT id, state FROM jobs")}
        present |= {("file", row["id"]): row["state"] for row in self.rows("SELECT id, state FROM files")}
        assert last == present


TestSequences = Sequences.TestCase
TestSequences.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
