"""The boards' part of a site's update: what is planned, what a failure leaves, and that the same update goes on."""

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.clock import Clock
from gateway.errors import ConfigurationError
from gateway.tests.fake_clock import FakeClock
from provisioning.journal import Journal
from provisioning.site_update import Terms
from provisioning.tests.test_site_update import NEW, Played, row
from provisioning.update.boards_stage import BUNDLE, Boards, BoardsStage
from provisioning.update.stages import Outcome, run
from provisioning.update.update_file import Manifest
from provisioning.update.updating import Site, update


def bundle(folder: Path) -> Path:
    """The unpacked part: a bundle's head is all that is read of it here."""
    manifest = json.dumps({"version": NEW}).encode()
    (folder / BUNDLE).write_bytes(struct.pack(">4sHH", b"GWB1", len(manifest), 0) + manifest)
    return folder / BUNDLE


class Night:
    """Boards at hand only inside a context, as their lines are."""

    def __init__(self, folder: Path, journal: Journal, boards: list[Played]) -> None:
        self.boards, self.waited, self.opened = boards, 0, 0
        clock: Clock = FakeClock()
        self.stage = BoardsStage(bundle(folder), self.at_hand, self.terms, self.wait, journal, clock, lambda *_: None)

    @contextmanager
    def at_hand(self) -> Iterator[Boards]:
        self.opened += 1
        yield [(row(f"b{at}"), board) for at, board in enumerate(self.boards, 1)]
        self.opened -= 1

    def terms(self, data: bytes) -> Terms:
        return Terms(data, NEW, "00", 1.0, 0.0, lambda: True)

    def wait(self) -> None:
        assert self.opened == 0  # no line is held while it waits for the night
        self.waited += 1


def test_boards_that_lack_the_version_are_updated_and_then_nothing_is_left(tmp_path: Path) -> None:
    """One that is absent while it is planned counts as lacking it; the same update again changes nothing."""
    with Journal(tmp_path / "j", FakeClock()) as journal:
        night = Night(tmp_path, journal, [Played(), Played()])
        said: list[str] = []
        assert run([night.stage], journal, 7, said.append) == [Outcome("boards", "done")]
        assert said == [f"boards: {NEW} for b1, b2"]
        assert run([night.stage], journal, 7, said.append) == [Outcome("boards", "no change")]
        assert (night.waited, night.opened) == (1, 0)


def test_a_failure_names_the_board_and_the_same_update_goes_on(tmp_path: Path) -> None:
    """The boards behind it are not begun; once it is well, only what is left is done."""
    with Journal(tmp_path / "j", FakeClock()) as journal:
        boards = [Played(), Played(fails="install"), Played()]
        night = Night(tmp_path, journal, boards)
        (outcome,) = run([night.stage], journal, 7, lambda _: None)
        assert outcome.state == "failed"
        assert outcome.why == f"1 of 3 boards have {NEW}; b2: no answer to install"
        assert boards[2].calls == []
        boards[1].fails = ""
        assert run([night.stage], journal, 7, lambda _: None) == [Outcome("boards", "done")]
        assert boards[0].calls.count("begin") == 1


def test_firmware_for_boards_that_nobody_has_is_refused_before_anything(tmp_path: Path) -> None:
    """A gateway without keys of boards says what to do, and nothing was staged."""
    manifest = Manifest(7, "2026-11-22T00:00:00.000Z", [], None, False, True)
    with Journal(tmp_path / "j", FakeClock()) as journal:
        site = Site(tmp_path, None, None, [], [], FakeClock())  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match=r"commands\.device_keys in gewu\.toml, or give --no-boards"):
            update(tmp_path / "u.tar", manifest, site, journal, lambda _: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["j"]
