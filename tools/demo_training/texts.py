"""What the model reads and writes: prompts in many wordings, answers, and which characters matter."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlmd.core.tasks.prompts import EVENTS_PROMPT, fill
from vlmd.demo.game import LABELS, TEAMS, Team

NONE = "None"
DETAILS = {
    "Goal": "The ball is in the net that {team} attacks.",
    "Yellow card": "The referee shows a yellow card to {team}.",
    "Red card": "The referee shows a red card to {team}.",
    "Substitution": "The board is up for a change by {team}.",
    "Kick-off": "The ball is on the centre spot, {team} to begin.",
}

_OPENINGS = (
    "These pictures are one moment of a video, in order, {fps} per second.",
    "Here are frames of a video clip, {fps} per second, in order.",
    "You see consecutive frames of a football match.",
    "The images show a short piece of a match, {fps} frames per second.",
    "You are a sports analyst. Look at these frames.",
)
_QUESTIONS = (
    "Which of these events do they show? {labels}.",
    "Find the events that happen. Possible labels: {labels}.",
    "Detect any of the following events: {labels}.",
    "What happens here? Choose from: {labels}.",
    "Possible events: {labels}.",
)
_FORMATS = (
    "For each event write a JSON object with the keys label, team ({teams}), confidence and details.",
    "Answer with one JSON object per event: label, team ({teams}), confidence, details.",
    "Give every event as JSON with label, team, confidence and details.",
    "Reply in JSON, one object per line, with the keys label, team ({teams}), confidence and details.",
)
_OTHERWISE = (
    "If they show none of these events, write only the word None.",
    "If nothing happens, answer None.",
    "Write None if there is no event.",
    "Otherwise say None.",
)

_DECISIVE = re.compile(r'\{"label": "([^"]+)", "team": "([^"]+)"')
_CONFIDENCE = re.compile(r'"confidence": [\d.]+')


@dataclass(frozen=True)
class Sighting:
    """An event as a window shows it, in `pictures` of its pictures."""

    label: str
    team: Team
    pictures: int


def default_prompt() -> str:
    """Exactly what vlmd asks."""
    return fill(EVENTS_PROMPT, {"fps": "5", "labels": ", ".join(LABELS), "teams": " or ".join(TEAMS)})


def any_prompt(rng: np.random.Generator) -> str:
    """vlmd's own prompt mostly, another wording or another order of the labels otherwise."""
    if rng.random() < 0.6:
        return default_prompt()
    labels = list(rng.permutation(LABELS)) if rng.random() < 0.5 else list(LABELS)
    values = {
        "fps": str(rng.choice(["5", "5", "2", "4"])),
        "labels": ", ".join(labels),
        "teams": " or ".join(TEAMS),
    }
    if rng.random() < 0.3:
        return fill(EVENTS_PROMPT, values)
    sentences = [_pick(bank, rng) for bank in (_OPENINGS, _QUESTIONS, _FORMATS, _OTHERWISE)]
    kept = [sentence for at, sentence in enumerate(sentences) if at == 1 or rng.random() < 0.85]
    return fill(str(rng.choice(["\n", " "])).join(kept), values)


def answer(sightings: Sequence[Sighting]) -> str:
    """One JSON object per line, or the word None."""
    return "\n".join(json.dumps(_as_object(sighting)) for sighting in sightings) or NONE


def _as_object(sighting: Sighting) -> dict[str, str | float]:
    return {
        "label": sighting.label,
        "team": sighting.team,
        "confidence": 0.95 if sighting.pictures >= 7 else 0.8,
        "details": DETAILS[sighting.label].format(team=sighting.team),
    }


def character_weights(text: str) -> list[float]:
    """How much each character of an answer counts in the loss: label and team most, set phrases least."""
    if text == NONE:
        return [2.0] * len(text)
    weights = [0.15] * len(text)
    for match in _CONFIDENCE.finditer(text):
        weights[match.start() : match.end()] = [0.3] * (match.end() - match.start())
    for match in _DECISIVE.finditer(text):
        weights[match.start()] = 2.0
        for group in (1, 2):
            weights[match.start(group) : match.end(group)] = [2.0] * len(match[group])
    for at, character in enumerate(text):
        if character == "\n":
            weights[at] = 1.0
    return weights


def corpus(rng: np.random.Generator) -> list[str]:
    """Texts to build the vocabulary from."""
    answers = [answer([Sighting(label, team, pictures)]) for label in LABELS for team in TEAMS for pictures in (4, 9)]
    return [any_prompt(rng) for _ in range(200)] + answers * 8 + [NONE] * 50


def _pick(bank: tuple[str, ...], rng: np.random.Generator) -> str:
    return bank[rng.integers(len(bank))]
