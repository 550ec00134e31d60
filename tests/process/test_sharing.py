"""Several workers: one video is shared, every device gets its own."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.nvml import stub_nvml, stub_uuid
from tests.process.conftest import Film, StartDaemon, content_of, result_of
from tools.chaos_kit.daemon import Daemon

Films = dict[str, Film]
SECONDS = 0.1


def test_two_workers_share_a_video_and_end_together(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon(workers=2, script={"seconds": SECONDS})
    daemon.stage.drop(films["long"].path)
    daemon.start()
    daemon.until(lambda: daemon.jobs("done"), "the job is done")
    rows = daemon.rows("SELECT worker, count(*) AS answers, max(answered_at) AS last FROM answers GROUP BY worker")
    first, second = rows
    assert abs(first["answers"] - second["answers"]) < 39 / 4
    assert abs(first["last"] - second["last"]) <= longest_lease(daemon)
    owners = daemon.rows("SELECT worker, count(*) AS leases FROM leases GROUP BY worker")
    assert all(row["leases"] >= 2 for row in owners)
    assert len(owners) == 2
    assert daemon.stop() == 0
    assert content_of(result_of(daemon.stage, "long.mp4")) == films["long"].content


def test_four_gpus_get_four_workers_each_of_which_sees_its_own(
    new_daemon: StartDaemon, films: Films, tmp_path: Path
) -> None:
    daemon = new_daemon(script={"seconds": SECONDS}, devices={"use": "auto"})
    daemon.stage.drop(films["long"].path)
    daemon.start("--once", environment=stub_nvml(tmp_path, gpus=4))
    assert daemon.wait() == 0, daemon.log
    loads = daemon.stage.diary("loads")
    assert {load["device"] for load in loads} == {"cuda:0"}, "each sees one GPU, which is its first"
    seen = [load["environment"]["CUDA_VISIBLE_DEVICES"] for load in loads]
    assert sorted(seen) == sorted(stub_uuid(gpu) for gpu in range(4))
    workers = {row["worker"] for row in daemon.rows("SELECT DISTINCT worker FROM answers")}
    assert workers == {"cuda:0", "cuda:1", "cuda:2", "cuda:3"}
    assert content_of(result_of(daemon.stage, "long.mp4")) == films["long"].content


def longest_lease(daemon: Daemon) -> int:
    """Milliseconds a worker spent on a lease: from the last answer of one to the last answer of the next."""
    ends = daemon.rows(
        "SELECT answers.worker, leases.id, max(answered_at) AS last FROM leases"
        " JOIN transitions ON entity = 'window' AND new = 'leased' AND at = granted_at"
        " JOIN windows ON windows.id = entity_id JOIN answers ON answers.id = answer_id"
        " WHERE answers.worker = leases.worker GROUP BY leases.id ORDER BY answers.worker, leases.id"
    )
    return max(b["last"] - a["last"] for a, b in pairwise(ends) if a["worker"] == b["worker"])
