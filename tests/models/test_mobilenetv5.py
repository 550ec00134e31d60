"""The vision tower of Gemma-3n, against what timm 1.0.31 made of the same weights and pictures.

The numbers below were written down from `timm.create_model("mobilenetv5_300m_enc", ...)`, beside torchvision, which
these tests have not.
"""

from __future__ import annotations

import copy
import hashlib

import pytest
import torch

from vlmd.worker.models.gemma3n.mobilenetv5 import Conv, MobileNetV5, divisible

PARAMETERS = 294_126_912
NAMES = "7a7da71661a5dbab103ed5bc1ab57484b4d301a34b2acb31547c9019792ec6fc"
"""sha256 over timm's names and shapes of weights, sorted."""
SEEN = [
    [0.37036, -0.94459, 1.19184, -1.35283, 1.47071, 1.08428, -0.28441, 0.3782],
    [0.56217, -1.02171, 1.86311, -0.77231, 0.69818, 0.03543, 0.16886, 0.15132],
]
"""Every 4,099th feature of two pictures, with a sixteenth of the channels and four by four places."""
PARTS = ["conv_stem.bn", "blocks.0.1", "blocks.1.0.dw_start", "blocks.2.9.attn.key.down_conv", "blocks.2.33.attn.query",
         "blocks.3.37", "msfa.ffn"]  # fmt: skip


def noise(count: int, seed: int) -> torch.Tensor:
    """Numbers from -1 to 1, the same everywhere."""
    wave = torch.sin(torch.arange(count, dtype=torch.float64) * 12.9898 + seed * 78.233) * 43758.5453
    return (wave - wave.floor()) * 2 - 1


@pytest.fixture(scope="module")
def tower() -> MobileNetV5:
    tower = MobileNetV5(2048, multiplier=1 / 16, resolution=4).eval()
    for index, (name, parameter) in enumerate(sorted(tower.named_parameters())):
        values = _scaled(name, parameter, noise(parameter.numel(), index))
        parameter.data.copy_(values.reshape(parameter.shape))
    return tower


def _scaled(name: str, parameter: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    if parameter.ndim == 4:
        return values * (6 / parameter[0].numel()) ** 0.5
    if name.endswith("gamma"):
        return 0.5 * values
    return 0.1 * values if name.endswith("bias") else 1 + 0.2 * values


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.stack([noise(3 * 64 * 64, 1000), noise(3 * 64 * 64, 2000)]).reshape(2, 3, 64, 64).float() * 0.5 + 0.5


@torch.inference_mode()
def test_it_sees_what_timms_sees(tower, pictures):
    seen = tower(pictures)
    assert seen.shape == (2, 2048, 4, 4)
    torch.testing.assert_close(seen.flatten(1)[:, ::4099], torch.tensor(SEEN), atol=5e-4, rtol=0)


@torch.inference_mode()
def test_the_numbers_tell_of_every_part(tower, pictures):
    """A control: with half of one part's weights larger they are others."""
    for part in PARTS:
        changed = copy.deepcopy(tower)
        for parameter in changed.get_submodule(part).parameters():
            parameter[: len(parameter) // 2] *= 1.5
        assert (changed(pictures).flatten(1)[:, ::4099] - torch.tensor(SEEN)).abs().max() > 1e-2, part


def test_weights_have_the_published_names_and_shapes():
    with torch.device("meta"):
        tower = MobileNetV5(2048)
    assert sum(parameter.numel() for parameter in tower.parameters()) == PARAMETERS
    lines = sorted((name, list(weight.shape)) for name, weight in tower.state_dict().items())
    assert hashlib.sha256("\n".join(f"{name} {shape}" for name, shape in lines).encode()).hexdigest() == NAMES


def test_a_stride_leaves_out_the_left_and_upper_edge_first():
    """TensorFlow's padding of an even picture: none above and to the left, one below and to the right."""
    conv = Conv(1, 1, 3, stride=2)
    conv.weight.data.zero_()
    conv.weight.data[0, 0, 0, 0] = 1
    picture = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert conv(picture).flatten().tolist() == [0, 2, 8, 10]


def test_a_picture_that_does_not_divide_into_the_places_is_refused(tower):
    with pytest.raises(ValueError, match="is not seen as 4"), torch.inference_mode():
        tower(torch.zeros(1, 3, 96, 96))


@pytest.mark.parametrize(("channels", "expected"), [(8, 8), (10, 16), (12, 16), (20, 24), (40, 40), (3, 8), (44, 48)])
def test_channels_are_multiples_of_eight(channels, expected):
    assert divisible(channels) == expected
