"""The border of the hardware: one module knows `machine`, and its wiring is the one provisioning writes."""

import ast

import pytest

from gateway import shipped
from provisioning.settings import PINS

SOURCES = sorted(shipped.firmware().glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_only_board_imports_machine(source) -> None:
    """Nothing else touches pins, UARTs or the watchdog; esp32 and network are for nobody yet."""
    imported = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    assert ("machine" in imported) == (source.name == "board.py")
    assert not imported & {"esp32", "network", "esp"}


def test_provisioning_knows_the_same_pins() -> None:
    """PINS of firmware/board.py and of provisioning/settings.py are equal."""
    tree = ast.parse((shipped.firmware() / "board.py").read_text(encoding="utf-8"))
    values = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PINS"
    ]
    words = values[0].split()
    assert dict(zip(words[::2], map(int, words[1::2]), strict=True)) == PINS


def test_what_is_let_go_after_the_start_is_called_by_nothing_that_runs_later() -> None:
    """_ONCE of firmware/assembly.py: only what is let go itself, the start, and what is loaded anew may call those."""
    trees = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in shipped.firmware().glob("*.py")}
    once = next(
        ast.literal_eval(node.value)
        for node in trees["assembly"].body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_ONCE"
    )
    loaded_anew = {"assembly", "start", "settings", "protection_settings", "orders", "update"}
    later = []
    for module in trees.keys() - loaded_anew:
        for function in ast.walk(trees[module]):
            if isinstance(function, ast.FunctionDef) and function.name not in once:
                called = {
                    getattr(node.func, "attr", getattr(node.func, "id", ""))
                    for node in ast.walk(function)
                    if isinstance(node, ast.Call)
                }
                later += [f"{module}.{function.name}: {name}" for name in sorted(called & set(once))]
    assert later == []
