"""Where MicroPython is found."""

import sys
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from hil_tests.rig.interpreter import micropython


def test_the_one_beside_python_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter that was installed with us wins over one on PATH, which serves where there is none."""
    here, there = tmp_path / "venv" / "micropython", tmp_path / "bin" / "micropython"
    for path in (here, there):
        path.parent.mkdir()
        path.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(here.parent / "python"))
    monkeypatch.setenv("PATH", str(there.parent))
    assert micropython() == here
    here.unlink()
    assert micropython() == there


def test_without_one_a_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On 64-bit Arm there is no wheel: the sentence names what to build and where to put it."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="ports/unix") as caught:
        micropython()
    assert "PATH" in str(caught.value)
