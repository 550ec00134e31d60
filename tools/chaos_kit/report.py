"""The figures of a campaign, as a short table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from vlmd.store import reader

from . import checks
from .disturb import Campaign, Outcome


def lines(campaign: Campaign, outcome: Outcome) -> list[str]:
    """One figure a line."""
    figures = _figures(campaign, outcome)
    width = max(len(name) for name, _ in figures)
    return [f"{name:<{width}}  {value}" for name, value in figures]


def _figures(campaign: Campaign, outcome: Outcome) -> list[tuple[str, str]]:
    killed = sorted(outcome.victims.killed.items())
    return [
        ("seconds", f"{outcome.seconds:.0f}"),
        *((f"killed: {kind}", str(count)) for kind, count in killed),
        ("killed: supervisor", str(len(outcome.orphans))),
        ("spared (died twice over the same)", str(outcome.victims.spared)),
        ("worker starts", str(len(outcome.stage.diary("loads")) or "-")),
        ("answers, all acknowledged ones kept", f"{len(outcome.witness)} seen, {_answers(outcome)} in all"),
        ("results compared with the reference", str(outcome.compared)),
        ("windows asked in vain", _repeats(campaign, outcome)),
        ("children outlive the supervisor, ms", _spread([1000 * seconds for seconds in outcome.orphans])),
        ("from its death to the next answer, ms", _spread(_silences(outcome))),
        ("from a worker's death until its windows are queued, ms", _spread(_since_strikes(outcome, "queued"))),
        ("from a worker's death until they are leased again, ms", _spread(_since_strikes(outcome, "leased"))),
        ("a stopped worker lives on, s", _spread(outcome.hung)),
    ]


def _answers(outcome: Outcome) -> int:
    with reader.snapshot(outcome.stage.database) as db:
        (count,) = db.execute("SELECT count(*) FROM answers").fetchone()
    return int(count)


def _repeats(campaign: Campaign, outcome: Outcome) -> str:
    if campaign.model != "scripted":
        return "not measured: only scripted workers keep a diary"
    found, allowed = checks.repeats(outcome.stage), checks.repeats_allowed(campaign, outcome)
    deaths = sum(outcome.victims.killed.values()) + len(outcome.orphans)
    return f"{found} of {allowed} allowed, {found / max(1, deaths):.2f} per kill"


def _silences(outcome: Outcome) -> list[float]:
    """Milliseconds from each death of the supervisor to the next answer, where there was one before the next death."""
    with reader.snapshot(outcome.stage.database) as db:
        answered = [row[0] for row in db.execute("SELECT answered_at FROM answers ORDER BY answered_at")]
    ends = [*outcome.supervisor_deaths, 1 << 62]
    spans = [[at - death for at in answered if death < at <= until] for death, until in pairwise(ends)]
    return [float(span[0]) for span in spans if span]


def _since_strikes(outcome: Outcome, state: str) -> list[float]:
    """Milliseconds from each worker's death to the first of its windows in `state`, under the same supervisor."""
    spans = []
    with reader.snapshot(outcome.stage.database) as db:
        for strike in outcome.victims.strikes:
            marks = ", ".join("?" for _ in strike.windows)
            (at,) = db.execute(
                f"SELECT min(at) FROM transitions WHERE entity = 'window' AND entity_id IN ({marks})"
                " AND new = ? AND at >= ?",
                (*strike.windows, state, strike.at),
            ).fetchone()
            if at is not None and not any(strike.at <= death <= at for death in outcome.supervisor_deaths):
                spans.append(float(at - strike.at))
    return spans


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    return f"p50 {median(values):.1f}, p99 {p99:.1f}, max {ordered[-1]:.1f}"
