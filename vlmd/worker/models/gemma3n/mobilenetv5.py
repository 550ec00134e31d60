"""MobileNetV5, the vision tower of Gemma-3n, with its weights by their published names.

transformers takes it from timm, and timm imports torchvision, which no other family needs; so it is written out here:
an encoder of convolutions with attention in its last two stages, whose features are brought to one resolution. Inputs
and outputs are (pictures, channels, height, width).

Sources: Qin et al. 2024, "MobileNetV4", for the blocks; timm's `mobilenetv5_300m_enc` for their order, names and
paddings, with which this one is compared in tests/models/test_mobilenetv5.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPSILON = 1e-6
_STEM = 64


class Conv(nn.Conv2d):  # type: ignore[misc]
    """Padded as TensorFlow does: where it strides, with one more at the right and at the bottom."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False):
        padding = (kernel - 1) // 2 if stride == 1 else 0
        super().__init__(inside, outside, kernel, stride, padding=padding, groups=groups, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        if self.stride[0] > 1:
            across, down = (self._missing(length) for length in (input.shape[-1], input.shape[-2]))
            input = F.pad(input, [across // 2, across - across // 2, down // 2, down - down // 2])
        return super().forward(input)

    def _missing(self, length: int) -> int:
        stride, kernel = self.stride[0], self.kernel_size[0]
        return int(max(0, (-(-length // stride) - 1) * stride + kernel - length))


class Norm(nn.Module):  # type: ignore[misc]
    """Root mean square over the channels of each place, and GELU where wanted."""

    def __init__(self, channels: int, active: bool = False):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.rsqrt(x.pow(2).mean(dim=1, keepdim=True) + _EPSILON)
        x = x * self.weight.reshape(1, -1, 1, 1)
        return F.gelu(x, approximate="tanh") if self.active else x


class ConvNorm(nn.Module):  # type: ignore[misc]
    def __init__(self, conv: Conv, active: bool = False):
        super().__init__()
        self.conv = conv
        self.bn = Norm(conv.out_channels, active)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.bn(self.conv(x))
        return normed


class Scale(nn.Module):  # type: ignore[misc]
    """A factor for each channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma.reshape(1, -1, 1, 1)


class Edge(nn.Module):  # type: ignore[misc]
    """Widened by a convolution, narrowed by another."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, widening: int):
        super().__init__()
        wide = divisible(inside * widening)
        self.conv_exp = Conv(inside, wide, kernel, stride)
        self.bn1 = Norm(wide, active=True)
        self.conv_pwl = Conv(wide, outside, 1)
        self.bn2 = Norm(outside)
        self.skips = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn2(self.conv_pwl(self.bn1(self.conv_exp(x))))
        return x + out if self.skips else out


class Inverted(nn.Module):  # type: ignore[misc]
    """Widened and narrowed place by place, with a convolution of each channel by itself before or between, or none."""

    def __init__(
        self,
        inside: int,
        outside: int,
        before: int = 0,
        between: int = 0,
        stride: int = 1,
        widening: int = 2,
        residual: bool = True,
    ):
        super().__init__()
        wide = divisible(inside * widening)
        own = 1 if between else stride
        self.dw_start = ConvNorm(Conv(inside, inside, before, own, groups=inside)) if before else nn.Identity()
        self.pw_exp = ConvNorm(Conv(inside, wide, 1), active=True)
        self.dw_mid = ConvNorm(Conv(wide, wide, between, stride, wide), active=True) if between else nn.Identity()
        self.pw_proj = ConvNorm(Conv(wide, outside, 1))
        self.layer_scale = Scale(outside) if residual else nn.Identity()
        self.skips = residual and stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer_scale(self.pw_proj(self.dw_mid(self.pw_exp(self.dw_start(x)))))
        return x + out if self.skips else out


class Attention(nn.Module):  # type: ignore[misc]
    """Many queries, one key and one value for each place, or for every second."""

    def __init__(self, channels: int, heads: int, width: int, stride: int):
        super().__init__()
        self.heads, self.width = heads, width
        self.query = nn.Sequential()
        self.query.add_module("proj", Conv(channels, heads * width, 1))
        self.key = self._sparser(channels, stride)
        self.value = self._sparser(channels, stride)
        self.output = nn.Sequential()
        self.output.add_module("proj", Conv(heads * width, channels, 1))

    def _sparser(self, channels: int, stride: int) -> nn.Sequential:
        layers = nn.Sequential()
        if stride > 1:
            layers.add_module("down_conv", Conv(channels, channels, 3, stride, groups=channels))
            layers.add_module("norm", Norm(channels))
        layers.add_module("proj", Conv(channels, self.width, 1))
        return layers

    def forward(self, x: Tensor) -> Tensor:
        pictures, _, height, width = x.shape
        queries = self.query(x).reshape(pictures, self.heads, self.width, -1).transpose(2, 3)
        keys, values = (part(x).flatten(2).transpose(1, 2).unsqueeze(1) for part in (self.key, self.value))
        seen = F.scaled_dot_product_attention(queries.contiguous(), keys.contiguous(), values.contiguous())
        out: Tensor = self.output(seen.transpose(2, 3).reshape(pictures, -1, height, width))
        return out


class MobileAttention(nn.Module):  # type: ignore[misc]
    def __init__(self, channels: int, heads: int, width: int, stride: int):
        super().__init__()
        self.norm = Norm(channels)
        self.attn = Attention(channels, heads, width, stride)
        self.layer_scale = Scale(channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer_scale(self.attn(self.norm(x)))
        return x + out


class Fusion(nn.Module):  # type: ignore[misc]
    """The last two stages' features, at the finer one's resolution, then at that of the output."""

    def __init__(self, inside: int, outside: int, resolution: int):
        super().__init__()
        self.ffn = Inverted(inside, outside, residual=False)
        self.norm = Norm(outside)
        self.resolution = resolution

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        height, width = fine.shape[-2:]
        x: Tensor = self.ffn(torch.cat([fine, F.interpolate(coarse, size=(height, width), mode="nearest")], dim=1))
        if height % self.resolution or width % self.resolution:
            raise ValueError(f"a picture of {height} by {width} places is not seen as {self.resolution} by as many")
        x = F.avg_pool2d(x, (height // self.resolution, width // self.resolution))
        normed: Tensor = self.norm(x)
        return normed


class MobileNetV5(nn.Module):  # type: ignore[misc]
    """`mobilenetv5_300m_enc`; with `multiplier` its stages have fewer channels, all else being the same."""

    def __init__(self, features: int, multiplier: float = 1.0, resolution: int = 16):
        super().__init__()
        widths = [divisible(channels * multiplier) for channels in (128, 256, 640, 1280)]
        self.conv_stem = ConvNorm(Conv(3, _STEM, 3, stride=2, bias=True), active=True)
        self.blocks = nn.Sequential(*(nn.Sequential(*stage) for stage in _stages(widths)))
        self.msfa = Fusion(widths[2] + widths[3], features, resolution)

    def forward(self, x: Tensor) -> Tensor:
        """(pictures, 3, height, width), numbers from 0 to 1 → (pictures, features, resolution, resolution)."""
        first, second, third, fourth = self.blocks
        fine = third(second(first(self.conv_stem(x))))
        fused: Tensor = self.msfa(fine, fourth(fine))
        return fused


def _stages(widths: list[int]) -> Iterator[Iterator[nn.Module]]:
    a, b, c, d = widths
    yield (Edge(inside, a, 3, stride, 4) for inside, stride in ((_STEM, 2), (a, 1), (a, 1)))
    yield _second(a, b)
    yield _third(b, c)
    yield _fourth(c, d)


def _second(inside: int, channels: int) -> Iterator[nn.Module]:
    yield Inverted(inside, channels, 3, 5, stride=2, widening=6)
    for before in (5, 3, 5, 3):
        yield Inverted(channels, channels, before, widening=4)


def _third(inside: int, channels: int) -> Iterator[nn.Module]:
    yield Inverted(inside, channels, 5, 5, stride=2, widening=6)
    for _ in range(7):
        yield Inverted(channels, channels, 5, widening=4)
    yield Inverted(channels, channels, widening=1)
    yield from _attending(14, channels, heads=12, width=64, stride=2)


def _fourth(inside: int, channels: int) -> Iterator[nn.Module]:
    yield Inverted(inside, channels, 5, 5, stride=2, widening=6)
    yield from _attending(19, channels, heads=16, width=96, stride=1)


def _attending(times: int, channels: int, heads: int, width: int, stride: int) -> Iterator[nn.Module]:
    for _ in range(times):
        yield MobileAttention(channels, heads, width, stride)
        yield Inverted(channels, channels, widening=2)


def divisible(channels: float) -> int:
    """The multiple of 8 nearest to it, or the next where that would be less than nine tenths."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near
