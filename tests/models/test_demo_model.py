"""The model that vlmd ships: small, loadable by anybody, and right about matches it never saw."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from vlmd.core.tasks.prompts import EVENTS_PROMPT, fill
from vlmd.demo.game import LABELS, TEAMS, Match, Team, TrueEvent, plan_match
from vlmd.demo.render import draw_frames, render_match

MODEL = Path(__file__).parents[2] / "vlmd" / "demo" / "model"
UNSEEN_SEEDS = range(40_000, 40_003)
FPS = 5
PROMPT = fill(EVENTS_PROMPT, {"fps": str(FPS), "labels": ", ".join(LABELS), "teams": " or ".join(TEAMS)})


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def demo():
    return AutoModelForImageTextToText.from_pretrained(MODEL).eval(), AutoProcessor.from_pretrained(MODEL)


def ask(demo, windows: list[list[np.ndarray]]) -> list[str]:
    """The model's answers to windows of pictures, uint8 RGB of any size."""
    model, processor = demo
    images = [[Image.fromarray(picture).resize((160, 90)) for picture in window] for window in windows]
    texts = [
        processor.apply_chat_template(
            [
                {
                    "role": "user",
                    "content": [{"type": "image"}] * len(window) + [{"type": "text", "text": PROMPT}],
                }
            ],
            add_generation_prompt=True,
        )
        for window in windows
    ]
    inputs = processor(images=images, text=texts, padding=True, padding_side="left", return_tensors="pt")
    inputs = inputs.to(dtype=model.dtype)
    with torch.inference_mode():
        out = model.generate(**inputs, max_new_tokens=256, do_sample=False)
    return processor.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def around(match: Match, pictures: list[np.ndarray], event: TrueEvent, count: int = 3 * FPS) -> list[np.ndarray]:
    """`count` pictures with `event` about in their middle."""
    middle = (event.start_ms + event.end_ms) // 2 * FPS // 1000
    start = max(0, min(middle - count // 2, len(pictures) - count))
    return pictures[start : start + count]


def told(text: str) -> set[tuple[str, Team]]:
    if text == "None":
        return set()
    return {(event["label"], event["team"]) for event in map(json.loads, text.split("\n"))}


def test_the_same_seed_renders_the_same_film(tmp_path):
    events = [render_match(tmp_path / name, 1, 3, fps=FPS) for name in ("one.mp4", "two.mp4")]
    assert events[0] == events[1] == plan_match(1, 3).events()
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_has_no_gap_and_its_events_lie_within(seed):
    match = plan_match(seed, 61.5)
    starts = [scene.start_ms for scene in match.scenes]
    assert starts == [0, *(scene.end_ms for scene in match.scenes[:-1])]
    assert match.scenes[-1].end_ms == match.length_ms == 61_500
    for event in match.events():
        assert event.label in LABELS
        assert 0 <= event.start_ms < event.end_ms <= match.length_ms


def test_it_is_small_and_complete():
    files = {path.name: path.stat().st_size for path in MODEL.iterdir()}
    assert sum(files.values()) <= 8_000_000
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "README.md"} <= set(files)


def test_it_sees_most_events_of_unseen_matches(demo):
    right = total = 0
    for seed in UNSEEN_SEEDS:
        match = plan_match(seed, 60)
        pictures = list(draw_frames(match, FPS))
        events = match.events()
        answers = ask(demo, [around(match, pictures, event) for event in events])
        total += len(events)
        right += sum((event.label, event.team) in told(text) for event, text in zip(events, answers, strict=True))
    assert total >= 10
    assert right / total >= 0.9


def test_windows_of_different_lengths_share_a_batch(demo):
    match = plan_match(UNSEEN_SEEDS[0], 60)
    pictures = list(draw_frames(match, FPS))
    event = match.events()[0]
    windows = [around(match, pictures, event, count) for count in (5, 10, 15)]
    assert ask(demo, windows) == [ask(demo, [window])[0] for window in windows]


def test_an_answer_is_json_with_exactly_the_keys_asked_for(demo):
    match = plan_match(UNSEEN_SEEDS[0], 60)
    (text,) = ask(demo, [around(match, list(draw_frames(match, FPS)), match.events()[0])])
    answer = json.loads(text)
    assert set(answer) == {"label", "team", "confidence", "details"}
    assert 0 <= answer["confidence"] <= 1


@pytest.mark.parametrize("colour", [(0, 0, 0), (128, 128, 128), (255, 255, 255), (60, 140, 60)])
def test_flat_pictures_show_nothing(demo, colour):
    flat = np.full((90, 160, 3), colour, np.uint8)
    assert ask(demo, [[flat] * 15]) == ["None"]
