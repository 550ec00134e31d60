"""Phi-3.5-Vision as the worker has it: what only this family does, beside what `test_families.py` asks of all."""

import json

import pytest
import torch
from tiny import phi3v as tiny
from tokenizers import Tokenizer

from tests.models.checkpoints import again, answers, load, pictures, question
from tests.phi3v import apart
from vlmd.core.errors import WorkerError
from vlmd.worker.models.base import Asked
from vlmd.worker.models.phi3v.configuration import Phi3VConfig
from vlmd.worker.models.phi3v.family import Phi3V

SWITCH = 90


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phi3v")
    tiny.make(folder, switch=SWITCH)
    return load(folder)


def published() -> Phi3VConfig:
    """The published dimensions."""
    factors = {"type": "su", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
    tower = {"image_dim_out": 1024, "model_name": "openai/clip-vit-large-patch14-336", "num_img_tokens": 144}
    return Phi3VConfig(max_position_embeddings=131072, sliding_window=262144, rope_scaling=factors, img_processor=tower)


def test_figures_of_the_published_checkpoint():
    config = published()
    sizes, preferred = Phi3V.sizes(config, tiny.preprocessor())
    assert [(size.tokens, size.most) for size in sizes[:2]] == [(316, 316), (760, 784)]
    assert [size.setting for size in sizes] == [1, 4, 6, 12, 16] and preferred == 0
    assert [size.edge for size in sizes] == sorted(size.edge for size in sizes)
    assert Phi3V.kv_elements(config) * 2 == 384 * 1024
    assert Phi3V.context(config) == 131072
    with torch.device("meta"):
        model = Phi3V.auto_class.from_config(config)
    assert sum(weight.numel() for weight in model.parameters()) == pytest.approx(4.15e9, rel=0.002)
    assert sum(weight.numel() for weight in model.model.layers.parameters()) == pytest.approx(3.62e9, rel=0.002)


def test_words_become_what_the_tokenizer_file_says(engine):
    file = Tokenizer.from_file(f"{engine.spec.path}/tokenizer.json")
    for text in ("<|user|>\nWhich of these events?", "\nWhat happens?<|end|>\n<|assistant|>\n", "<|user|> é ∞"):
        assert engine._family.tokenizer(text).input_ids == file.encode(text).ids


def test_an_answer_ends_with_the_turn_or_with_the_text(engine):
    ends = engine._family.model.generation_config.eos_token_id
    assert set(engine._family.tokenizer.convert_ids_to_tokens(ends)) == {"</s>", "<|endoftext|>", "<|end|>"}


@torch.inference_mode()
def test_windows_on_both_sides_of_the_switch_share_a_batch(engine):
    asked = [question(pictures(1, 1), "What?"), question(pictures(2, 5), "Describe the scene.")]
    together = answers(engine, asked)
    long = [reply.prompt_tokens + 12 > SWITCH for reply in together]
    assert long == [False, True]
    for one, reply in zip(asked, together, strict=True):
        (alone,) = answers(engine, [again(one)])
        assert alone.text == reply.text
        for own, other in zip(alone.tokens, reply.tokens, strict=True):
            assert own.logprob == pytest.approx(other.logprob, abs=1e-4)


@torch.inference_mode()
def test_how_long_an_answer_may_become_decides_the_factors(engine):
    """From one token on that takes a row over the switch, every logit is another, from the first one on."""
    family = engine._family
    size = family.sizes(family.model.config, {})[0][0]
    inputs = family.prepare([Asked("What?", family.encode(pictures(1, 2), size))])
    room = SWITCH - inputs["input_ids"].shape[1]
    assert room > 2

    def first(new: int) -> torch.Tensor:
        options = {"do_sample": False, "return_dict_in_generate": True, "output_logits": True}
        return family.generate(dict(inputs), max_new_tokens=new, **options).logits[0]

    assert apart(first(1), first(room)) == 0
    assert apart(first(room), first(room + 1)) > 0.01


def without_the_file(folder):
    (folder / "preprocessor_config.json").unlink()


def without_a_mean(folder):
    (folder / "preprocessor_config.json").write_text('{"num_crops": 4}')


def with_another_tokenizer(folder):
    words = (folder / "tokenizer.json").read_text().replace("<|image|>", "<|picture|>")
    (folder / "tokenizer.json").write_text(words)


def with_a_template_for_parts(folder):
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["chat_template"] = "{% for part in messages[0]['content'] %}{{ part['text'] }}{% endfor %}"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def with_a_broken_template(folder):
    (folder / "chat_template.jinja").write_text("{% for message in messages %}{{ message.content }}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_the_file, "no preprocessor_config.json"),
        (without_a_mean, "does not say image_mean and image_std"),
        (with_a_template_for_parts, "chat template cannot be used"),
        (with_a_broken_template, "chat template cannot be used"),
        (with_another_tokenizer, r"no token <\|image\|>"),
    ],
)
def test_a_folder_that_lacks_something_is_refused_in_a_sentence(tmp_path, change, reason):
    tiny.make(tmp_path)
    change(tmp_path)
    with pytest.raises(WorkerError, match=reason):
        load(tmp_path)
