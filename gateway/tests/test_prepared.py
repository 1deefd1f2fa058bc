"""Two threads that decode a Struct for the first time at once must not end the process."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.prepared import KNOWN

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "provisioning", "hil_tests")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "tests" not in path.parts[-2:-1])


def targets(tree: ast.Module) -> list[str]:
    """Names of the types that `msgspec` decodes or converts to when it is called."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not ast.unparse(node.func).startswith("msgspec."):
            continue
        if ast.unparse(node.func) == "msgspec.convert" and len(node.args) > 1:
            found.append(node.args[1])
        elif ast.unparse(node.func).endswith(".decode"):
            found += [word.value for word in node.keywords if word.arg == "type"]
    return [name.id for part in found for name in ast.walk(part) if isinstance(name, ast.Name)]


@pytest.mark.parametrize("file", [file for file in FILES if "msgspec." in file.read_text("utf-8")], ids=str)
def test_what_is_decoded_is_prepared(file: Path) -> None:
    """Each class that stands in such a call carries `@prepared`."""
    names = targets(ast.parse(file.read_text("utf-8")))
    if names:
        module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
        kinds: list[Any] = [getattr(module, name, None) for name in names]
        own = {kind for kind in kinds if isinstance(kind, type) and kind.__module__.split(".")[0] in ROOMS}
        assert own <= KNOWN, f"decorate with @prepared: {own - KNOWN}"


@pytest.mark.integration
def test_threads_decode_at_once() -> None:
    """A gateway's buses recall their notes in threads that start together."""
    script = """
import sys, threading, msgspec
sys.setswitchinterval(1e-6)
from gateway.bus.device import Remembered
from gateway.records import Event
from gateway.uplink.native import WireEvent
for kind in (Remembered, Event, WireEvent):
    start = threading.Barrier(4)
    def work(kind=kind):
        start.wait()
        try:
            msgspec.json.decode(b"{}", type=kind)
        except msgspec.ValidationError:
            pass
    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT).returncode == 0
