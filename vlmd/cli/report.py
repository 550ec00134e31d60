"""`vlmd report`: results, and their evaluation, as one web page and one workbook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vlmd.cli.results import read_all, results_argument
from vlmd.cli.words import json_option, print_json
from vlmd.config import Given
from vlmd.core.errors import UsageError

if TYPE_CHECKING:
    from vlmd.evaluation.report import Report


@click.command()
@results_argument
@click.option("--truth", multiple=True, type=click.Path(path_type=Path, exists=True), metavar="FILE|DIR",
              help="What is right: the report says how good the results are. Repeatable.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default=Path("report"), show_default=True,
              help="Folder for report.html and report.xlsx.")  # fmt: skip
@click.option("--title", default="vlmd report", show_default=True, help="Heading of the page.")
@json_option
@click.pass_obj
def report(
    given: Given, results: tuple[str, ...], truth: tuple[Path, ...], output: Path, title: str, as_json: bool
) -> None:
    """Write a report on results: doubts, timelines, how good they are, how long they took, as HTML and Excel."""
    from vlmd.evaluation.results import check_whole

    named = read_all(given, results)
    for name, document in named:
        check_whole(name, document)
    evaluated = evaluation_of(named, truth) if truth or _have_truths(named) else None
    page, workbook = write_report(named, evaluated, output, title)
    if as_json:
        print_json({"html": str(page), "excel": str(workbook)})
        return
    click.echo(f"{page}\n{workbook}")


def evaluation_of(named: Sequence[tuple[str, dict[str, Any]]], truth: Sequence[Path]) -> Report:
    """Results beside the truth, as `vlmd evaluate` has it."""
    from vlmd.cli.evaluate import scorers
    from vlmd.evaluation.evaluate import TOLERANCES_S, Options, evaluate
    from vlmd.evaluation.truth.reading import read_truth

    truths, notes = read_truth(truth) if truth else ([], [])
    return evaluate(list(named), [], truths, notes, Options(TOLERANCES_S, None, False, scorers(None), 0))[0]


def write_report(
    named: Sequence[tuple[str, dict[str, Any]]], evaluated: Report | None, folder: Path, title: str
) -> tuple[Path, Path]:
    """The two files, written whole. Raises `UsageError` where they cannot be written."""
    from vlmd.outputs.write import Draft
    from vlmd.reports.book import make
    from vlmd.reports.page import page
    from vlmd.reports.sheets import write_workbook

    book = make(named, evaluated)
    html, excel = folder / "report.html", folder / "report.xlsx"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = Draft(html, folder)
        draft.write(page(book, title))
        write_workbook(book, excel)
        draft.publish()
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    return html, excel


def _have_truths(named: Sequence[tuple[str, dict[str, Any]]]) -> bool:
    return any((document.get("inputs") or {}).get("truth") for _, document in named)
