"""Everything at once, for a short while; `tools/chaos.py` does the same for longer."""

from __future__ import annotations

from pathlib import Path

from tests.process.conftest import Film
from tools.chaos_kit import checks, report
from tools.chaos_kit.disturb import Campaign, Disturbance
from tools.chaos_kit.stage import Stage


def test_nothing_is_lost_repeated_or_left_behind(tmp_path: Path, undisturbed: Stage, films: dict[str, Film]) -> None:
    campaign = Campaign("scripted", kills=10, supervisor_kills=4, seed=5, workers=2)
    videos = [films["one"].path, films["two"].path]
    outcome = Disturbance(campaign, tmp_path / "disturbed", videos, undisturbed).run()
    print("\n".join(report.lines(campaign, outcome)))
    assert checks.violations(campaign, outcome, undisturbed) == []
    assert sum(outcome.victims.killed.values()) == campaign.kills
    assert len(outcome.orphans) == campaign.supervisor_kills
    assert outcome.compared > len(videos)
