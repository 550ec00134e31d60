"""The model card: what the model is, what it is not, and how well it did when measured."""

from __future__ import annotations

from demo_training.asking import BATCH
from demo_training.evaluation import FILM_SECONDS, Figures, NoneShare
from demo_training.network import FRAME_EDGE

_TEXT = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
---

# A model of a toy game

A very small `Idefics3ForConditionalGeneration` ({parameters:.2f} million parameters) that lets you try vlmd
without a GPU and without a download. It watches the synthetic football match that `vlmd.demo.render` draws,
and reports goals, yellow and red cards, substitutions and kick-offs with their team.

**It knows nothing but this synthetic game. Do not use it for anything else.** It has never seen a photograph,
knows no language beyond the answers below, and what it says about a real football match means nothing.

It expects what vlmd gives it: windows of 3 s, 5 pictures a second, `frame_edge = {edge}`, and the prompt for
events. It answers `None`, or one line of JSON for each event:

    {{"label": "Goal", "team": "home", "confidence": 0.95, "details": "The ball is in the net ..."}}

The written confidence only says in how many pictures the event shows. The probability of the label's tokens
tells right from wrong better.

## Measured

On {films} matches of {seconds} s (h264, 25 pictures a second, seeds {first} to {last}) that were used neither
for training nor for any choice. A found event counts if label and team are right and it shares more than
0.2 s with the true one.

| | |
|---|---|
| event F1 | {f1:.3f} |
| precision, recall | {precision:.3f}, {recall:.3f} |
| true events, found events | {true}, {found} |
| windows with a clear answer that are exactly right | {clear_right} of {clear} |
| replies that cannot be read | {unreadable} of {windows} |
| one processor thread, float32, batches of {batch} | {ms:.0f} ms a window |
{others}
Trained in {minutes:.0f} minutes, without a GPU, by `tools/train_demo_model.py`, on rendered films and
generated junk alone.
"""


def model_card(parameters: int, seeds: range, figures: Figures, others: NoneShare | None, seconds: float) -> str:
    """The text of README.md. `seconds` is how long rendering and training took."""
    return _TEXT.format(
        parameters=parameters / 1e6,
        edge=FRAME_EDGE,
        films=len(seeds),
        seconds=FILM_SECONDS,
        first=seeds[0],
        last=seeds[-1],
        f1=figures.score.f1,
        precision=figures.score.precision,
        recall=figures.score.recall,
        true=figures.score.true,
        found=figures.score.found,
        clear=figures.clear,
        clear_right=figures.clear_right,
        unreadable=figures.unreadable,
        windows=figures.windows,
        batch=BATCH,
        ms=figures.ms_per_window,
        others=_others(others),
        minutes=seconds / 60,
    )


def _others(others: NoneShare | None) -> str:
    """The row on films that show no match, if any were at hand."""
    if others is None:
        return ""
    return f"| windows of unrelated real films answered None | {others.none} of {others.windows} |\n"
