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


def _spread(values: Sequence[float]) -> str:
    return f"p50 {median(values):.1f}, max {max(values):.1f}" if values else "-"
