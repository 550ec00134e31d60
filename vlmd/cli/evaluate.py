"""`vlmd evaluate`: how good results are, beside the truth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vlmd.cli.evaluate_tables import print_report
from vlmd.cli.results import read_all, results_argument
from vlmd.cli.words import json_option, print_json
from vlmd.config import Given, load_settings
from vlmd.core.errors import UsageError

if TYPE_CHECKING:
    from vlmd.evaluation.evaluate import Group
    from vlmd.evaluation.report import Report
    from vlmd.evaluation.writing import Scorer


@click.command()
@results_argument
@click.option("--truth", multiple=True, type=click.Path(path_type=Path, exists=True), metavar="FILE|DIR",
              help="What is right. [default: what came with the videos]  Repeatable.")  # fmt: skip
@click.option("--against", multiple=True, metavar="JOB|PIPELINE|FILE", help="Another model's results. Repeatable.")
@click.option("--tolerance", "tolerances", multiple=True, type=click.FloatRange(0, 3600), metavar="SECONDS",
              help="Also count events found so far from the true ones. [default: 1, 2, 5, 10, 30] ")  # fmt: skip
@click.option("--within", type=click.FloatRange(0, 3600), metavar="SECONDS",
              help="Pair events whose middles are so near. [default: spans overlap, or 5 s for moments]")  # fmt: skip
@click.option("--known-labels", is_flag=True, help="Leave true events out whose label the pipeline does not know.")
@click.option("--bert", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER",
              help="A BERT model that says how alike texts are.")  # fmt: skip
@click.option("--fit", metavar="NAME", help="Fit a calibration on these results and store it under this name.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="For intervals and tests.")
@json_option
@click.pass_obj
def evaluate(
    given: Given,
    results: tuple[str, ...],
    truth: tuple[Path, ...],
    against: tuple[str, ...],
    tolerances: tuple[float, ...],
    within: float | None,
    known_labels: bool,
    bert: Path | None,
    fit: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Evaluate results: events, answers or texts beside the truth, with intervals and what confidence is worth."""
    from vlmd.evaluation.evaluate import TOLERANCES_S, Options
    from vlmd.evaluation.evaluate import evaluate as evaluated
    from vlmd.evaluation.report import as_document
    from vlmd.evaluation.truth.reading import read_truth

    truths, notes = read_truth(truth) if truth else ([], [])
    mine, others = read_all(given, results), read_all(given, against)
    options = Options(tuple(tolerances) or TOLERANCES_S, within, known_labels, scorers(bert), seed)
    report, groups = evaluated(mine, others, truths, notes, options)
    if fit is not None:
        report = _fit(given, fit, report, groups)
    print_json(as_document(report)) if as_json else print_report(report)


def scorers(bert: Path | None) -> Sequence[Scorer]:
    """How texts are scored; by a BERT model, too, where its folder is given."""
    from vlmd.evaluation.texts.meteor import find_wordnet, meteor
    from vlmd.evaluation.texts.similarity import similarities
    from vlmd.evaluation.writing import ROUGE, Scorer

    title, score = meteor(find_wordnet(os.environ.get("VLMD_WORDNET")))
    each = Scorer("meteor", title, 0.5, 0.2, lambda pairs: [score(*pair) for pair in pairs])
    if bert is None:
        reason = "no folder of a BERT model was given (--bert FOLDER)"
        return [each, ROUGE, Scorer("bert", "BERT similarity", 0.7, 0.4, None, reason)]
    title = f"BERT similarity, cosine of mean-pooled {bert.resolve().name}"
    return [each, ROUGE, Scorer("bert", title, 0.7, 0.4, partial(similarities, bert))]


def _fit(given: Given, name: str, report: Report, groups: Sequence[Group]) -> Report:
    import msgspec

    from vlmd.evaluation.fitting import fitted
    from vlmd.outputs.encoding import chunks
    from vlmd.outputs.write import Draft
    from vlmd.supervisor.calibrations import calibration_path

    if not name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f'"{name}" cannot name a calibration: use letters, digits, - and _')
    settings = load_settings(given)
    state, path = settings.paths.state, calibration_path(settings, name)
    calibration, told = fitted(name, str(path), [group for group in groups if group.side == "a"])
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Draft(path, state)
    try:
        draft.write(chunks(msgspec.to_builtins(calibration)))
        draft.publish()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return msgspec.structs.replace(report, fitted=told)
