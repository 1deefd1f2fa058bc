"""The one place that imports an inference runtime: ai-edge-litert, or tflite-runtime where only that is installed.

It runs a model on one thread and gives its outputs; it never reads a file and never knows what an output means.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from ai_edge_litert.interpreter import Interpreter

    RUNTIME = "ai-edge-litert"
except ImportError:
    from tflite_runtime.interpreter import Interpreter

    RUNTIME = "tflite-runtime"

Tensor = NDArray[Any]


class Network:
    """One loaded model. `content` is the .tflite file; ValueError when the runtime does not take it."""

    def __init__(self, content: bytes) -> None:
        try:
            self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        except RuntimeError as error:
            raise ValueError(f"{RUNTIME} cannot run it ({error})") from error
        entry = self._interpreter.get_input_details()[0]
        self._input = entry["index"]
        self.shape: tuple[int, ...] = tuple(int(n) for n in entry["shape"])
        self.dtype = np.dtype(entry["dtype"])
        self.outputs: Sequence[dict[str, Any]] = self._interpreter.get_output_details()

    def constant(self, shape: Sequence[int]) -> Tensor:
        """The one constant of the model that has `shape`; ValueError when there is none, or several."""
        fitting = [
            one["index"] for one in self._interpreter.get_tensor_details() if tuple(one["shape"]) == tuple(shape)
        ]
        if len(fitting) != 1:
            raise ValueError(f"it has {len(fitting)} tensors of the shape {tuple(shape)}")
        return np.array(self._interpreter.get_tensor(fitting[0]))

    def run(self, tensor: Tensor, outputs: Sequence[int]) -> list[Tensor]:
        """The named outputs (their `index` in `outputs`) for `tensor`, which has the shape and dtype of the input."""
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in outputs]
