"""`vlmd import`: answers that other programs kept, as results of vlmd."""

from __future__ import annotations

from pathlib import Path

import click

from vlmd.cli.words import clock, json_option, print_json, print_table
from vlmd.core.errors import UsageError
from vlmd.core.names import shown

SOCCER = (
    *("Penalty", "Kick-off", "Goal", "Substitution", "Offside", "Shots on target", "Shots off target", "Clearance"),
    *("Ball out of play", "Throw-in", "Foul", "Indirect free-kick", "Direct free-kick", "Corner", "Yellow card"),
    *("Red card", "Yellow->red card"),
)


@click.command(name="import")
@click.argument("answers", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default=Path("imported"),
              show_default=True, help="Folder for the results.")  # fmt: skip
@click.option("--pipeline", default="imported", show_default=True, help="What the results' pipeline is called.")
@click.option("--video", metavar="NAME", help="What their video is called where its truth lies, as in "
              "league/season/game/1_720p.mkv. [default: from the files' names]")  # fmt: skip
@click.option("--label", "labels", multiple=True, help="A label that was asked for. [default: SoccerNet's 17]")
@click.option(
    "--window", type=click.FloatRange(0.04, 3600), default=3.0, show_default=True, help="Seconds of a window."
)
@click.option("--step", type=click.FloatRange(0.04, 3600), default=2.0, show_default=True, help="From one to the next.")
@click.option("--gap", type=click.FloatRange(0), default=3.0, show_default=True, help="Equal events so near are one.")
@click.option("--duration", type=click.FloatRange(0.1), help="Seconds of the video. [default: to the last answer]")
@json_option
def import_(
    answers: tuple[Path, ...],
    output: Path,
    pipeline: str,
    video: str | None,
    labels: tuple[str, ...],
    window: float,
    step: float,
    gap: float,
    duration: float | None,
    as_json: bool,
) -> None:
    """Read lists of {"time", "raw"} (final_predictions_*.json) as answers: parsed, merged, and written as results."""
    from vlmd.core.tasks.events import EventsTask
    from vlmd.core.video import seconds_to_ms
    from vlmd.outputs.encoding import chunks
    from vlmd.outputs.imported import Sliding, imported
    from vlmd.outputs.write import Draft

    task = EventsTask(labels=list(labels or SOCCER), teams=["home", "away"], gap_ms=seconds_to_ms(gap))
    sliding = Sliding(seconds_to_ms(window), seconds_to_ms(step), None if duration is None else seconds_to_ms(duration))
    told = []
    for path in answers:
        document = imported(path.name, path.read_bytes(), pipeline, task, sliding, video)
        place = output / f"{path.stem}.json"
        try:
            output.mkdir(parents=True, exist_ok=True)
            draft = Draft(place, output)
            draft.write(chunks(document))
            draft.publish()
        except OSError as error:
            raise UsageError(f"{place} cannot be written: {error.strerror}") from error
        told.append((place, document))
    if as_json:
        print_json([{"result": str(place), **_short(document)} for place, document in told])
        return
    gaps = list(told[0][1]["events_at_gap_s"])
    columns = ["result", "answers", "events", "none", "unread", "loops", "missing", *(f"{gap} s" for gap in gaps)]
    print_table(columns, [_row(place, document, gaps) for place, document in told])
    click.echo("the last columns: how many events remain where equal ones so near count as one")
    for place, document in told:
        for doubt in document["doubts"]:
            click.echo(f"{shown(place.name)}: {doubt}")


def _short(document: dict[str, object]) -> dict[str, object]:
    return {key: document[key] for key in ("coverage", "answers", "events_at_gap_s", "doubts")}


def _row(place: Path, document: dict[str, dict[str, int]], gaps: list[str]) -> list[object]:
    answers, coverage = document["answers"], document["coverage"]
    name = shown(place.stem.removeprefix("final_predictions_"))
    return [
        name, coverage["answered"], answers["events"], answers["none"], answers["unparseable"], answers["degenerate"],
        clock(coverage["missing_s"]), *(document["events_at_gap_s"][gap] for gap in gaps),
    ]  # fmt: skip
