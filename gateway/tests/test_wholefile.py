"""A file that the gateway writes is old or new after a power cut, never half and never empty (fault A6)."""

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.wholefile import write_whole

OLD, NEW = b"the old content", b"the new content, which is longer"


class PowerCut(BaseException):
    """The machine stops here."""


@pytest.mark.parametrize("step", range(8))
def test_a_power_cut_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Whatever the system was last asked to do, the file is the old one or the new one, whole."""
    file = tmp_path / "settings.json"
    file.write_bytes(OLD)
    done: list[str] = []

    def stopping(name: str, real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if len(done) == step:
                raise PowerCut
            done.append(name)
            return real(*arguments, **options)

        return call

    for name in ("open", "fdopen", "fsync", "replace", "close"):
        owner = Path if name == "replace" else os
        monkeypatch.setattr(owner, name, stopping(name, getattr(owner, name)))
    try:
        write_whole(file, NEW)
    except PowerCut:
        pass
    monkeypatch.undo()
    assert file.read_bytes() == (NEW if "replace" in done else OLD)
    if "replace" in done:  # what takes the old one's place was on the disk before
        assert done.index("fsync") < done.index("replace")
    if step == 7:
        assert done == ["open", "fdopen", "fsync", "replace", "open", "fsync", "close"]


def test_nothing_but_the_file_stays(tmp_path: Path) -> None:
    """The new content with the mode asked for, and no half-written neighbour, also after one was left behind."""
    (tmp_path / "f.new").write_bytes(b"left by a power cut, and much longer than what comes now")
    write_whole(tmp_path / "f", b"x", mode=0o600)
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"x"
