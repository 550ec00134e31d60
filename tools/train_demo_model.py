"""Trains the small model that vlmd ships for trying it out, measures it, and writes it to vlmd/demo/model.

    python tools/train_demo_model.py

Renders its own training films, needs no network and no GPU, and takes about a quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from demo_training.batches import WINDOW, Sampler
from demo_training.card import model_card
from demo_training.evaluation import load, on_matches, on_other_films
from demo_training.footage import shoot
from demo_training.junk import junk_windows
from demo_training.network import build_model, build_processor, save
from demo_training.stages import Heads, learn_to_see, learn_to_tell
from demo_training.texts import corpus
from transformers import set_seed

MODEL = Path(__file__).parents[1] / "vlmd" / "demo" / "model"
TRAINING_SEED = 10_000
"""First of the seeds of the training films."""


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    set_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    begun = time.monotonic()

    print(f"rendering {options.films} films", flush=True)
    footage = shoot(range(TRAINING_SEED, TRAINING_SEED + options.films), seconds=60, workers=options.workers)
    junk = junk_windows(options.junk, WINDOW, footage.pictures, rng)
    print(f"{len(footage.pictures)} pictures after {time.monotonic() - begun:.0f} s", flush=True)

    processor = build_processor(corpus(rng))
    model = build_model(processor.tokenizer)
    heads = Heads()
    sampler = Sampler(footage, junk, options.junk_share, rng)
    learn_to_see(model, heads, sampler, options.see_steps)
    learn_to_tell(model, processor, heads, sampler, options.tell_steps)
    trained = time.monotonic() - begun
    print(f"trained in {trained:.0f} s", flush=True)

    save(model, processor, options.out)
    _measure(options, trained)


def _measure(options: argparse.Namespace, trained: float) -> None:
    """Evaluates what was saved, and writes the model card. `trained` is in seconds."""
    model, processor = load(options.out, torch.float32)
    seeds = range(options.test_seed, options.test_seed + options.test_films)
    figures = on_matches(model, processor, seeds)
    print(f"{figures.score}, F1 {figures.score.f1:.3f}, {figures.ms_per_window:.0f} ms a window")
    for mistake, count in figures.mistakes.most_common():
        print(f"  {count} windows of {mistake}")
    others = on_other_films(model, processor, options.clips) if options.clips else None
    if others:
        print(f"None for {others.none} of {others.windows} windows of other films")
        for film, said in others.by_film.items():
            print(f"  {film}: {said}")
    card = model_card(model.num_parameters(), seeds, figures, others, trained)
    (options.out / "README.md").write_text(card)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=MODEL, help="folder to write the model to")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--films", type=int, default=200, help="one-minute training films")
    parser.add_argument("--junk", type=int, default=1500, help="windows of nothing")
    parser.add_argument("--junk-share", type=float, default=0.15)
    parser.add_argument("--see-steps", type=int, default=900)
    parser.add_argument("--tell-steps", type=int, default=1200)
    parser.add_argument("--test-films", type=int, default=10, help="unseen films to measure with")
    parser.add_argument("--test-seed", type=int, default=30_000, help="first of their seeds")
    parser.add_argument("--clips", type=Path, help="folder of films of anything else, to measure with")
    parser.add_argument("--workers", type=int, default=1, help="processes that render")
    return parser.parse_args()


if __name__ == "__main__":
    main()
