"""Everything dropped into the inbox becomes one job or one refusal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inbox.folder import Folder, looks, until


async def test_the_first_folder_names_the_pipeline_and_deeper_ones_are_kept(folder: Folder) -> None:
    folder.drop("soccer/a.mkv")
    async with folder.open() as inbox:
        await looks(inbox)
        folder.drop("tennis/2015/b c/1_720p.mkv")
        await until(lambda: len(folder.jobs()) == 2)
    assert folder.jobs() == {
        "soccer/a.mkv": "soccer/a.mkv",
        "tennis/2015/b c/1_720p.mkv": "tennis/2015/b c/1_720p.mkv",
    }


async def test_what_cannot_have_a_job_is_refused_with_a_reason(folder: Folder) -> None:
    folder.drop("football/a.mkv")
    folder.drop("top.mkv")
    folder.drop("soccer/empty.mkv", b"")
    folder.drop("soccer/large.mkv", b"x" * 101)
    (folder.inbox / "soccer/link.mkv").symlink_to("/etc/passwd")
    (folder.inbox / "linked").symlink_to(folder.root)
    os.mkfifo(folder.inbox / "soccer/pipe.mkv")
    async with folder.open(max_bytes=100) as inbox:
        await looks(inbox)
    assert folder.refused() == {
        "football/a.mkv": "unknown-pipeline",
        "top.mkv": "no-pipeline",
        "soccer/empty.mkv": "empty",
        "soccer/large.mkv": "too-large",
        "soccer/link.mkv": "not-regular",
        "linked": "no-pipeline",
        "soccer/pipe.mkv": "not-regular",
    }
    assert folder.jobs() == {}


async def test_files_at_the_top_go_to_the_default_pipeline(folder: Folder) -> None:
    folder.drop("top.mkv")
    async with folder.open(default_pipeline="tennis") as inbox:
        await looks(inbox)
    assert folder.jobs() == {"top.mkv": "tennis/top.mkv"}


@pytest.mark.parametrize("name", [b"latin-\xe9.mkv", b"two\nlines.mkv", b"\x1b[31m.mkv"])
async def test_any_bytes_are_a_name(folder: Folder, name: bytes) -> None:
    Path(os.fsdecode(os.path.join(os.fsencode(folder.inbox / "soccer"), name))).write_bytes(b"video")
    async with folder.open() as inbox:
        await looks(inbox)
    (shown,) = folder.jobs()
    assert shown.isprintable() and folder.rows("SELECT path FROM files")[0][0].endswith(name)


async def test_a_file_that_grows_is_taken_as_it_is_when_it_has_stopped(folder: Folder) -> None:
    async with folder.open(settle_seconds=1.5) as inbox:
        path = folder.drop("soccer/a.mkv")
        for _ in range(12):
            await asyncio.sleep(0.05)
            with path.open("ab") as file:
                file.write(b"more")
            assert folder.jobs() == {}
        await until(folder.jobs)
        await until(lambda: not inbox.settling)
    assert folder.rows("SELECT size FROM files") == [(5 + 12 * 4,)]


async def test_a_download_is_taken_under_its_last_name(folder: Folder) -> None:
    async with folder.open() as inbox:
        path = folder.drop("soccer/a.mp4.part")
        await looks(inbox)
        assert (folder.jobs(), inbox.ignored) == ({}, 1)
        path.rename(folder.inbox / "soccer/a.mp4")
        await until(folder.jobs)
        await looks(inbox)
    assert folder.jobs() == {"soccer/a.mp4": "soccer/a.mp4"} and inbox.ignored == 0


async def test_content_that_changed_is_taken_anew_and_voids_the_job_it_had(folder: Folder) -> None:
    path = folder.drop("soccer/a.mkv")
    async with folder.open() as inbox:
        await looks(inbox)
        path.write_bytes(b"another video")
        await until(lambda: folder.voided)
        await looks(inbox)
    assert folder.rows("SELECT id, state FROM jobs") == [(1, "cancelled"), (2, "indexing")]
    assert folder.voided == [1]


async def test_a_refused_file_that_is_mended_is_taken(folder: Folder) -> None:
    path = folder.drop("soccer/a.mkv", b"")
    async with folder.open() as inbox:
        await looks(inbox)
        path.write_bytes(b"video")
        await until(folder.jobs)
        await looks(inbox)
    assert folder.refused() == {}


async def test_an_inbox_that_was_deleted_and_made_again_works_on(folder: Folder) -> None:
    async with folder.open() as inbox:
        await looks(inbox)
        shutil.rmtree(folder.inbox)
        await until(lambda: inbox.problem)
        assert "cannot be read" in str(inbox.problem)
        folder.drop("soccer/a.mkv")
        await until(folder.jobs)
        await looks(inbox)
        assert inbox.problem is None
        folder.drop("soccer/b.mkv")
        await until(lambda: len(folder.jobs()) == 2)


async def test_an_inbox_that_became_a_link_to_another_folder_is_watched_there(folder: Folder) -> None:
    elsewhere = folder.root / "elsewhere"
    (elsewhere / "soccer").mkdir(parents=True)
    async with folder.open(rescan_seconds=0.5) as inbox:
        await looks(inbox)
        folder.inbox.rename(folder.root / "away")
        folder.inbox.symlink_to(elsewhere)
        folder.drop("soccer/a.mkv")
        await until(folder.jobs)
        await looks(inbox)
    assert folder.jobs() == {"soccer/a.mkv": "soccer/a.mkv"}


async def test_without_descriptors_nothing_is_refused_and_all_goes_on_when_there_are_some(folder: Folder) -> None:
    async with folder.open() as inbox:
        await looks(inbox)
        folder.drop("soccer/a.mkv")
        with no_more_descriptors():
            await until(lambda: "Too many open files" in (inbox.problem or ""))
        await until(folder.jobs)
    assert folder.refused() == {}


@contextlib.contextmanager
def no_more_descriptors() -> Iterator[None]:
    """This process can open nothing."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as lowest_free:
        limit = lowest_free.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_refusals_are_reconsidered_when_the_configuration_may_have_lifted_them(folder: Folder) -> None:
    folder.drop("top.mkv")
    folder.drop("soccer/large.mkv", b"x" * 101)
    folder.drop("soccer/empty.mkv", b"")
    async with folder.open(max_bytes=100) as inbox:
        await looks(inbox)
    async with folder.open(default_pipeline="soccer") as inbox:
        await looks(inbox)
    assert folder.jobs().keys() == {"top.mkv", "soccer/large.mkv"}
    assert folder.refused() == {"soccer/empty.mkv": "empty"}


async def test_a_restart_registers_nothing_twice(folder: Folder) -> None:
    for n in range(20):
        folder.drop(f"soccer/{n}.mkv")
    for _ in range(3):
        async with folder.open() as inbox:
            await looks(inbox)
    assert len(folder.rows("SELECT * FROM jobs")) == len(folder.rows("SELECT * FROM files")) == 20


async def test_of_a_burst_every_file_is_registered_exactly_once(folder: Folder) -> None:
    async with folder.open():
        for n in range(2000):
            (folder.inbox / "soccer" / f"{n}.mkv").write_bytes(b"video")
        await until(lambda: folder.rows("SELECT count(*) FROM jobs") == [(2000,)])
    assert folder.rows("SELECT count(DISTINCT name), count(*) FROM jobs") == [(2000, 2000)]
    assert folder.rows("SELECT count(*) FROM files") == [(2000,)]


async def test_folders_without_end_stop_nothing(folder: Folder) -> None:
    folder.drop("soccer/a.mkv")
    deep = os.fsencode(folder.inbox)
    for _ in range(1100):
        deep += b"/d"
        os.mkdir(deep)
    async with folder.open() as inbox:
        await looks(inbox)
    while deep != os.fsencode(folder.inbox):
        os.rmdir(deep)
        deep = os.path.dirname(deep)
    assert folder.jobs() == {"soccer/a.mkv": "soccer/a.mkv"}


async def test_a_refused_file_that_is_taken_away_is_no_problem_any_more(folder: Folder) -> None:
    path = folder.drop("soccer/a.mkv", b"")
    async with folder.open() as inbox:
        await until(lambda: folder.refused())
        path.unlink()
        await until(lambda: not folder.refused())
        folder.drop("soccer/a.mkv", b"")
        await until(lambda: folder.refused())
        await looks(inbox)


async def test_an_inbox_that_cannot_be_listed_is_not_taken_for_an_empty_one(folder: Folder) -> None:
    async with folder.open() as inbox:
        await looks(inbox)
        folder.inbox.rename(folder.root / "away")
        folder.inbox.write_text("not a folder")
        await until(lambda: inbox.problem)
        before = inbox.looks
        await until(lambda: "cannot be read" in (inbox.problem or ""))
        assert inbox.looks == before
