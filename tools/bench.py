"""What vlmd's main ideas are worth, each against its plain alternative, in one run on this machine.

    python tools/bench.py [--rounds 5] [--seconds 60]

Both sides of a comparison take turns, so that a machine that gets slower gets slower for both; what counts is
the ratio (plain / ours), its median and its spread. Prints Markdown.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch
from scenedetect import ContentDetector, detect
from tiny import make

from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.messages.worker import ModelSpec, RunWindows
from vlmd.core.recipe import Generation, Recipe, fit_edge
from vlmd.core.tasks.events import EventsTask
from vlmd.core.tasks.prompts import EVENTS_PROMPT, fill
from vlmd.core.video import FileRef, VideoIndex
from vlmd.core.windows import SlidingPlan, Window, plan_windows
from vlmd.demo.game import LABELS, TEAMS
from vlmd.demo.render import render_match
from vlmd.demo.stage import FRAME_EDGE
from vlmd.media.client import Decoder
from vlmd.media.opening import identify
from vlmd.weights import demo_folder, read_checkpoint
from vlmd.worker.engine import Engine
from vlmd.worker.questions import Question

LEASE = 32
"""Windows in a lease, as limits.lease_windows has it."""
_THRESHOLD, _EDGE = 27.0, 256
_leases = itertools.count(1)


@dataclass(frozen=True)
class Comparison:
    ours: str
    plain: str
    run_ours: Callable[[], None]
    run_plain: Callable[[], None]


@dataclass(frozen=True)
class Film:
    """A rendered match, indexed and cut into windows."""

    file: FileRef
    index: VideoIndex
    windows: list[Window]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each comparison is made")
    parser.add_argument("--seconds", type=int, default=60, help="length of the film")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vlmd-bench-") as folder:
        film = make_film(Path(folder), options.seconds)
        print("| vlmd | the plain way | plain / vlmd, median | lowest to highest |")
        print("|---|---|---|---|")
        for comparison in comparisons(film, Path(folder)):
            print(row(comparison, options.rounds), flush=True)


def comparisons(film: Film, folder: Path) -> list[Comparison]:
    engine = load_engine(demo_folder())
    questions = decode(film, film.windows[:24])
    return [
        Comparison(
            f"one decoder for a lease of {LEASE} windows",
            "one decoder for every window",
            lambda: decode_all(film, LEASE),
            lambda: decode_all(film, 1),
        ),
        Comparison(
            "batches of 8 windows",
            "one window at a time",
            lambda: answer(engine, questions, 8),
            lambda: answer(engine, questions, 1),
        ),
        Comparison(
            "each frame of a lease through the vision tower once",
            "the frames of every window",
            lambda: answer(engine, questions, 8),
            lambda: answer(engine, [apart(one) for one in questions], 8),
        ),
        key_value_cache(folder / "phi3v", questions[0]),
        Comparison(
            "answers held to a grammar",
            "free answers, of which not all may parse",
            lambda: answer(engine, [held(one) for one in questions], 8),
            lambda: answer(engine, questions, 8),
        ),
        Comparison(
            "scenes by PySceneDetect's detector over a decoder in its sandbox",
            "PySceneDetect's own program, OpenCV's decoder, no sandbox",
            lambda: find_scenes(film),
            lambda: detect_scenes(film),
        ),
    ]


def held(question: Question) -> Question:
    """The same window, its answer held to what the task's schema allows."""
    recipe = question.run.recipe
    grammar = EventsTask(labels=list(LABELS), teams=list(TEAMS)).grammar(recipe.generation.max_new_tokens)
    return replace(
        question, run=msgspec.structs.replace(question.run, recipe=msgspec.structs.replace(recipe, grammar=grammar))
    )


def find_scenes(film: Film) -> None:
    facts = film.index.facts
    with Decoder.start(film.file, DecodeLimits()) as decoder:
        decoder.cuts(film.index, _THRESHOLD, *fit_edge(facts.width, facts.height, _EDGE))


def detect_scenes(film: Film) -> None:
    detect(os.fsdecode(film.file.path), ContentDetector(_THRESHOLD))


def apart(question: Question) -> Question:
    """The same window in a lease of its own: it shares no frame with others."""
    return replace(question, run=msgspec.structs.replace(question.run, lease=next(_leases)))


def key_value_cache(folder: Path, question: Question) -> Comparison:
    """Phi-3.5-Vision on a tiny checkpoint: its prompt of 15 frames is as long as the real one's."""
    make("phi3v", folder)
    engine = load_engine(folder)
    inputs = engine._prepare([question], lambda rows: None)
    options = {"max_new_tokens": 32, "min_new_tokens": 32, "do_sample": False}

    def generate(use_cache: bool) -> None:
        with torch.inference_mode():
            engine._family.generate(dict(inputs), use_cache=use_cache, **options)

    return Comparison(
        "Phi-3.5-Vision (tiny) with its KV cache, 32 tokens",
        "without, as with the published code",
        lambda: generate(True),
        lambda: generate(False),
    )


def row(comparison: Comparison, rounds: int) -> str:
    comparison.run_ours()
    ratios = []
    for _ in range(rounds):
        ours, plain = seconds(comparison.run_ours), seconds(comparison.run_plain)
        ratios.append(plain / ours)
    middle = statistics.median(ratios)
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return f"| {comparison.ours} | {comparison.plain} | {middle:.2f} | {spread} |"


def seconds(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def make_film(folder: Path, length: int) -> Film:
    path = folder / "film.mp4"
    render_match(path, seed=50_000, seconds=length)
    root, name = os.fsencode(folder), os.fsencode(path)
    file = FileRef(root, name, identify(root, name))
    with Decoder.start(file, DecodeLimits()) as decoder:
        index = decoder.index()
    return Film(file, index, plan_windows(index, SlidingPlan(), 10_000))


def decode_all(film: Film, lease: int) -> None:
    """The whole film, in leases of so many windows."""
    for at in range(0, len(film.windows), lease):
        decode(film, film.windows[at : at + lease])


def decode(film: Film, part: list[Window]) -> list[Question]:
    """The windows of one lease, with their pictures."""
    facts = film.index.facts
    width, height = fit_edge(facts.width, facts.height, FRAME_EDGE)
    wanted = sorted({pts for window in part for pts in window.pts})
    run = order(film, part)
    with Decoder.start(film.file, DecodeLimits()) as decoder:
        stream = decoder.frames(wanted, part[0].seek, width, height, facts.rotation)
        pictures = {pts: stream.picture(slot) for slot, pts in stream}
    prompt = run.recipe.prompt
    return [Question(run, one, one.pts, [pictures[pts] for pts in one.pts], prompt, 0) for one in part]


def order(film: Film, part: list[Window]) -> RunWindows:
    facts = film.index.facts
    return RunWindows(
        lease=0,
        job=0,
        file=film.file,
        width=facts.width,
        height=facts.height,
        rotation=facts.rotation,
        windows=part,
        recipe=make_recipe(),
        limits=DecodeLimits(),
    )


def make_recipe() -> Recipe:
    variables = {"fps": "5", "labels": ", ".join(LABELS), "teams": " or ".join(TEAMS)}
    return Recipe(
        model="vlmd-demo",
        revision="",
        family="Idefics3ForConditionalGeneration",
        precision="fp32",
        frame_edge=FRAME_EDGE,
        fps=5.0,
        prompt=fill(EVENTS_PROMPT, variables),
        generation=Generation(),
    )


def load_engine(folder: Path) -> Engine:
    spec = ModelSpec(
        name=folder.name,
        path=str(folder),
        revision="",
        family=read_checkpoint(folder).architecture,
        precision="fp32",
        max_batch=8,
        threads=1,
    )
    return Engine.load(spec, "cpu", lambda stage: None)


def answer(engine: Engine, questions: list[Question], size: int) -> None:
    for at in range(0, len(questions), size):
        engine.answer(questions[at : at + size], lambda rows: None, lambda row, reply: None)
    for lease in {question.run.lease for question in questions}:
        engine.forget(lease)


if __name__ == "__main__":
    main()
