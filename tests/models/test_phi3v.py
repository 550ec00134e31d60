"""Phi-3.5-Vision: published names load, and pictures become the tokens they are to become."""

import json
from itertools import chain, pairwise

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import phi3v as tiny
from transformers import CLIPVisionModel

from tests.phi3v import EXACT, SWITCH, apart, encode, load, pictures, prompt, steps
from vlmd.worker.models.phi3v.modeling import Phi3VForCausalLM

NAMES = "model.vision_embed_tokens."


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


def test_every_published_name_loads_and_no_other_is_wanted(folder, model):
    written = load_file(folder / "model.safetensors")
    assert load(folder)[1] == {}
    assert set(written) == set(model.state_dict()) == {name for name, _ in tiny.names(model.config.vocab_size)}
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in written.items())
    assert model.config.architectures == ["Phi3VForCausalLM"] and model.config.model_type == "phi3_v"


def rewritten(folder, tmp_path, change):
    for name in ("config.json", "generation_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path


def test_positions_that_old_files_carry_are_no_surprise(folder, tmp_path):
    def change(weights):
        weights[NAMES + "img_processor.vision_model.embeddings.position_ids"] = torch.arange(17)[None]

    assert load(rewritten(folder, tmp_path, change))[1] == {}


@pytest.mark.parametrize("both", [False, True])
def test_word_embeddings_may_lie_under_their_second_published_name(folder, tmp_path, model, both):
    def change(weights):
        kept = weights["model.embed_tokens.weight"] if both else weights.pop("model.embed_tokens.weight")
        weights[NAMES + "wte.weight"] = kept.clone()

    again, report = load(rewritten(folder, tmp_path, change))
    assert report == {}
    assert torch.equal(again.model.embed_tokens.weight, model.model.embed_tokens.weight)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("model.layers.1.mlp.down_proj.weight", "missing_keys"), (NAMES + "glb_GN", "missing_keys")],
)
def test_a_missing_weight_is_named(folder, tmp_path, name, kind):
    assert load(rewritten(folder, tmp_path, lambda weights: weights.pop(name)))[1] == {kind: {name}}


def test_a_left_over_weight_is_named(folder, tmp_path):
    def change(weights):
        weights["model.layers.9.mlp.down_proj.weight"] = torch.zeros(2, 2)

    assert load(rewritten(folder, tmp_path, change))[1] == {"unexpected_keys": {"model.layers.9.mlp.down_proj.weight"}}


def test_what_is_saved_has_the_published_names_and_loads_again(model, folder, tmp_path):
    model.save_pretrained(tmp_path)
    assert set(load_file(tmp_path / "model.safetensors")) == set(load_file(folder / "model.safetensors"))
    again, report = load(tmp_path)
    ids = prompt(SWITCH + 10, shown=2)
    assert (
        report == {} and apart(*(one(ids, mm_encoder_outputs=encode(model, 2)).logits for one in (model, again))) == 0
    )


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("embd_layer", "hd_transform_order", "glb_sub"),
        ("embd_layer", "use_hd_transform", False),
        ("img_processor", "type_feature", "cls_patch"),
        ("img_processor", "layer_idx", -1),
        ("rope_scaling", "type", "yarn"),
    ],
)
def test_another_arrangement_is_refused(folder, part, key, value):
    config = json.loads((folder / "config.json").read_text())
    config[part][key] = value
    with pytest.raises(ValueError, match=value if isinstance(value, str) else key):
        Phi3VForCausalLM.config_class.from_dict(config)


def test_the_tower_gives_the_layer_before_the_last_without_the_class_token(model):
    tower = model.model.vision_embed_tokens.img_processor.vision_model
    plain = CLIPVisionModel(model.config.tower).eval()
    plain.load_state_dict(tower.state_dict())
    squares = pictures(2)[0][1]
    states = plain(squares, output_hidden_states=True).hidden_states
    assert apart(tower.patches(squares), states[-2][:, 1:]) == 0
    assert apart(tower.patches(squares), states[-1][:, 1:]) > 0.01


def test_tokens_of_a_picture_lie_line_by_line_each_with_its_end(model):
    part = model.model.vision_embed_tokens
    squares = pictures(2)[0][1]
    patches = part.img_processor.vision_model.patches(squares).reshape(3, 4, 4, tiny.TOWER)

    def merged(square, row, column):
        own = patches[square, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        return own.reshape(-1)  # upper left, upper right, lower left, lower right

    end, between = part.sub_GN.reshape(-1), part.glb_GN.reshape(-1)
    lines = [[merged(1, row, 0), merged(1, row, 1), merged(2, row, 0), merged(2, row, 1), end] for row in (0, 1)]
    whole = [[merged(0, row, 0), merged(0, row, 1), end] for row in (0, 1)]
    wanted = part.img_projection(torch.stack([*chain(*lines), between, *chain(*whole)]))
    given = part([squares], torch.tensor([[tiny.TILE, 2 * tiny.TILE]]))[0]
    assert given.shape == wanted.shape and apart(given, wanted) < EXACT


def test_a_picture_does_not_depend_on_the_others(model):
    squares, sizes = pictures(4)
    together = model.get_image_features(squares, sizes).pooler_output
    alone = encode(model, 4)["image"].pooler_output
    assert max(map(apart, together, alone)) < EXACT
    assert min(apart(one[:9], other[:9]) for one, other in pairwise(alone)) > 0.01


def test_squares_that_only_fill_up_are_not_looked_at(model):
    squares, sizes = pictures(2)
    filled = torch.stack([torch.cat((own, torch.ones(4 - len(own), 3, 56, 56))) for own in squares])
    given = model.get_image_features(filled, sizes).pooler_output
    assert max(map(apart, given, model.get_image_features(squares, sizes).pooler_output)) < EXACT


def test_encoded_pictures_give_what_their_pixels_give(model):
    ids = prompt(50, shown=2)
    squares, sizes = pictures(2)
    plain = model(ids, pixel_values=squares, image_sizes=sizes).logits
    assert apart(model(ids, mm_encoder_outputs=encode(model, 2)).logits, plain) < EXACT
    assert apart(model(ids).logits, plain) > 0.1
    generated = steps(model, ids, 4, pixel_values=squares, image_sizes=sizes)
    encoded = steps(model, ids, 4, mm_encoder_outputs=encode(model, 2))
    assert torch.equal(generated[0], encoded[0]) and apart(generated[1], encoded[1]) < EXACT


@pytest.mark.parametrize("shown", [1, 3])
def test_places_and_pictures_have_to_agree(model, shown):
    with pytest.raises(ValueError, match="placeholders"):
        model(prompt(60, shown=2), mm_encoder_outputs=encode(model, shown))
