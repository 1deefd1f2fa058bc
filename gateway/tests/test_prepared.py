"""Two threads that decode a Struct for the first time at once must not end the process."""

import ast
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gateway import prepared

ROOT = Path(__file__).resolve().parents[2]
# Three threads and a Struct that nobody has decoded yet, again and again.
RACE = """
import sys, threading, msgspec
from gateway.prepared import prepared
sys.setswitchinterval(1e-6)
for turn in range(300):
    parts = [msgspec.defstruct(f"P{n}", [(f"f{k}", list[dict[str, int | None]] | None, None) for k in range(12)])
             for n in range(4)]
    whole = msgspec.defstruct("Whole", [(f"p{n}", part | None, None) for n, part in enumerate(parts)])
    if sys.argv[1] == "prepared":
        prepared(whole)
    start = threading.Barrier(3)
    def work():
        start.wait()
        msgspec.json.decode(b'{"p0":{"f0":[{"x":1}]},"p3":{"f3":null,"f11":[{}]}}', type=whole)
    threads = [threading.Thread(target=work) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""


@pytest.mark.integration
@pytest.mark.parametrize(("how", "ends"), [("as it is", {-11}), ("prepared", {0})])
def test_threads_decode_at_once(how: str, ends: set[int]) -> None:
    """What is prepared is safe. Once what is not is safe as well, msgspec has mended it and `prepared` may go."""
    codes = {
        subprocess.run([sys.executable, "-c", RACE, how], check=False, cwd=ROOT, timeout=60).returncode
        for _ in range(3)
    }
    assert codes & ends
    assert codes <= ends | {0}


def test_every_struct_that_a_test_decodes_is_prepared() -> None:
    """conftest.py looks at each call of msgspec that names a type, whatever words it is named by."""

    class Fresh(msgspec.Struct):
        number: int

    Fresh.__module__ = "gateway.somewhere"
    for call in (
        lambda: msgspec.json.decode(b'{"number":1}', type=list[Fresh]),
        lambda: msgspec.msgpack.decode(b"\x81\xa6number\x01", type=Fresh),
        lambda: msgspec.convert({"number": 1}, Fresh | None),
    ):
        with pytest.raises(AssertionError, match="@prepared"):
            call()
    prepared.prepared(Fresh)
    assert msgspec.convert({"number": 1}, Fresh) == Fresh(1)
    prepared.KNOWN.discard(Fresh)


@pytest.mark.parametrize("room", ["gateway", "provisioning", "hil_tests"])
def test_nothing_hides_from_that_look(room: str) -> None:
    """Nobody takes functions out of msgspec, and every Decoder is made while its module is imported."""
    hidden = []
    for path in sorted((ROOT / room).rglob("*.py")):
        text = path.read_text("utf-8")
        if "msgspec" not in text or "tests" in path.parts or path.name == "prepared.py":
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("msgspec"):
                hidden.append(f"{path}:{node.lineno}")
            if isinstance(node, ast.FunctionDef):
                calls = [ast.unparse(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)]
                hidden += [f"{path}:{node.lineno}" for call in calls if call.endswith(".Decoder")]
    assert hidden == []
