"""What an update is made of: the signed file, the order of its stages under cuts, the event of one that was left."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.camera.trust import public_half
from gateway.errors import ConfigurationError, GewuError
from gateway.records import Event, OpenEvent
from gateway.update_events import UpdateEvents
from provisioning import slots
from provisioning.journal import Journal
from provisioning.tests.site_sample import FakeClock
from provisioning.update.stages import Outcome, newest, run
from provisioning.update.update_file import Manifest, UpdateRefused, pack, read, unpack

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MAKER = public_half(KEY)


def packed(folder: Path, key: Ed25519PrivateKey = KEY) -> Path:
    """An update with two files."""
    source = folder / "source"
    source.mkdir()
    (source / "a.whl").write_bytes(b"a" * 5000)
    (source / "hazard.json").write_bytes(b"{}")
    files = {"gateway/a.whl": source / "a.whl", "models/hazard.json": source / "hazard.json"}
    pack(folder / "u.tar", Manifest(7, "2026-11-22T00:00:00.000Z", [], None, True), files, key)
    return folder / "u.tar"


def test_an_update_comes_out_as_it_went_in(tmp_path: Path) -> None:
    """Signed by a trusted maker, every file in its place; the folder appears whole."""
    file = packed(tmp_path)
    manifest = read(file, ["00" * 32, MAKER])
    assert (manifest.serial, [one.name for one in manifest.of("models")]) == (7, ["models/hazard.json"])
    unpack(file, manifest, tmp_path / "into")
    assert (tmp_path / "into/gateway/a.whl").read_bytes() == b"a" * 5000
    (tmp_path / "into.new").mkdir()  # a cut left this
    unpack(file, manifest, tmp_path / "into")
    assert not (tmp_path / "into.new").exists()


def test_somebody_elses_is_refused(tmp_path: Path) -> None:
    """A signature of another key, and one over an altered manifest, name who should be trusted."""
    file = packed(tmp_path, Ed25519PrivateKey.generate())
    with pytest.raises(UpdateRefused, match=r"nobody whom this gateway trusts; nothing was touched.*gateway\.makers"):
        read(file, [MAKER])


@pytest.mark.parametrize("at", range(0, 10_240, 500))
def test_one_altered_byte_is_refused(tmp_path: Path, at: int) -> None:
    """Wherever it is: in the manifest, its signature, a header or a file. Padding carries nothing."""
    file = packed(tmp_path)
    data = bytearray(file.read_bytes())
    assert at < len(data)
    data[at] ^= 1
    file.write_bytes(data)
    try:
        unpack(file, read(file, [MAKER]), tmp_path / "into")
    except UpdateRefused:
        assert not (tmp_path / "into").exists()
    else:
        assert (tmp_path / "into/gateway/a.whl").read_bytes() == b"a" * 5000
        assert (tmp_path / "into/models/hazard.json").read_bytes() == b"{}"


def test_a_file_too_many_and_half_a_file(tmp_path: Path) -> None:
    """What the maker did not list, and an update that was cut off on its way, are refused."""
    file = packed(tmp_path)
    manifest = read(file, [MAKER])
    whole = file.read_bytes()
    with tarfile.open(file, "a") as archive:
        more = tarfile.TarInfo("gateway/evil.whl")
        archive.addfile(more, io.BytesIO(b""))
    with pytest.raises(UpdateRefused, match="holds more"):
        unpack(file, manifest, tmp_path / "into")
    for length in (0, 100, 3000, 7000):
        file.write_bytes(whole[:length])
        with pytest.raises(UpdateRefused):
            unpack(file, read(file, [MAKER]), tmp_path / "into")
    with pytest.raises(ConfigurationError, match="no update"):
        read(tmp_path / "gone.tar", [MAKER])


class Cut(BaseException):
    """The power goes."""


class Boards:
    """A stage whose state survives; `cut` is called at the begin and the end of every step."""

    name = "boards"

    def __init__(self, cut: Callable[[], None] = lambda: None, sick: str | None = None, fails: bool = False) -> None:
        self.cut, self.sick, self.fails = cut, sick, fails
        self.new, self.applied = False, 0

    def plan(self) -> list[str]:
        self.cut()
        return [] if self.new else ["32 boards get 1.1"]

    def apply(self) -> None:
        self.cut()
        if self.fails:
            raise GewuError("the bus is away")
        self.new, self.applied = True, self.applied + 1
        self.cut()

    def check(self) -> str | None:
        self.cut()
        return self.sick

    def undo(self) -> None:
        self.new = False


def carried_out(folder: Path, stage: Boards, serial: int = 7) -> list[Outcome]:
    with Journal(folder / "updates.jsonl", FakeClock()) as journal:
        return run([stage], journal, serial, lambda _: None)


def test_a_stage_goes_its_way_once(tmp_path: Path) -> None:
    """Done; again it is no change; the journal knows the newest serial number."""
    stage = Boards()
    assert carried_out(tmp_path, stage) == [Outcome("boards", "done")]
    assert carried_out(tmp_path, stage) == [Outcome("boards", "no change")]
    with Journal(tmp_path / "updates.jsonl", FakeClock()) as journal:
        assert newest(journal) == 7
        assert [line["state"] for line in journal.lines] == ["begun", "applied", "done"]


@pytest.mark.parametrize("sick", [None, "two boards do not answer"])
@pytest.mark.parametrize("cut_at", range(1, 5))
def test_a_cut_anywhere_is_resumed(tmp_path: Path, cut_at: int, sick: str | None) -> None:
    """The same call goes on to the same end, and nothing is applied that was applied."""
    left = cut_at

    def cut() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Cut

    stage = Boards(cut, sick)
    with pytest.raises(Cut):
        carried_out(tmp_path, stage)
    (outcome,) = carried_out(tmp_path, stage)
    assert (outcome.state, outcome.why) == (("done", None) if sick is None else ("returned", sick))
    assert (stage.new, stage.applied) == (sick is None, 1)


def test_what_fails_is_undone_and_ends_the_update(tmp_path: Path) -> None:
    """The stages after it are not begun; a later call tries again."""
    first, second = Boards(fails=True), Boards()
    with Journal(tmp_path / "updates.jsonl", FakeClock()) as journal:
        assert run([first, second], journal, 7, lambda _: None) == [Outcome("boards", "failed", "the bus is away")]
    assert not second.applied
    first.fails = False
    assert carried_out(tmp_path, first) == [Outcome("boards", "done")]


class Memory:
    """An outbox that keeps open events."""

    repaired: str | None = None

    def __init__(self) -> None:
        self.open: dict[str, Event] = {}
        self.records = 0

    def open_events(self) -> list[OpenEvent]:
        return [OpenEvent(event=event, key=key) for key, event in self.open.items()]

    def accept_event(self, event: Event, key: str) -> None:
        self.records += 1
        if event.cleared is None:
            self.open[key] = event
        else:
            del self.open[key]


def test_an_update_that_was_left_is_an_event_once(tmp_path: Path) -> None:
    """Raised at the next start with its reason, not again at the one after; cleared once an update stays."""
    store = Memory()

    def start() -> list[Event]:
        UpdateEvents(store, FakeClock(), tmp_path / slots.RECORD).look()
        return list(store.open.values())

    assert start() == []
    slots.note(tmp_path, what="switched", slot="b", version="1.1")
    assert start() == []
    slots.note(tmp_path, what="returned", slot="b", version="1.1", to="a", why="it did not stay up")
    (event,) = start()
    assert (event.kind, event.grade) == ("gateway.update", 3)
    assert event.values == {"version": "1.1", "why": "it did not stay up"}
    with (tmp_path / slots.RECORD).open("ab") as record:
        record.write(b'{"what": "ret')  # torn by a cut
    assert start() == [event]
    slots.note(tmp_path, what="kept", slot="b", version="1.2")
    assert start() == []
    assert store.records == 2
