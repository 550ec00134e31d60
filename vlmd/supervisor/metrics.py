"""What happened since the daemon started, counted for a monitoring system.

The parts tell of answers, loads and hooks; every change of state is read off the transitions the database keeps
anyway. Counts live in memory. Labels are words of ours and names of devices: never a file's name, never a model's text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

from vlmd.store.reader import Moves
from vlmd.store.windows import Delivery

_GENERATE_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_WAIT_SECONDS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)

disable_created_metrics()  # type: ignore[no-untyped-call]  # else every counter comes with a gauge of its birth


class Metrics:
    """Counters and histograms in a registry of their own."""

    def __init__(self, devices: Iterable[str]) -> None:
        self._registry = registry = CollectorRegistry()
        self._answered = Counter(
            "vlmd_windows_answered_total", "Windows answered and stored.", ["device"], registry=registry
        )
        self._tokens = Counter(
            "vlmd_tokens_generated_total", "Tokens of stored answers.", ["device"], registry=registry
        )
        self._generate = Histogram(
            "vlmd_generate_seconds",
            "From the beginning of a batch to an answer of it.",
            buckets=_GENERATE_SECONDS,
            registry=registry,
        )
        self._wait = Histogram(
            "vlmd_lease_to_answer_seconds",
            "From a window's lease to its stored answer: decoding, waiting for its turn, generating.",
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        self._loads = Counter(
            "vlmd_model_loads_total", "Models loaded: starts and restarts.", ["device"], registry=registry
        )
        self._hooks = Counter(
            "vlmd_hook_tries_total", "Hooks called, by outcome.", ["event", "outcome"], registry=registry
        )
        self._jobs = Counter("vlmd_jobs_ended_total", "Jobs that came to this state.", ["state"], registry=registry)
        self._job_failures = Counter(
            "vlmd_job_failures_total", "Jobs that ended without a result, by code.", ["code"], registry=registry
        )
        self._window_failures = Counter(
            "vlmd_window_failures_total", "Windows given up, by code.", ["code"], registry=registry
        )
        self._refused = Counter("vlmd_files_refused_total", "Files refused, by code.", ["code"], registry=registry)

        for device in devices:  # zero is told from the beginning, so that the first answer is an increase
            for counter in (self._answered, self._tokens, self._loads):
                counter.labels(device)

    def answered(self, deliveries: Iterable[Delivery]) -> None:
        """These answers are stored."""
        for delivery in deliveries:
            self._answered.labels(delivery.worker).inc()
            self._tokens.labels(delivery.worker).inc(delivery.answer.usage.new_tokens)
            self._generate.observe(delivery.answer.timings.generate_ms / 1000)
            self._wait.observe(delivery.since_lease_ms / 1000)

    def loaded(self, device: str) -> None:
        """A worker has its model in memory."""
        self._loads.labels(device).inc()

    def hook(self, event: str, outcome: str) -> None:
        """A hook was called: delivered, failed, or given up."""
        self._hooks.labels(event, outcome).inc()

    def moved(self, moves: Sequence[Moves]) -> None:
        """So many files, jobs and windows came to these states."""
        for move in moves:
            match move.entity, move.new:
                case "job", "done":
                    self._jobs.labels(move.new).inc(move.count)
                case "job", "failed" | "quarantined" | "cancelled":
                    self._jobs.labels(move.new).inc(move.count)
                    self._job_failures.labels(move.code).inc(move.count)
                case "window", "failed":
                    self._window_failures.labels(move.code).inc(move.count)
                case "file", "refused":
                    self._refused.labels(move.code).inc(move.count)

    def exposition(self) -> bytes:
        """All of it as Prometheus reads it."""
        return generate_latest(self._registry)
