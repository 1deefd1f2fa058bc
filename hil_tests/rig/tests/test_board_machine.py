"""The stand-in of `machine` offers nothing that the ESP32's own has not."""

import ast
import importlib.util
from pathlib import Path

import pytest

BOARD = Path(__file__).resolve().parents[1] / "board"
STAND_IN = BOARD / "machine.py"


def _stubs(module: str = "machine") -> ast.Module:
    spec = importlib.util.find_spec("micropython")  # the stubs lie side by side as top-level .pyi files
    folder = Path(ast.__file__) if spec is None or spec.origin is None else Path(spec.origin)
    for place in [folder.parent, *map(Path, __import__("sys").path)]:
        if (place / f"{module}.pyi").is_file():
            return ast.parse((place / f"{module}.pyi").read_text(encoding="utf-8"))
    raise AssertionError("micropython-esp32-stubs is not installed: run the tests with ./gewu test")


def _public(tree: ast.Module) -> dict[str, dict[str, set[str]]]:
    """Public names: classes and functions ("" holds those) with the parameters of each, over all overloads."""
    found: dict[str, dict[str, set[str]]] = {"": {}}
    for node in tree.body:
        functions = node.body if isinstance(node, ast.ClassDef) else [node]
        owner = found.setdefault(node.name, {}) if isinstance(node, ast.ClassDef) else found[""]
        for function in functions:
            if isinstance(function, ast.FunctionDef):
                parameters = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
                owner.setdefault(function.name, set()).update(parameter.arg for parameter in parameters)
    return found


REAL = _public(_stubs())
# What MicroPython's own stream protocol calls, and a name that the stubs give to no overload.
PROTOCOL = {"ioctl"}


@pytest.mark.parametrize("name", ["Pin", "UART", "WDT", "ADC", "I2C", ""])
def test_nothing_is_offered_that_the_board_refuses(name: str) -> None:
    """Every public method and every keyword of it exists in the ESP32's stubs."""
    offered = _public(ast.parse(STAND_IN.read_text(encoding="utf-8")))[name]
    for method, parameters in offered.items():
        if method in PROTOCOL or (method.startswith("_") and method != "__init__"):
            continue
        assert method in REAL[name], f"{name}.{method}"
        if method in ("__init__", "init"):
            known = REAL[name]["__init__"] | REAL[name].get("init", set())
            assert parameters <= known, f"{name}.{method}: {sorted(parameters - known)}"


def test_the_1_wire_bus_offers_nothing_more_either() -> None:
    """The stand-in of `onewire`, which the ESP32's MicroPython has built in."""
    offered = _public(ast.parse((BOARD / "onewire.py").read_text(encoding="utf-8")))["OneWire"]
    real = _public(_stubs("onewire"))["OneWire"]
    for method, parameters in offered.items():
        if not method.startswith("_") or method == "__init__":
            assert parameters <= real[method], method
