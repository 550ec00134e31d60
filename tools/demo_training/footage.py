"""Training pictures: matches rendered, compressed, decoded and shrunk, with the truth of every picture."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation
from PIL import Image

from demo_training.network import FRAME_EDGE, SIDE
from demo_training.texts import Sighting
from vlmd.core.recipe import fit_edge
from vlmd.demo.game import LABELS, ON_PITCH, TEAMS, Kind, Match, plan_match
from vlmd.demo.pitch import ball_at
from vlmd.demo.render import HEIGHT, WIDTH, render_match

FPS = 5
EVENT_CLASSES = [(label, team) for label in LABELS for team in TEAMS]
_SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
NOTHING = len(EVENT_CLASSES)
"""The class of a picture that shows no event; the others number `EVENT_CLASSES`."""
KINDS = list(Kind)


@dataclass(frozen=True)
class Footage:
    """The pictures of one or more films, one after another, `FPS` per second."""

    pictures: np.ndarray
    """uint8, (pictures, 64, 64, 3)."""
    classes: np.ndarray
    """int64, (pictures,): index into `EVENT_CLASSES`, or `NOTHING`."""
    kinds: np.ndarray
    """int64, (pictures,): index into `KINDS`."""
    balls: np.ndarray
    """float32, (pictures, 2): the ball's x and y from 0 to 1; not a number where there is none."""
    films: np.ndarray
    """int64, (pictures,): which film a picture belongs to; windows do not cross films."""


def shoot(seeds: range, seconds: int, workers: int) -> Footage:
    """Renders the matches of `seeds` and gathers their pictures."""
    with get_context("spawn").Pool(workers) as pool:
        parts = pool.starmap(_film, [(seed, seconds) for seed in seeds], chunksize=4)
    return Footage(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _film(seed: int, seconds: int) -> tuple[np.ndarray, ...]:
    """One film's pictures and truths, in the order of the fields of `Footage`."""
    crf = int(np.random.default_rng([seed, 2]).integers(20, 33))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "match.mp4"
        render_match(path, seed, seconds, fps=FPS, crf=crf)
        pictures = np.stack([squash(picture) for picture in decode(path)])
    match = plan_match(seed, seconds)
    moments = [number * 1000 // FPS for number in range(len(pictures))]
    truths = [_truth(match, ms) for ms in moments]
    classes, kinds, balls = zip(*truths, strict=True)
    films = np.full(len(pictures), seed)
    return pictures, np.array(classes), np.array(kinds), np.array(balls, np.float32), films


def decode(path: Path) -> Iterator[np.ndarray]:
    """Every picture as the daemon would hand it to the processor, uint8 RGB, at most `FRAME_EDGE` long."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        for frame in container.decode(video=0):
            yield shrink(frame)


def shrink(frame: av.VideoFrame) -> np.ndarray:
    """One decoded picture, bilinearly resized to at most `FRAME_EDGE` pixels."""
    width, height = fit_edge(frame.width, frame.height, FRAME_EDGE)
    picture: np.ndarray = frame.reformat(width, height, "rgb24", interpolation=_SCALING).to_ndarray()
    return picture


def squash(picture: np.ndarray) -> np.ndarray:
    """What the processor makes of a picture before it normalises: uint8, (64, 64, 3)."""
    small: np.ndarray = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    return small


def _truth(match: Match, ms: int) -> tuple[int, int, tuple[float, float]]:
    scene = match.scene_at(ms)
    found = [event for event in match.events() if event.start_ms <= ms < event.end_ms]
    number = EVENT_CLASSES.index((found[0].label, found[0].team)) if found else NOTHING
    ball = (np.nan, np.nan)
    if scene.kind in ON_PITCH:
        x, y = ball_at(scene, ms)
        ball = (x / WIDTH, y / HEIGHT)
    return number, KINDS.index(scene.kind), ball


def sightings(classes: np.ndarray) -> list[Sighting] | None:
    """The events that a window of pictures with these classes shows; None where opinions may differ.

    An event counts when four pictures show it (half of them, in shorter windows); one less is unclear.
    """
    needed = min(4, (len(classes) + 1) // 2)
    seen = []
    for number in dict.fromkeys(classes.tolist()):
        count = int((classes == number).sum())
        if number == NOTHING or count < needed - 1:
            continue
        if count == needed - 1:
            return None
        label, team = EVENT_CLASSES[number]
        seen.append(Sighting(label, team, count))
    return seen
