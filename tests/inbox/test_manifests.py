"""Files of questions in the inbox: where their results are to lie, and what is no question at all."""

from __future__ import annotations

import asyncio
import json

from tests.inbox.folder import Folder, looks, until

ASKED = json.dumps([{"id": "t1", "video": "film.mp4"}, {"id": "t2", "video": "gone.mp4"}]).encode()


async def test_manifests_of_one_name_have_results_of_their_own(folder: Folder) -> None:
    folder.drop("soccer/film.mp4")
    names = ("a/test.json", "b/test.json", "test.json", "test.csv")
    for name in names:
        folder.drop(f"soccer/{name}", b"video,id\nfilm.mp4,t1\n" if name.endswith("csv") else ASKED)
    async with folder.open():
        await until(lambda: len(folder.rows("SELECT 1 FROM collections")) == len(names))
    bases = ("a/test", "b/test", "test.csv", "test.json")
    assert [base for (base,) in folder.rows("SELECT base FROM collections ORDER BY base")] == [
        f"soccer/{base}" for base in bases]  # fmt: skip
    asked = [base for (base,) in folder.rows("SELECT base FROM jobs WHERE name = 'film.mp4 (t1)'")]
    assert asked and set(asked) <= {f"soccer/{base}/t1" for base in bases}


async def test_a_manifest_whose_results_would_lie_where_those_of_another_do_is_refused(folder: Folder) -> None:
    async with folder.open() as inbox:
        await looks(inbox)
        folder.write("INSERT INTO collections (source, base, pipeline) VALUES (x'2f78', 'soccer/test', 'soccer')")
        folder.drop("soccer/film.mp4")
        folder.drop("soccer/test.json", ASKED)
        await until(folder.refused)
    ((reason,),) = folder.rows("SELECT reason FROM files WHERE state = 'refused'")
    assert reason == "its results would lie in soccer/test, where those of /x do: it needs another name"
    assert set(folder.jobs()) <= {"soccer/film.mp4"}


async def test_what_lies_beside_the_halves_of_soccernet_is_neither_video_nor_question(folder: Folder) -> None:
    game = "soccer/england_epl/2014-2015/2015-02-21 - 18-00 Chelsea 1 - 1 Burnley"
    for name in ("1_720p.mkv", "2_720p.mkv", "Labels-v2.json", "Labels-cameras.json", "video.ini", "1_ResNET.npy"):
        folder.drop(f"{game}/{name}")
    async with folder.open() as inbox:
        await until(lambda: len(folder.jobs()) == 2)
        await looks(inbox)
    assert folder.refused() == {}


async def test_a_sidecar_may_come_first_and_counts_anew_with_another_video(folder: Folder) -> None:
    asked = {"question": "Which?", "choices": ["red", "green"]}
    folder.drop("soccer/m.mkv.json", json.dumps(asked).encode())
    async with folder.open() as inbox:
        await until(folder.refused)
        await looks(inbox)
        assert folder.rows("SELECT 1 FROM collections") == [], "it is no manifest"
        folder.drop("soccer/m.mkv")
        await until(folder.jobs)
        folder.drop("soccer/m.mkv", b"another video")
        await until(lambda: len(folder.rows("SELECT 1 FROM jobs")) == 2)
        await looks(inbox)
    assert folder.rows("SELECT base, state FROM jobs ORDER BY id") == [
        ("soccer/m.mkv", "cancelled"), ("soccer/m.mkv", "indexing")]  # fmt: skip
    assert folder.refused() == {}


async def test_a_manifest_waits_for_a_video_that_still_grows_and_asks_again_when_a_missing_one_comes(
    folder: Folder,
) -> None:
    folder.drop("soccer/test.json", ASKED)
    growing = folder.drop("soccer/film.mp4", b"v")
    async with folder.open(settle_seconds=2.0) as inbox:
        for _ in range(30):
            await asyncio.sleep(0.1)
            with growing.open("ab") as file:
                file.write(b"ideo")
        assert folder.rows("SELECT 1 FROM jobs WHERE base LIKE 'soccer/test/%'") == []
        await until(lambda: folder.rows("SELECT 1 FROM jobs WHERE base = 'soccer/test/t1'"))
        folder.drop("soccer/gone.mp4", b"it came")
        await until(lambda: folder.rows("SELECT 1 FROM jobs WHERE base = 'soccer/test/t2'"))
        await looks(inbox)
    assert folder.refused() == {}
    (size,) = folder.rows("SELECT size FROM jobs JOIN files ON files.id = file_id WHERE base = 'soccer/test/t1'")
    assert size == (growing.stat().st_size,)


async def test_a_folder_of_its_name_makes_no_manifest_a_sidecar_and_names_never_leave_its_folder(
    folder: Folder,
) -> None:
    folder.drop("soccer/test/film.mp4")
    names = ("x", "./x", "..", "a/b")
    rows = [{"id": name, "video": "test/film.mp4"} for name in names]
    folder.drop("soccer/test.json", json.dumps(rows).encode())
    async with folder.open():
        await until(lambda: folder.rows("SELECT 1 FROM collections"))
    bases = [base for (base,) in folder.rows("SELECT base FROM jobs WHERE name LIKE '%(%'")]
    assert len(set(bases)) == len(names) and all(base.count("/") == 2 for base in bases), bases
    assert "soccer/test/x" in bases


async def test_a_question_that_is_asked_again_after_another_gets_its_result_back(folder: Folder) -> None:
    folder.drop("soccer/m.mkv")
    async with folder.open():
        for number, question in enumerate(("First?", "Second?", "First?"), 1):
            folder.drop("soccer/m.mkv.json", json.dumps({"question": question, "choices": ["a", "b"]}).encode())
            await until(lambda: len(folder.rows("SELECT 1 FROM jobs")) == number)  # noqa: B023
            folder.write(
                "UPDATE jobs SET state = 'cancelled', code = 'cancelled', reason = 'r' WHERE state = 'indexing'"
            )
