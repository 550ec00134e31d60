"""`vlmd compare`: what several models found in the same videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vlmd.cli.results import read_all, results_argument
from vlmd.cli.words import clock, json_option, print_json, print_table
from vlmd.config import Given
from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.core.numbers import counted

if TYPE_CHECKING:
    from vlmd.evaluation.agreement import Agreement


@click.command()
@results_argument
@click.option("--tolerance", type=click.FloatRange(0, 3600), default=3.0, show_default=True, metavar="SECONDS",
              help="Events of one kind whose windows start so near are the same.")  # fmt: skip
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="Disagreements to list.")
@json_option
@click.pass_obj
def compare(given: Given, results: tuple[str, ...], tolerance: float, limit: int, as_json: bool) -> None:
    """Compare models on the same videos: what all found, what only some did, and what each took."""
    import msgspec

    from vlmd.evaluation.agreement import compare as compared
    from vlmd.evaluation.results import check_whole

    documents = read_all(given, results)
    for name, document in documents:
        check_whole(name, document)
    agreement = compared([document for _, document in documents], tolerance)
    if len(agreement.titles) < 2:
        raise UsageError(f"these are results of one model ({agreement.titles[0]}); name another one's, too")
    if as_json:
        print_json(msgspec.to_builtins(agreement))
        return
    _print(agreement, limit)


def _print(agreement: Agreement, limit: int) -> None:
    titles = agreement.titles
    click.echo(
        f"{counted(len(titles), 'model')}, {counted(agreement.videos, 'video')} that more than one of them looked at"
    )
    if not agreement.videos:
        click.echo("none of the videos was looked at by two models, so nothing can be compared but their speed")
    if agreement.labels:
        rows = [[one.label, *(one.found.get(title, 0) for title in titles), one.by_all, one.by_one]
                for one in agreement.labels]  # fmt: skip
        print_table(["label", *map(shown, titles), "by all", "by one"], rows)
    if agreement.videos and not agreement.pairs:
        click.echo("they wrote texts, of which no two are the same; `vlmd evaluate` scores them beside the truth")
    if agreement.pairs:
        _print_pairs(agreement)
    if agreement.disagreements and limit:
        _print_disagreements(agreement, limit)
    print_table(
        ["model", "results", "windows", "video", "device s", "real-time factor", "s/window"],
        [[shown(one.title), one.results, one.windows, clock(one.video_s), one.device_s, _share(one.real_time_factor),
          _share(one.seconds_per_window)] for one in agreement.timings],
    )  # fmt: skip


def _print_pairs(agreement: Agreement) -> None:
    print_table(
        ["a", "b", "both", "only a", "only b", "agreement", "kappa"],
        [[shown(one.a), shown(one.b), one.both, one.only_a, one.only_b, _share(one.agreement), _share(one.kappa)]
         for one in agreement.pairs],
    )  # fmt: skip


def _print_disagreements(agreement: Agreement, limit: int) -> None:
    print_table(
        ["video", "from", "to", "event", "found by", "not by"],
        [[shown(one.video), clock(one.start_s), clock(one.end_s),
          shown(f"{one.label}, {one.team}" if one.team else one.label),
          shown("; ".join(one.seen_by)), shown("; ".join(one.not_by))]
         for one in agreement.disagreements[:limit]],
    )  # fmt: skip
    if (more := len(agreement.disagreements) - limit) > 0:
        click.echo(f"and {more} more disagreements; --limit lists them, --json holds all")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
