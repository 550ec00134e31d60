"""What must hold when the dust has settled. Every check returns sentences, none if all is well."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from vlmd.store import reader

from .disturb import Campaign, Outcome
from .stage import MAX_BATCH, Stage


def violations(campaign: Campaign, outcome: Outcome, undisturbed: Stage) -> list[str]:
    """Everything that went wrong."""
    stage = outcome.stage
    return [
        *outcome.violations,
        *outcome.witness.lost(),
        *sound(stage, undisturbed),
        *_repeats(campaign, outcome),
    ]


def sound(stage: Stage, undisturbed: Stage) -> list[str]:
    """What is wrong with a database and the results that belong to it, when all is said and done."""
    return [
        *_integrity(stage.database),
        *_states(stage),
        *_conservation(stage),
        *_answers(stage),
        *_texts(stage, undisturbed),
    ]


def answers(stage: Stage) -> int:
    return _count(stage, "answers", "1")


def repeats(stage: Stage) -> int:
    """Questions that were asked and whose answer was not kept."""
    return len(stage.asked()) - answers(stage)


def repeats_allowed(campaign: Campaign, outcome: Outcome) -> int:
    """The batch in hand for every worker killed. For every supervisor killed, each worker loses its batch in hand
    and at most one more: the last one's answers may still be on their way to the disk."""
    workers = sum(count for kind, count in outcome.victims.killed.items() if kind.startswith("worker"))
    return (workers + 2 * campaign.supervisor_kills * campaign.workers) * MAX_BATCH


def _integrity(path: Path) -> list[str]:
    with reader.snapshot(path) as db:
        said = [row[0] for row in db.execute("PRAGMA integrity_check")]
        dangling = db.execute("PRAGMA foreign_key_check").fetchall()
    damage = [] if said == ["ok"] else [f"the database is damaged: {said[:3]}"]
    return damage + [f"{len(dangling)} rows refer to what is not there"] * bool(dangling)


def _states(stage: Stage) -> list[str]:
    counts = {
        "jobs are not done": _count(stage, "jobs", "state <> 'done'"),
        "windows are still leased": _count(stage, "windows", "state = 'leased'"),
        "windows were not answered": _count(stage, "windows", "state <> 'answered'"),
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


def _conservation(stage: Stage) -> list[str]:
    """Every file dropped has a job that is done, and just one; nothing half-written lies about."""
    with reader.snapshot(stage.database) as db:
        rows = db.execute("SELECT path, count(*) AS jobs FROM jobs JOIN files ON files.id = file_id GROUP BY path")
        jobs = {row["path"].decode(errors="surrogateescape"): row["jobs"] for row in rows}
    dropped = [str(path) for path in stage.inbox.rglob("*") if path.is_file()]
    missing = [f"{path} has {jobs.get(path, 0)} jobs instead of one" for path in dropped if jobs.get(path) != 1]
    return missing + [f"{path} was left behind" for path in stage.results.rglob("*.tmp")]


def _answers(stage: Stage) -> list[str]:
    """A window is answered once, and once more for every time its video was asked afresh."""
    with reader.snapshot(stage.database) as db:
        afresh = Counter(
            row["fingerprint"]
            for row in db.execute(
                "SELECT fingerprint FROM transitions JOIN jobs ON jobs.id = entity_id"
                " WHERE entity = 'job' AND old = 'done' AND new = 'indexing'"
            )
        )
        spans = db.execute(
            "SELECT fingerprint, start_ms, asked, count(*) AS times FROM answers GROUP BY 1, 2, end_ms, asked"
        ).fetchall()
    return [
        f"window {row['start_ms']} ms of {row['fingerprint'][:8]} was answered {row['times']} times"
        f" instead of {1 + afresh[row['fingerprint']]}"
        for row in spans
        if row["times"] != 1 + afresh[row["fingerprint"]]
    ]


def _texts(stage: Stage, undisturbed: Stage) -> list[str]:
    """Every answer, of every round, says what the reference's says."""
    expected = _said(undisturbed)
    found = _said(stage)
    return [
        f"window {span[1]} ms of {span[0][:8]} was answered otherwise than in the reference"
        for span, texts in found.items()
        if texts != expected.get(span)
    ]


def _said(stage: Stage) -> dict[tuple[str, int, int], set[str]]:
    said: dict[tuple[str, int, int], set[str]] = {}
    with reader.snapshot(stage.database) as db:
        for row in db.execute("SELECT fingerprint, start_ms, end_ms, text FROM answers"):
            said.setdefault((row["fingerprint"], row["start_ms"], row["end_ms"]), set()).add(row["text"])
    return said


def _repeats(campaign: Campaign, outcome: Outcome) -> list[str]:
    """At most the batches in flight are asked again. Only scripted workers keep a diary of what they are asked."""
    if campaign.model != "scripted":
        return []
    found, allowed = repeats(outcome.stage), repeats_allowed(campaign, outcome)
    return [f"{found} windows were asked in vain; at most {allowed} can have been in flight"] * (found > allowed)


def _count(stage: Stage, table: str, condition: str) -> int:
    with reader.snapshot(stage.database) as db:
        (count,) = db.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()
    return int(count)
