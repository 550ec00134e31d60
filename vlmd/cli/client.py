"""Talking to the daemon over its socket; where it is not running, what can be read is read from the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx
import msgspec

from vlmd.cli.errors import NoSuchJob, NotRunning
from vlmd.config import Settings
from vlmd.core.errors import ConfigError, UsageError, VlmdError
from vlmd.core.inputs import Inputs
from vlmd.store import reader, views
from vlmd.tui.seen import AnswerPage

T = TypeVar("T")
_TIMEOUT_SECONDS = 60.0


class Client:
    """The control API as functions. Raises `NotRunning`, `NoSuchJob` and `UsageError` with the daemon's sentence."""

    def __init__(self, settings: Settings, patience: float = _TIMEOUT_SECONDS) -> None:
        self._settings = settings
        self._patience = patience
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(settings.paths.socket)),
            base_url="http://vlmd",
            timeout=patience,
        )

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self._json("GET", "/v1/status")
        return status

    def screen(self, jobs: int) -> dict[str, Any]:
        """What one frame of a live screen shows, with at most so many jobs."""
        document: dict[str, Any] = self._json("GET", "/v1/screen", params={"jobs": jobs})
        return document

    def answers(self, after: int, limit: int, job: int | None = None) -> AnswerPage:
        """The newest answers after the one of this number, or the next ones of a job."""
        path = "/v1/answers" if job is None else f"/v1/jobs/{job}/answers"
        return msgspec.convert(self._json("GET", path, params={"after": after, "limit": limit}), type=AnswerPage)

    def jobs(self, state: str | None, pipeline: str | None, limit: int) -> list[dict[str, Any]]:
        """The newest jobs, oldest first; from the database where no daemon runs."""
        try:
            return self.running_jobs(state, pipeline, limit)
        except NotRunning:
            return self._stored(lambda db: views.job_list(db, state, pipeline, limit))

    def running_jobs(
        self, state: str | None = None, pipeline: str | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """The newest jobs as the daemon lists them. Raises `NotRunning`."""
        query = {"state": state, "pipeline": pipeline, "limit": limit}
        given = {name: value for name, value in query.items() if value is not None}
        jobs: list[dict[str, Any]] = self._json("GET", "/v1/jobs", params=given)
        return jobs

    def running_job(self, job_id: int) -> dict[str, Any]:
        """A job as the daemon knows it. Raises `NotRunning`."""
        job: dict[str, Any] = self._json("GET", f"/v1/jobs/{job_id}")
        return job

    def job(self, job_id: int) -> dict[str, Any]:
        """The same; from the database where no daemon runs."""
        try:
            return self.running_job(job_id)
        except NotRunning:
            stored = self._stored(lambda db: views.job_detail(db, job_id))
        if stored is None:
            raise NoSuchJob(f"there is no job {job_id}; `vlmd jobs` lists them")
        return stored

    def result_so_far(self, job_id: int) -> dict[str, Any]:
        result: dict[str, Any] = self._json("GET", f"/v1/jobs/{job_id}/result")
        return result

    def submit(self, path: Path, pipeline: str | None, first: bool, inputs: Inputs | None = None) -> int:
        body = {"path": str(path), "pipeline": pipeline, "next": first}
        if inputs is not None:
            body["inputs"] = msgspec.to_builtins(inputs)
        return int(self._json("POST", "/v1/jobs", content=json.dumps(body))["job"])

    def submit_manifest(self, path: Path, pipeline: str | None, limit: int | None) -> tuple[list[int], str | None]:
        """The jobs of a manifest's samples, and what was wrong with the others."""
        body = {"path": str(path), "pipeline": pipeline, "limit": limit}
        answer = self._json("POST", "/v1/manifests", content=json.dumps(body), timeout=None)
        return answer["jobs"], answer["problem"]

    def act(self, job_id: int, verb: str, body: dict[str, Any] | None = None) -> None:
        self._json("POST", f"/v1/jobs/{job_id}/{verb}", json=body or {})

    def devices(self, verb: str, names: list[str] | None) -> list[dict[str, Any]]:
        """Pause, drain or resume these devices, None: all; returns their entries as they are now."""
        options = {"timeout": None} if verb == "resume" else {}  # repaired models are read before it answers
        answer: dict[str, Any] = self._json("POST", f"/v1/devices/{verb}", json={"devices": names}, **options)
        devices: list[dict[str, Any]] = answer["devices"]
        return devices

    def forget(self, dry_run: bool) -> dict[str, Any]:
        """What was forgotten, or would be; takes as long as it takes."""
        document: dict[str, Any] = self._json("GET" if dry_run else "POST", "/v1/gc", timeout=None)
        return document

    def reload(self) -> dict[str, Any]:
        """What changed, and what waits for a restart. Raises `ConfigError` with nothing changed."""
        reloaded: dict[str, Any] = self._json("POST", "/v1/reload")
        return reloaded

    def _json(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._http.request(method, path, **options)
        except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError) as error:
            where = self._settings.paths.socket
            if _denied(error):
                raise UsageError(f"you may not talk to the daemon at {where}; ask to be put into its group") from error
            raise NotRunning(f"no daemon answers at {where}; start it with `vlmd run`") from error
        except httpx.TimeoutException as error:
            raise NotRunning(f"the daemon did not answer within {self._patience:.0f} s") from error
        if not response.headers.get("content-type", "").startswith("application/json"):
            raise VlmdError(f"the running daemon does not know {path}; it is another version, restart it")
        body = response.json()
        if response.status_code == 404:
            raise NoSuchJob(body["error"])
        if "problems" in body and response.is_error:
            raise ConfigError(body["problems"])
        if response.is_server_error:
            raise VlmdError(body["error"])
        if response.is_error:
            raise UsageError(body["error"])
        return body

    def _stored(self, view: Callable[..., T]) -> T:
        click.echo("the daemon is not running; this is what the database says", err=True)
        with reader.snapshot(self._settings.paths.database) as db:
            return view(db)


def _denied(error: BaseException | None) -> bool:
    """It began with the system's refusal."""
    return error is not None and (isinstance(error, PermissionError) or _denied(error.__cause__ or error.__context__))
