"""An evaluation's report as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vlmd.cli.words import print_table
from vlmd.core.names import shown

if TYPE_CHECKING:
    from vlmd.evaluation.report import Evaluation, Report


def print_report(report: Report) -> None:
    """What it comes to first, then each evaluation, comparisons, what was left out."""
    _say(report.says)
    for one in report.evaluations:
        _print_evaluation(one)
    if report.comparisons:
        click.echo("\nmodel against model")
        columns = ["figure", "of a", "of b", "a - b", "95 %", "p", "over"]
        for a, b in sorted({(c.a, c.b) for c in report.comparisons}):
            click.echo(shown(f"a: {a}; b: {b}"))
        rows = [
            [c.title, _number(c.value_a), _number(c.value_b), f"{c.difference:+.3f}", _range(c.low, c.high),
             "-" if c.p is None else f"{c.p:.4f}", c.drawn]
            for c in report.comparisons
        ]  # fmt: skip
        print_table(columns, rows)
        _say(sorted({comparison.test for comparison in report.comparisons}))
    if report.fitted:
        fitted = report.fitted
        click.echo(f"\ncalibration {fitted.name}: {shown(fitted.path)}")
        click.echo(f"expected calibration error {fitted.ece_before:.3f} before, {fitted.ece_after:.3f} after")
        _say(fitted.says)
    if report.skipped:
        click.echo(f"\nnot evaluated: {len(report.skipped)}")
        _say([f"  {one.name} ({one.video}): {one.reason}" for one in report.skipped])
    _say([f"note: {note}" for note in report.notes])


def _print_evaluation(one: Evaluation) -> None:
    click.echo()
    click.echo(shown(f"{one.title} ({one.model.precision or 'precision unknown'}), task {one.task}"))
    figures = [[f.title, _number(f.value), _range(f.low, f.high), f.drawn, f.reason]
               for f in one.figures]  # fmt: skip
    print_table(["figure", "value", "95 %", "over", ""], figures)
    if one.events:
        click.echo(f"pairs: {one.events.matching}\naverage-mAP: ranked {one.events.order}")
        columns = ["label", "tolerance", "right", "found", "true", "precision", "recall", "F1"]
        rows = [
            [r.label or "all", "as above" if r.tolerance_s is None else f"{r.tolerance_s:g} s",
             r.matched, r.found, r.true,
             *map(_number, r.rates())]
            for r in one.events.rows
            if r.label is None or r.tolerance_s is None
        ]  # fmt: skip
        print_table(columns, rows)
    if one.choice:
        choice = one.choice
        without = choice.total - choice.answered
        click.echo(f"{choice.total} questions, {without} without an answer, {choice.correct} right")
        _say([f"  no answer, {count} times: {reason}" for reason, count in choice.reasons.items()])
        if choice.types:
            rows = [[t.type, t.total, t.answered, t.correct, _number(t.accuracy)] for t in choice.types]
            print_table(["type", "questions", "answered", "right", "accuracy"], rows)
    if one.texts and one.texts.exercises:
        rows = [[e.exercise, e.total, e.correct, _number(e.accuracy)] for e in one.texts.exercises]
        print_table(["exercise", "samples", "right", "accuracy"], rows)
    if one.reliability and one.reliability.ece is not None:
        held = [b for b in one.reliability.bins if b.count]
        click.echo(
            f"expected calibration error {one.reliability.ece:.3f}; {one.reliability.without} without confidence"
        )
        rows = [[f"{b.low:.1f} to {b.high:.1f}", b.count, _number(b.confidence), _number(b.right)] for b in held]
        print_table(["confidence", "count", "mean", "share right"], rows)


def _say(sentences: list[str]) -> None:
    for sentence in sentences:
        click.echo(shown(sentence))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
