"""Average-mAP is what the SoccerNet package makes of the same events, to the ninth decimal."""

import contextlib
import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
from SoccerNet.Evaluation import ActionSpotting
from SoccerNet.Evaluation.utils import EVENT_DICTIONARY_V2

from vlmd.evaluation.spotting import LOOSE_S, TIGHT_S, UNSHOWN, VISIBLE, Detection, Spot, tally

LABELS = tuple(EVENT_DICTIONARY_V2)
Half = tuple[list[Detection], list[Spot]]


def theirs(folder: Path, halves: list[Half], metric: str) -> dict:
    """What the package says of games whose halves these are, two by two."""
    for number in range(0, len(halves), 2):
        game = folder / "league" / "season" / f"game {number}"
        game.mkdir(parents=True)
        truth, found = [], []
        for half, (detections, spots) in enumerate(halves[number : number + 2], 1):
            truth += [
                {
                    "gameTime": f"{half} - 00:00",
                    "label": spot.label,
                    "position": str(spot.at_ms),
                    "visibility": "visible" if spot.shown else "not shown",
                }
                for spot in spots
            ]
            found += [
                {"label": one.label, "position": str(one.at_ms), "half": str(half), "confidence": str(one.score)}
                for one in detections
            ]
        (game / "Labels-v2.json").write_text(json.dumps({"annotations": truth}))
        (game / "results_spotting.json").write_text(json.dumps({"predictions": found}))
    with contextlib.redirect_stderr(io.StringIO()):
        return ActionSpotting.evaluate(
            str(folder), str(folder), dataset=None, metric=metric, EVENT_DICTIONARY=EVENT_DICTIONARY_V2
        )


def random_half(rng: random.Random) -> Half:
    spots = [Spot(rng.choice(LABELS), rng.randrange(2_700_000), rng.random() < 0.8) for _ in range(120)]
    found = [Detection(rng.choice(LABELS), rng.randrange(2_700_000), rng.random()) for _ in range(300)]
    near = [Detection(s.label, max(0, s.at_ms + rng.randrange(-9000, 9000)), rng.random()) for s in spots[::2]]
    return found + near, spots


def real_half(rng: random.Random) -> Half:
    """As a language model answers: a window every two seconds, few labels, the same few confidences."""
    few = rng.sample(LABELS, 5)
    spots = [Spot(rng.choice(few[:4]), rng.randrange(2_700_000)) for _ in range(40)]
    found = [
        Detection(rng.choice(few), 2000 * k + 1500, rng.choice((0.8, 0.9, 0.95)))
        for k in range(1350)
        if rng.random() < 0.6
    ]
    return found, spots


@pytest.mark.parametrize("make", [random_half, real_half])
@pytest.mark.parametrize(("metric", "tolerances"), [("loose", LOOSE_S), ("tight", TIGHT_S)])
def test_equal_to_the_package(tmp_path, make, metric, tolerances):
    halves = [make(random.Random(f"{make.__name__} {number}")) for number in range(2)]
    expected = theirs(tmp_path, halves, metric)
    total = sum_of(halves, tolerances)
    assert abs(total.average_map().mean() - expected["a_mAP"]) < 1e-9
    assert abs(total.average_map(VISIBLE).mean() - expected["a_mAP_visible"]) < 1e-9
    assert abs(total.average_map(UNSHOWN).mean() * 17 / 13 - expected["a_mAP_unshown"]) < 1e-9
    np.testing.assert_allclose(total.average_map(), expected["a_mAP_per_class"], atol=1e-9)
    assert expected["a_mAP"] > 0.001


def sum_of(halves, tolerances):
    first, *rest = [tally(found, true, LABELS, tolerances) for found, true in halves]
    for one in rest:
        first = first + one
    return first


def test_any_labels_and_nothing_found():
    spots = [Spot("wave", 1000), Spot("jump", 9000)]
    exact = [Detection(spot.label, spot.at_ms, 1.0) for spot in spots]
    assert tally(exact, spots, ("wave", "jump"), TIGHT_S).average_map().tolist() == [1.0, 1.0]
    assert tally([], spots, ("wave", "jump"), LOOSE_S).average_map().tolist() == [0.0, 0.0]
    assert tally([], [], ("wave",), LOOSE_S).average_map().tolist() == [0.0]


def test_a_worse_answer_scores_less():
    spots = [Spot("wave", 60_000 * k) for k in range(5)]
    exact = [Detection("wave", spot.at_ms, 0.9) for spot in spots]
    late = [Detection("wave", spot.at_ms + 2000, 0.9) for spot in spots]
    tight = [float(tally(found, spots, ("wave",), TIGHT_S).average_map()[0]) for found in (exact, late)]
    assert tight[0] == 1.0
    assert tight[1] < 1.0
