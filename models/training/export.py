"""From backbone and head to the shipped int8 TFLite file, and the ways to run one.

Convolutions are int8 in and out, one scale a channel; the mean over positions and the linear head stay
float32, which costs 25 kB and keeps embeddings fine enough for a head that adapts on the gateway.
Input: int8 (1, S, S, 3), RGB, pixel - 128. Outputs: float32 embedding (1, 1280) and logits (1, classes).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import litert_torch
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import qtyping, quantizer
from numpy.typing import NDArray

from training.backbone import EMBEDDING, Backbone
from training.data import LABELS
from training.head import Head

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Classifier(torch.nn.Module):
    """(1, S, S, 3), (value - 127) / 128, to embedding and logits."""

    def __init__(self, net: Backbone, head: Head) -> None:
        super().__init__()
        self.net = net
        self.linear = torch.nn.Linear(EMBEDDING, len(LABELS))
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(head.weight))
            self.linear.bias.copy_(torch.from_numpy(head.bias))

    def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embedding first, so that the adapted head of a site can start from it."""
        embedding = self.net(picture.permute(0, 3, 1, 2))
        return embedding, self.linear(embedding)


def float_model(net: Backbone, head: Head, side: int) -> bytes:
    """The float32 TFLite model."""
    plain = Classifier(net.to(memory_format=torch.contiguous_format), head).eval()
    example = (torch.zeros(1, side, side, 3),)
    return bytes(litert_torch.convert(plain, example).model_content())


def int8_model(float_tflite: bytes, examples: Iterable[Bytes]) -> bytes:
    """Quantised with the value ranges seen on `examples`, pictures of (S, S, 3)."""
    work = quantizer.Quantizer(bytearray(float_tflite))
    operation = qtyping.TFLOperationName
    for whole in (operation.INPUT, operation.CONV_2D, operation.DEPTHWISE_CONV_2D, operation.ADD):
        work.add_static_config(".*", whole, activation_num_bits=8, weight_num_bits=8)
    interpreter = Interpreter(model_content=float_tflite)
    signature, names = next(iter(interpreter.get_signature_list().items()))
    name = names["inputs"][0]
    ranges = work.calibrate({signature: [{name: x} for x in _scaled(examples)]}, num_threads=1)
    tensor = interpreter.get_input_details()[0]["name"]
    # the whole range of a byte whatever the examples held, so that the int8 input is exactly pixel - 128
    ranges[tensor] |= {"min": np.full((1, 1, 1, 1), -127 / 128), "max": np.full((1, 1, 1, 1), 1.0)}
    return bytes(work.quantize(ranges, enable_progress_report=False).quantized_model)


def _scaled(examples: Iterable[Bytes]) -> Iterator[Floats]:
    for picture in examples:
        yield (picture[None].astype(np.float32) - 127) / 128


class Runner:
    """One TFLite model, float or int8, on one thread."""

    def __init__(self, model: bytes | Path) -> None:
        content = model.read_bytes() if isinstance(model, Path) else model
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        outputs = self._interpreter.get_output_details()
        self._embedding = next(o["index"] for o in outputs if o["shape"][-1] == EMBEDDING)
        self._logits = next(o["index"] for o in outputs if o["shape"][-1] == len(LABELS))

    def __call__(self, picture: Bytes) -> tuple[Floats, Floats]:
        """(S, S, 3) bytes to embedding (1280,) and logits (classes,)."""
        if self._input["dtype"] == np.int8:
            tensor = (picture.astype(np.int16) - 128).astype(np.int8)
        else:
            tensor = (picture.astype(np.float32) - 127) / 128
        self._interpreter.set_tensor(self._input["index"], tensor[None])
        self._interpreter.invoke()
        return (
            self._interpreter.get_tensor(self._embedding)[0],
            self._interpreter.get_tensor(self._logits)[0],
        )

    @property
    def input_quantisation(self) -> tuple[float, int]:
        """Scale and zero point of the input; (0, 0) for a float model."""
        scale, zero = self._input["quantization"]
        return float(scale), int(zero)
