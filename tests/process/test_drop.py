"""What is dropped gets its result: under any name, once, and never another video's."""

from __future__ import annotations

import json
import os

from tests.process.conftest import Film, StartDaemon, answers, content_of, job_done, result_of

Films = dict[str, Film]


def test_folders_are_kept_and_once_ends_by_itself(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon()
    daemon.stage.drop(films["one"].path, "season/game/1_720p.mp4")
    daemon.start("--once")
    assert daemon.wait() == 0
    result = result_of(daemon.stage, "season/game/1_720p.mp4")
    assert content_of(result) == films["one"].content
    assert json.loads(result.read_text())["video"]["name"] == "match/season/game/1_720p.mp4"


def test_a_name_may_be_any_bytes(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon()
    daemon.stage.drop(films["one"].path, b"caf\xe9 \x1b[31m\nx/%s $(id).mp4")
    daemon.start("--once")
    assert daemon.wait() == 0
    (job,) = daemon.jobs()
    assert job["name"] == r"match/caf\xe9 \x1b[31m\x0ax/%s $(id).mp4"
    result = daemon.stage.results / f"{job['result']}.json"
    assert os.fsencode(result).isascii()
    assert content_of(result) == films["one"].content


def test_the_same_video_under_another_name_is_not_asked_again(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon()
    for name in ("first.mp4", "second.mp4"):
        daemon.stage.drop(films["one"].path, name)
    daemon.start("--once")
    assert daemon.wait() == 0
    asked = len(daemon.stage.asked())
    daemon.stage.drop(films["one"].path, "third.mp4")
    daemon.start("--once")
    assert daemon.wait() == 0
    assert asked == len(daemon.stage.asked()) == answers(daemon)
    contents = {content_of(result_of(daemon.stage, f"{name}.mp4")) for name in ("first", "second", "third")}
    assert contents == {films["one"].content}


def test_other_content_at_the_same_path_gets_a_result_of_its_own(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon()
    daemon.stage.drop(films["one"].path, "match.mp4")
    daemon.start("--once")
    assert daemon.wait() == 0
    first = result_of(daemon.stage, "match.mp4").read_bytes()
    daemon.stage.drop(films["two"].path, "match.mp4")
    daemon.start("--once")
    assert daemon.wait() == 0
    assert result_of(daemon.stage, "match.mp4").read_bytes() == first
    second = daemon.jobs()[1]
    assert second["result"].startswith("match/match.mp4~")
    assert content_of(daemon.stage.results / f"{second['result']}.json") == films["two"].content


def test_a_copy_that_broke_off_is_taken_anew_when_it_goes_on(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon()
    whole = films["one"].path.read_bytes()
    path = daemon.stage.drop(films["one"].path, "match.mp4")
    path.write_bytes(whole[: len(whole) // 2])
    daemon.start()
    daemon.until(lambda: daemon.jobs("failed"), "half a video has failed")
    assert daemon.jobs()[0]["code"] == "truncated"
    with path.open("ab") as file:
        file.write(whole[len(whole) // 2 :])
    daemon.until(lambda: job_done(daemon, 2), "the whole one is done")
    assert content_of(result_of(daemon.stage, "match.mp4")) == films["one"].content
    assert daemon.stop() == 0


def test_a_file_that_changes_while_it_is_looked_at_begins_anew(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon(script={"seconds": 0.1})
    daemon.stage.drop(films["one"].path, "match.mp4")
    daemon.start()
    daemon.until(lambda: answers(daemon) > 2, "some answers are in")
    daemon.stage.drop(films["two"].path, "match.mp4")
    daemon.until(lambda: job_done(daemon, 2), "the new content is done")
    void, done = daemon.jobs()
    assert (void["state"], void["code"]) == ("cancelled", "file-changed")
    assert void["answered"] < void["total"]
    assert done["result"] == "match/match.mp4"
    assert content_of(result_of(daemon.stage, "match.mp4")) == films["two"].content
    assert daemon.stop() == 0
