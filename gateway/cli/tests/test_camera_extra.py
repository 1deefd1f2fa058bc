"""Every camera command says what to install where the extra is missing, and none of them falls over."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

HIDES = """
import importlib.util, sys
HIDDEN = {"numpy", "PIL", "av", "ai_edge_litert", "tflite_runtime"}
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name.split(".")[0] in HIDDEN else found(name, package)
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in HIDDEN:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hide())
"""
CONFIG = (
    '[gateway]\nid = "a"\nsite = "s"\ndata_dir = "data"\n[[camera]]\nid = "g"\nsource = "dir:x"\n'
    'purpose = "p"\nowner = "o"\nsign = "s"\n[[patrol]]\nname = "p"\nstops = ["g"]\n'
)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("check", 0),
        ("camera classify x.jpg", 2),
        ("camera try g", 2),
        ("camera bench", 2),
        ("camera confirm x --label normal --who Li", 2),
        ("camera adapt", 2),
        ("camera evidence list", 2),
        ("camera evidence take x --to y --who Li --why test", 2),
        ("patrol run p", 2),
        ("bench camera", 2),
    ],
)
def test_what_to_install_is_said(tmp_path: Path, words: str, status: int) -> None:
    """One sentence with the line to type; a configuration with cameras is right all the same."""
    (tmp_path / "sitecustomize.py").write_text(HIDES)
    (tmp_path / "gewu.toml").write_text(CONFIG)
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "pip install 'gewu-edge[camera]'" in done.stderr
    assert "Traceback" not in done.stderr
