"""What a monitoring system sees of a running daemon: metrics, health, readiness."""

from __future__ import annotations

import shutil

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.process.conftest import Film, StartDaemon, job_done
from tools.chaos_kit.daemon import Daemon

Films = dict[str, Film]
AT = 3000
WINDOWS = 23
DEVICE = {"device": "cpu:0"}


def ask(daemon: Daemon, path: str) -> httpx.Response:
    transport = httpx.HTTPTransport(uds=str(daemon.stage.state / "vlmd.sock"))
    with httpx.Client(transport=transport, base_url="http://vlmd", timeout=30) as client:
        return client.get(path)


class Scrape:
    """One answer of /metrics, read as Prometheus reads it."""

    def __init__(self, daemon: Daemon) -> None:
        answer = ask(daemon, "/metrics")
        assert answer.status_code == 200
        self.text = answer.text
        self.samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]

    def value(self, name: str, **labels: str) -> float | None:
        found = [s.value for s in self.samples if s.name == f"vlmd_{name}" and labels.items() <= s.labels.items()]
        return sum(found) if found else None


def test_metrics_tell_what_happened(new_daemon: StartDaemon, films: Films) -> None:
    fault = {str(AT): {"kind": "die", "times": 99}, "1000": {"kind": "nan", "times": 1}}
    daemon = new_daemon(script={"faults": fault})
    daemon.stage.drop(films["one"].path, "secret name.mp4")
    daemon.stage.drop(films["one"].path, "../nowhere/film.mp4")
    daemon.start()
    daemon.until(lambda: job_done(daemon), "the job is done")
    daemon.until(lambda: Scrape(daemon).value("files_refused_total"), "the file is refused")
    scrape = Scrape(daemon)
    assert scrape.value("windows_answered_total", **DEVICE) == WINDOWS - 2
    assert scrape.value("generate_seconds_count") == scrape.value("lease_to_answer_seconds_count") == WINDOWS - 2
    assert (
        scrape.value("tokens_generated_total", **DEVICE)
        == daemon.rows("SELECT sum(new_tokens) AS n FROM answers")[0]["n"]
    )
    assert scrape.value("window_failures_total", code="worker-lost") == 1
    assert scrape.value("window_failures_total", code="non-finite") == 1
    assert scrape.value("worker_deaths_total", **DEVICE, cause="signal") == 3
    assert scrape.value("files_refused_total", code="unknown-pipeline") == 1
    assert scrape.value("jobs_ended_total", state="done") == scrape.value("jobs", state="done") == 1
    assert scrape.value("windows") == 0, "none are left of unfinished jobs"
    assert scrape.value("model_loads_total", **DEVICE) == len(daemon.stage.diary("loads"))
    assert scrape.value("worker_state", **DEVICE) == 1, "it is in one state"
    for name in ("database_bytes", "uptime_seconds", "build_info"):
        assert scrape.value(name)
    assert scrape.value("disk_free_bytes", folder="results")
    assert "secret" not in scrape.text and "film" not in scrape.text
    assert Scrape(daemon).value("window_failures_total") == 2, "nothing is counted twice"


def test_health_and_readiness(new_daemon: StartDaemon) -> None:
    daemon = new_daemon()
    daemon.start()
    daemon.until_answering()
    daemon.until(lambda: ask(daemon, "/readyz").status_code == 200, "it is ready")
    assert ask(daemon, "/healthz").json() == {"status": "well"}
    shutil.rmtree(daemon.stage.inbox.parent)
    daemon.until(lambda: ask(daemon, "/readyz").status_code == 503, "the missing inbox is noticed")
    assert "the inbox cannot be read" in ask(daemon, "/readyz").json()["error"]
    assert ask(daemon, "/healthz").status_code == 200, "a restart would not help"
    assert daemon.stop() == 0
