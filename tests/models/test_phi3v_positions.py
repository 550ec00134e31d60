"""Phi-3.5-Vision's positions: on either side of the switch, a cache changes nothing, nor do other rows of a batch."""

import pytest
import torch
from tiny import phi3v as tiny
from transformers import Phi3Config, Phi3ForCausalLM
from transformers.cache_utils import DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPooling

from tests.phi3v import EXACT, SWITCH, apart, encode, load, prompt, steps, uncached


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("phi3v")
    tiny.make(path, switch=SWITCH)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return load(folder)[0]


RANGES = {"below": (40, 10), "up to": (52, 12), "across": (56, 20), "from": (64, 10), "above": (90, 10)}


@pytest.mark.parametrize("shown", [0, 2])
@pytest.mark.parametrize("where", RANGES)
def test_cached_equals_uncached_on_both_sides_of_the_switch(model, where, shown):
    length, new = RANGES[where]
    ids = prompt(length, shown)
    encoded = {"mm_encoder_outputs": encode(model, shown)} if shown else {}
    sequence, logits = steps(model, ids, new, **encoded)
    assert sequence.shape[1] == length + new
    encoded = {"mm_encoder_outputs": encode(model, shown)} if shown else {}
    assert apart(logits, uncached(model, sequence, new, length + new, **encoded)) < EXACT
    other = SWITCH if length + new > SWITCH else SWITCH + 1
    assert apart(logits, uncached(model, sequence, new, other, **encoded)) > 0.05


def test_the_published_rule_is_the_one_that_a_cache_breaks(model):
    """Short factors up to the switch and long ones beyond, with the keys of both in one cache: no uncached result."""
    length, new = RANGES["across"]
    ids, cache, kept = prompt(length, 0), DynamicCache(config=model.config), []
    sequence, _ = steps(model, ids, new)
    for end in range(length, length + new):
        given = sequence[:, :end] if end == length else sequence[:, end - 1 : end]
        now = torch.tensor([end])
        kept.append(model(given, past_key_values=cache, rope_lengths=now).logits[:, -1])
    beyond = torch.stack(kept[SWITCH - length + 1 :], dim=1)
    for sides in (SWITCH, SWITCH + 1):
        assert apart(beyond, uncached(model, sequence, new, sides)[:, SWITCH - length + 1 :]) > 0.05


def test_a_cache_without_its_factors_is_refused(model):
    cache = model(prompt(40, 0)).past_key_values
    with pytest.raises(ValueError, match="rope_lengths"):
        model(torch.tensor([[300]]), past_key_values=cache)


def test_generate_has_to_know_how_long_a_row_may_become(model):
    with pytest.raises(ValueError, match="max_new_tokens"):
        model.generate(prompt(10, 0))


def text_only(model) -> Phi3ForCausalLM:
    config = model.config.to_dict()
    for name in ("model_type", "architectures", "auto_map", "img_processor", "embd_layer", "image_token_id"):
        config.pop(name, None)
    plain = Phi3ForCausalLM(Phi3Config(**config)).eval()
    report = plain.load_state_dict(model.state_dict(), strict=False)
    assert not report.missing_keys and all(
        name.startswith("model.vision_embed_tokens.") for name in report.unexpected_keys
    )
    return plain


@pytest.mark.parametrize("length", [40, SWITCH, SWITCH + 1, 120])
def test_text_alone_gives_what_phi_3_gives(model, length):
    ids = prompt(length, 0)
    assert apart(model(ids, use_cache=False).logits, text_only(model)(ids, use_cache=False).logits) < EXACT


def test_also_at_the_published_switch(tmp_path):
    tiny.make(tmp_path, switch=4096, longest=131072)
    large, _ = load(tmp_path)
    for length, new in ((4080, 10), (4090, 12)):
        ids = prompt(length, 2)
        sequence, logits = steps(large, ids, new, mm_encoder_outputs=encode(large, 2))
        encoded = {"mm_encoder_outputs": encode(large, 2)}
        assert apart(logits, uncached(large, sequence, new, length + new, **encoded)) < EXACT
        other = 4096 if length + new > 4096 else 4097
        assert apart(logits, uncached(large, sequence, new, other, **encoded)) > 0.01


ROWS = ((70, 2, 10), (45, 1, 10), (60, 2, 3), (30, 0, 10), (58, 1, 10))
"""Prompt, pictures and allowed tokens of rows on both sides of the switch."""


def batch(model, rows, order: int = 1) -> dict:
    longest = max(length for length, _, _ in rows)
    ids, mask, features = [], [], []
    for seed, (length, shown, _) in enumerate(rows):
        fill = torch.full((longest - length,), 3)
        ids.append(torch.cat((fill, prompt(length, shown, seed)[0])))
        mask.append(torch.cat((torch.zeros_like(fill), torch.ones(length, dtype=torch.long))))
        features += encode(model, shown, seed)["image"].pooler_output
    if order == -1:
        swapped = {len(own): own for own in features}
        features = [swapped[len(own)] for own in features]
    return {
        "input_ids": torch.stack(ids),
        "attention_mask": torch.stack(mask),
        "mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=features)},
        "rope_lengths": torch.tensor([length + allowed for length, _, allowed in rows]),
    }


def singles(model, rows, new: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    results = []
    for seed, (length, shown, allowed) in enumerate(rows):
        encoded = {"mm_encoder_outputs": encode(model, shown, seed)} if shown else {}
        lengths = torch.tensor([length + allowed])
        results.append(steps(model, prompt(length, shown, seed), new, rope_lengths=lengths, **encoded))
    return results


def given(inputs: dict) -> tuple[torch.Tensor, dict]:
    return inputs["input_ids"], {name: value for name, value in inputs.items() if name != "input_ids"}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_batch_equals_its_rows_one_by_one_whatever_side_they_are_on(folder, attention):
    model, _ = load(folder, attn_implementation=attention)
    assert model.model.vision_embed_tokens.img_processor.vision_model.config._attn_implementation == attention
    ids, rest = given(batch(model, ROWS))
    sequences, logits = steps(model, ids, 8, **rest)
    for row, (sequence, own) in enumerate(singles(model, ROWS, 8)):
        assert sequences[row, -8:].tolist() == sequence[0, -8:].tolist()
        assert apart(logits[row], own[0]) < EXACT
    ids, rest = given(batch(model, ROWS, order=-1))
    assert apart(steps(model, ids, 1, **rest)[1], logits[:, :1]) > 0.05


def test_rows_of_a_batch_do_not_share_their_factors(model):
    """The control of the test above: with the longest row's factors for all, the shorter rows differ."""
    ids, rest = given(batch(model, ROWS))
    own = steps(model, ids, 8, **rest)[1]
    ids, rest = given(batch(model, ROWS))
    rest["rope_lengths"] = rest["rope_lengths"].max().expand(len(ROWS))
    others = steps(model, ids, 8, **rest)[1]
    assert [apart(one, other) > 0.05 for one, other in zip(own, others, strict=True)] == [
        length + allowed <= SWITCH for length, _, allowed in ROWS
    ]


def test_lengths_are_found_from_the_mask_where_they_are_not_given(model):
    rows = ((70, 2, 8), (45, 1, 8), (58, 1, 8))
    ids, rest = given(batch(model, rows))
    wanted = steps(model, ids, 8, **rest)
    ids, rest = given(batch(model, rows))
    del rest["rope_lengths"]
    found = steps(model, ids, 8, **rest)
    assert torch.equal(found[0], wanted[0]) and apart(found[1], wanted[1]) == 0


def test_beams_are_the_same_with_and_without_the_cache(model):
    results = []
    for cache in (True, False):
        ids, rest = given(batch(model, ROWS[:3]))
        options = {"num_beams": 3, "do_sample": False, "use_cache": cache, "max_new_tokens": 6, "suppress_tokens": [8]}
        results.append(model.generate(ids, **rest, **options, return_dict_in_generate=True, output_scores=True))
    assert torch.equal(results[0].sequences, results[1].sequences)
    assert apart(results[0].sequences_scores, results[1].sequences_scores) < EXACT
    ids, rest = given(batch(model, ROWS[:3]))
    greedy = model.generate(ids, **rest, max_new_tokens=6, do_sample=False)
    assert not torch.equal(greedy, results[0].sequences)
