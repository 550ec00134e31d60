"""The engine on the shipped model: batches say what single windows say, and every figure it reports is true."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.checkpoints import broken
from vlmd.core.errors import Code, WorkerError
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.messages.worker import ModelSpec, RunWindows
from vlmd.core.recipe import Generation, Recipe
from vlmd.core.tasks.prompts import EVENTS_PROMPT, fill
from vlmd.core.video import FileIdentity, FileRef
from vlmd.core.windows import Window
from vlmd.demo.game import LABELS, TEAMS, plan_match
from vlmd.demo.render import draw_frames
from vlmd.worker.engine import Engine
from vlmd.worker.generation import rows as rows_module
from vlmd.worker.questions import Question, Reply

MODEL = Path(__file__).parents[2] / "vlmd" / "demo" / "model"
_LEASES = itertools.count(1)
"""Frames are known by their lease and time: other pictures need another lease."""
PROMPT = fill(EVENTS_PROMPT, {"fps": "5", "labels": ", ".join(LABELS), "teams": " or ".join(TEAMS)})


def spec(path: Path, precision: str = "auto") -> ModelSpec:
    return ModelSpec(
        name="demo",
        path=str(path),
        revision="r",
        family="Idefics3ForConditionalGeneration",
        precision=precision,
        max_batch=8,
        threads=1,
    )


def load(path: Path = MODEL, precision: str = "auto") -> Engine:
    return Engine.load(spec(path, precision), "cpu", lambda stage: None)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load()


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    """Windows of one match, of 15 and of 9 pictures, with and without events."""
    match = plan_match(40_000, 60)
    pictures = [np.asarray(picture)[::2, ::2] for picture in draw_frames(match, 5)]
    starts = [event.start_ms // 200 for event in match.events()[:4]] + [0, 30, 60, 90]
    return [question(pictures[at : at + (9 if at % 2 else 15)]) for at in starts]


def question(pictures: list[np.ndarray], max_new_tokens: int = 96) -> Question:
    recipe = Recipe(
        model="demo",
        revision="r",
        family="f",
        precision="auto",
        frame_edge=160,
        window_frames=15,
        fps=5,
        prompt=PROMPT,
        generation=Generation(max_new_tokens=max_new_tokens),
    )
    window = Window(0, 0, 3000, list(range(len(pictures))), None)
    run = RunWindows(
        lease=next(_LEASES),
        job=1,
        file=FileRef(b"/", b"/v", FileIdentity(0, 0, 0)),
        width=160,
        height=90,
        rotation=0,
        windows=[window],
        recipe=recipe,
        limits=DecodeLimits(),
    )
    return Question(run, window, window.pts, pictures, PROMPT, 0)


def answers(engine: Engine, questions: list[Question]) -> list[Reply]:
    replies: dict[int, Reply] = {}

    def keep(row: int, reply: Reply) -> None:
        assert row not in replies
        replies[row] = reply

    engine.answer(questions, lambda rows: None, keep)
    return [replies[row] for row in range(len(questions))]


def test_a_batch_says_what_its_windows_say_alone(engine, questions):
    together = answers(engine, questions)
    alone = [answers(engine, [one])[0] for one in questions]
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert len({reply.text for reply in alone}) > 2
    for batched, single in zip(together, alone, strict=True):
        assert [t.logprob for t in batched.tokens] == pytest.approx([t.logprob for t in single.tokens], abs=1e-3)
        assert batched.prompt_tokens == single.prompt_tokens


def test_other_pictures_are_another_answer(engine, questions):
    """The control of the test above: it could not pass if pictures did not matter."""
    single = answers(engine, [questions[0]])[0]
    black = question([np.zeros_like(picture) for picture in questions[0].pictures])
    assert answers(engine, [black])[0].text != single.text


def test_a_row_is_reported_while_others_still_generate(engine, questions):
    order: list[tuple[int, int]] = []
    steps = 0

    def step(rows: int) -> None:
        nonlocal steps
        steps += 1

    engine.answer(questions, step, lambda row, reply: order.append((row, steps)))
    assert sorted(row for row, _ in order) == list(range(len(questions)))
    assert min(at for _, at in order) < max(at for _, at in order)


def test_log_probabilities_are_those_of_the_chosen_tokens(engine, questions):
    """Recomputed in one pass over prompt and answer."""
    reply = answers(engine, [questions[0]])[0]
    family = engine._family
    inputs = engine._prepare([questions[0]], lambda rows: None)
    ids = family.tokenizer(reply.text, return_tensors="pt", add_special_tokens=False).input_ids
    assert ids.shape[1] >= len(reply.tokens) - 1
    whole = dict(inputs)
    whole["input_ids"] = torch.cat([inputs["input_ids"], ids], dim=1)
    whole["attention_mask"] = torch.ones_like(whole["input_ids"])
    with torch.inference_mode():
        logits = family.model(**whole).logits[0, inputs["input_ids"].shape[1] - 1 : -1]
    wanted = torch.log_softmax(logits.float(), -1)[range(ids.shape[1]), ids[0]].tolist()
    said = [token.logprob for token in reply.tokens][: len(wanted)]
    assert said == pytest.approx(wanted, abs=1e-3)


def test_offsets_tell_where_each_token_begins(engine, questions):
    reply = next(reply for reply in answers(engine, questions) if "label" in reply.text)
    offsets = [token.offset for token in reply.tokens]
    assert offsets[0] == 0
    assert offsets == sorted(offsets)
    assert offsets[-1] <= len(reply.text)


def test_each_row_keeps_its_own_token_limit(engine, questions):
    event = next(one for one, reply in zip(questions, answers(engine, questions), strict=True) if "label" in reply.text)
    short = question(event.pictures, max_new_tokens=5)
    cut, whole = answers(engine, [short, event])
    assert (cut.finish, len(cut.tokens)) == ("length", 5)
    assert whole.finish == "stop"
    assert whole.text.startswith(cut.text)


def test_a_row_that_has_ended_is_generated_for_no_longer(engine, questions):
    """A short limit of its own, with a longer one beside it."""
    event = next(one for one, reply in zip(questions, answers(engine, questions), strict=True) if "label" in reply.text)
    rows: list[int] = []
    engine.answer([question(event.pictures, max_new_tokens=5), event], rows.append, lambda row, reply: None)
    tokens = [count for count in rows if count]
    assert tokens == [2] * 5 + [1] * (len(tokens) - 5)


def test_an_answer_that_loops_is_ended_and_its_neighbours_go_on(engine, questions, monkeypatch):
    undisturbed = answers(engine, questions[:3])
    watches = iter([LoopAt(7), LoopAt(None), LoopAt(None)])
    monkeypatch.setattr(rows_module, "LoopWatch", lambda: next(watches))
    ended, *others = answers(engine, questions[:3])
    assert (ended.finish, len(ended.tokens)) == ("loop", 7)
    assert undisturbed[0].text.startswith(ended.text)
    assert [reply.text for reply in others] == [reply.text for reply in undisturbed[1:]]


class LoopAt:
    def __init__(self, count: int | None) -> None:
        self.count, self.heard = count, 0

    def add(self, token: int) -> bool:
        self.heard += 1
        return self.heard == self.count


def test_a_model_that_says_one_thing_for_ever_is_stopped_soon(tmp_path, questions):
    def forget(weights: dict[str, torch.Tensor]) -> None:
        for name in weights:
            if name.endswith("text_model.norm.weight"):
                weights[name] = torch.zeros_like(weights[name])

    event = question(questions[0].pictures, max_new_tokens=1000)
    (reply,) = answers(load(broken(tmp_path, forget)), [event])
    assert (reply.finish, len(reply.tokens)) == ("loop", 64)


def test_half_precision_computes_in_half_precision(questions):
    engine = load(precision="bf16")
    assert engine.precision == "bf16"
    assert all(parameter.dtype == torch.bfloat16 for parameter in engine._family.model.parameters())
    assert answers(engine, questions[:2])[0].finite


def test_not_a_number_is_reported_as_such(tmp_path, questions):
    def poison(weights: dict[str, torch.Tensor]) -> None:
        name = next(name for name in weights if "text_model" in name and "norm" in name)
        weights[name] = torch.full_like(weights[name], float("nan"))

    engine = load(broken(tmp_path, poison))
    assert not answers(engine, questions[:1])[0].finite


def test_a_missing_weight_refuses_to_load(tmp_path):
    def drop(weights: dict[str, torch.Tensor]) -> None:
        del weights[next(name for name in weights if "connector" in name)]

    with pytest.raises(WorkerError, match=r"missing keys: .*connector") as caught:
        load(broken(tmp_path, drop))
    assert caught.value.failure.code == Code.MODEL_DAMAGED


def test_a_left_over_weight_refuses_to_load(tmp_path):
    def add(weights: dict[str, torch.Tensor]) -> None:
        weights["model.surprise.weight"] = torch.zeros(3)

    with pytest.raises(WorkerError, match=r"unexpected keys: .*surprise"):
        load(broken(tmp_path, add))


def test_a_misshapen_weight_refuses_to_load(tmp_path):
    def bend(weights: dict[str, torch.Tensor]) -> None:
        name = next(name for name in weights if "connector" in name)
        weights[name] = weights[name][:-1].contiguous()

    with pytest.raises(WorkerError, match=r"mismatched keys: .*connector"):
        load(broken(tmp_path, bend))


def test_an_unknown_architecture_names_the_known_ones(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["GPT9"]}))
    with pytest.raises(WorkerError, match="Idefics3ForConditionalGeneration"):
        load(tmp_path)


def test_a_folder_without_a_checkpoint_says_so(tmp_path):
    with pytest.raises(WorkerError, match=r"holds no config\.json; expected a folder with a checkpoint"):
        load(tmp_path)


def test_a_gpu_that_torch_cannot_use_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(WorkerError) as caught:
        Engine.load(spec(MODEL), "cuda:0", lambda stage: None)
    assert caught.value.failure.code == Code.GPU_UNUSABLE
