"""Phi-3.5-Vision as the worker has it: what only this family does, beside what `test_families.py` asks of all."""

import json
from importlib import resources
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny import phi3v as tiny
from tokenizers import Tokenizer

from tests.models.checkpoints import again, answers, load, pictures, question
from tests.phi3v import apart
from vlmd.core.errors import WorkerError
from vlmd.worker.models.base import Asked
from vlmd.worker.models.phi3v.family import Phi3V
from vlmd.worker.sizing import processing

SWITCH = 90


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phi3v")
    tiny.make(folder, switch=SWITCH)
    return load(folder)


def test_figures_of_the_published_checkpoint():
    folder = Path(str(resources.files("vlmd.catalog"))) / "microsoft--Phi-3.5-vision-instruct"
    config = Phi3V.read_config(folder)
    sizes, preferred = Phi3V.sizes(config, processing(folder))
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
def test_the_longest_answer_allowed_in_a_batch_decides_for_no_other_row(engine):
    """Two windows alike but for the answer they are allowed, one on each side of the switch."""
    shown = pictures(1, 2)
    short = question(shown, "What?", new=2)
    (reply,) = answers(engine, [short])
    long = question(shown, "What?", new=SWITCH - reply.prompt_tokens + 1)
    together = answers(engine, [again(short), long])
    assert [token.logprob for token in together[0].tokens] == pytest.approx(
        [token.logprob for token in reply.tokens], abs=1e-4
    )
    assert abs(together[1].tokens[0].logprob - reply.tokens[0].logprob) > 1e-3


def test_an_adapter_changes_what_is_said(engine, tmp_path):
    torch.manual_seed(1)
    model = Phi3V.auto_class.from_pretrained(engine.spec.path)
    adapter = LoraConfig(r=4, lora_alpha=64, target_modules=["qkv_proj", "down_proj"], init_lora_weights=False)
    get_peft_model(model, adapter).save_pretrained(tmp_path)
    tuned = load(Path(engine.spec.path), adapter=str(tmp_path))
    asked = question(pictures(1, 2), "What?")
    (plain,), (other,) = answers(engine, [asked]), answers(tuned, [again(asked)])
    assert plain.text != other.text and other.finite


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
