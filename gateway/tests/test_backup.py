"""The data as a whole: taken while the gateway works, verified, brought back elsewhere with the same content (B9)."""

import hashlib
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from gateway.agent import Agent
from gateway.backup.making import Made
from gateway.backup.places import Access, place
from gateway.backup.schedule import MEMORY, Schedule
from gateway.cli.main import app
from gateway.clock import SystemClock
from gateway.commands.book import Book
from gateway.config import load
from gateway.errors import ConfigurationError, GewuError, TryAgain
from gateway.outbox import Outbox
from gateway.outbox.at_rest import export_at_rest
from gateway.records import Gap, Reading
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route, event, reading

pytestmark = pytest.mark.integration
ROUTE = Route("uplink1", max_delay=0.0)


def configured(folder: Path, more: str = "") -> Path:
    """A gateway with a certificate, its key, a password and a profile of its own, all beside `gewu.toml`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("ca.pem", "client.pem"):
        (folder / name).write_text(f"-----BEGIN CERTIFICATE-----\n{name}\n")
    (folder / "client.key").write_text("-----BEGIN PRIVATE KEY-----\nsecret\n")
    (folder / "password").write_text("secret")
    file = folder / "gewu.toml"
    file.write_text(
        '[gateway]\nid = "b1"\nsite = "s"\ndata_dir = "data"\n[[uplink]]\nurl = "mqtts://127.0.0.1:9"\n'
        'ca = "ca.pem"\ncert = "client.pem"\nkey = "client.key"\nusername = "u"\npassword_file = "password"\n' + more
    )
    return file


def filled(folder: Path, delivered: int = 2) -> list[bytes]:
    """An outbox of 700 readings and an event, whose first messages are delivered; its records as JSON lines."""
    outbox = Outbox(folder, FakeClock(), [ROUTE])
    for number in range(700):
        outbox.put_reading(reading(number))
    outbox.accept_event(event("e1"), "k")
    messages = outbox.next_messages(ROUTE.name, 9, 9)
    outbox.mark_delivered(ROUTE.name, [message.seq for message in messages[:delivered]])
    outbox.close()
    return kept(folder)


def kept(folder: Path) -> list[bytes]:
    return list(export_at_rest(folder) or ())


def gewu(*arguments: str) -> Any:
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A backup without secrets of `filled`."""
    config = configured(tmp_path / "old")
    filled(tmp_path / "old" / "data")
    (tmp_path / "usb").mkdir()
    return Path(gewu("backup", "--config", str(config), "--to", str(tmp_path / "usb"))["file"])


def test_restored_elsewhere_with_the_same_content(tmp_path: Path, made: Path) -> None:
    """B9: the records' hash is the same; in the new epoch nothing is missing and nothing delivered comes."""
    before = kept(tmp_path / "old" / "data")
    done = gewu("restore", str(made), "--into", str(tmp_path / "new"))
    after = kept(tmp_path / "new" / "data")
    assert len(after) == 701
    assert hashlib.sha256(b"".join(after)).digest() == hashlib.sha256(b"".join(before)).digest()
    assert any("client.key" in step for step in done["next"])
    assert any("gewu run" in step for step in done["next"])
    outbox = Outbox(tmp_path / "new" / "data", FakeClock(), [ROUTE])
    assert outbox.epoch == done["epoch"]
    # Counters of commands went back to the backup's: nothing that was issued before may move anything.
    assert Book(outbox).forgetful_until() > 0
    messages = outbox.next_messages(ROUTE.name, 99, 99)
    outbox.close()
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    gaps = [r for m in messages for r in m.records if isinstance(r, Gap)]
    readings = {m.first + i for m in messages for i, r in enumerate(m.records) if isinstance(r, Reading)}
    announced = {n for gap in gaps if gap.stream == "readings" for n in range(gap.first, gap.last + 1)}
    assert readings
    assert not readings & announced
    assert readings | announced == set(range(1, 701))


def test_secrets_stay_unless_they_are_asked_for(tmp_path: Path, made: Path) -> None:
    """Private key and password are named, not taken; with --secrets they are inside, and the command says so."""
    with tarfile.open(made) as tar:
        names = tar.getnames()
    assert names[0] == "manifest.json"
    assert {"config/gewu.toml", "config/ca.pem", "config/client.pem", "data/outbox.db"} <= set(names)
    assert not {"config/client.key", "config/password"} & set(names)
    config = str(tmp_path / "old" / "gewu.toml")
    said = gewu("backup", "--config", config, "--to", str(tmp_path / "usb"), "--secrets")
    assert said["secrets"] is True
    with tarfile.open(said["file"]) as tar:
        assert {"config/client.key", "config/password"} <= set(tar.getnames())
    assert Path(said["file"]).stat().st_mode & 0o077 == 0


def test_a_restore_overwrites_nothing(tmp_path: Path, made: Path) -> None:
    """Neither a configuration nor a store that is there, in use or not; nothing is changed then."""
    with pytest.raises(GewuError, match=r"gewu\.toml is there already"):
        CliRunner().invoke(app, ["restore", str(made), "--into", str(tmp_path / "old")], catch_exceptions=False)
    other = tmp_path / "other"
    with pytest.raises(GewuError, match=r"outbox\.db is there already"):
        CliRunner().invoke(
            app,
            ["restore", str(made), "--into", str(other), "--data-dir", str(tmp_path / "old" / "data")],
            catch_exceptions=False,
        )
    assert list(other.iterdir()) == []


def test_the_data_can_go_elsewhere(tmp_path: Path, made: Path) -> None:
    """--data-dir: the outbox is there, and the restored configuration says so."""
    gewu("restore", str(made), "--into", str(tmp_path / "new"), "--data-dir", str(tmp_path / "card"))
    for name in ("client.key", "password"):
        (tmp_path / "new" / name).write_text("put back by hand")
    assert load(tmp_path / "new" / "gewu.toml").gateway.data_dir == tmp_path / "card"
    assert len(kept(tmp_path / "card")) == 701


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_damaged_backup_is_refused(tmp_path: Path, made: Path, share: float) -> None:
    """A byte changed anywhere, or the end missing: one sentence, and nothing is put in place."""
    content = bytearray(made.read_bytes())
    at = int(len(content) * share)
    content[at] ^= 0x55
    for spoiled in (bytes(content), made.read_bytes()[: at + 1]):
        made.write_bytes(spoiled)
        with pytest.raises(GewuError, match="is no whole backup"):
            CliRunner().invoke(app, ["restore", str(made), "--into", str(tmp_path / "new")], catch_exceptions=False)
        assert list((tmp_path / "new").iterdir()) == []


@contextmanager
def at_work(config: Path) -> Iterator[Agent]:
    """A gateway that runs in this process."""
    agent, stop = Agent(load(config), SystemClock()), threading.Event()
    running = threading.Thread(target=agent.run, args=(stop,))
    running.start()
    try:
        yield agent
    finally:
        stop.set()
        running.join()


def test_taken_from_a_gateway_at_work(tmp_path: Path) -> None:
    """B9 under load: while records are accepted, the backup is whole and holds all that was committed before it."""
    config = configured(tmp_path / "old")
    (tmp_path / "usb").mkdir()
    halt, count = threading.Event(), 0
    with at_work(config) as agent:

        def load_it() -> None:
            nonlocal count
            while not halt.is_set():
                for _ in range(200):
                    agent.outbox.put_reading(reading(count))
                    count += 1
                agent.outbox.flush()
                halt.wait(0.01)

        loading = threading.Thread(target=load_it)
        loading.start()
        try:
            while agent.outbox.stats().accepted < 5000:
                halt.wait(0.01)
            before = agent.outbox.stats().accepted
            said = gewu("backup", "--config", str(config), "--to", str(tmp_path / "usb"))
        finally:
            halt.set()
            loading.join()
    gewu("restore", said["file"], "--into", str(tmp_path / "new"))
    after = kept(tmp_path / "new" / "data")
    assert before <= len(after) <= count
    assert after == kept(tmp_path / "old" / "data")[: len(after)]
    assert not list((tmp_path / "old" / "data").glob("backup-work*"))


def test_the_schedule_of_a_gateway_can_be_restored(tmp_path: Path, server: str) -> None:
    """`[backup]` to a server: what the running gateway puts there by itself comes back with every record."""
    more = f'[backup]\nto = "{server}"\nusername = "u"\npassword_file = "password"\nkeep = 1\n'
    with at_work(configured(tmp_path / "old", more)) as agent:
        for number in range(300):
            agent.outbox.put_reading(reading(number))
        agent.outbox.flush()
        assert agent.backup is not None
        assert agent.backup.once()
        status = agent.status()["backup"]
        assert (status["to"], status["trouble"]) == (server, None)
    ((name, content),) = _Dav.files.items()
    (tmp_path / "fetched.tar.gz").write_bytes(content)
    assert name.startswith("/dav/gewu-b1-")
    gewu("restore", str(tmp_path / "fetched.tar.gz"), "--into", str(tmp_path / "new"))
    assert kept(tmp_path / "new" / "data") == kept(tmp_path / "old" / "data")
    assert len(kept(tmp_path / "new" / "data")) == 300


class _Dav(BaseHTTPRequestHandler):
    """A server that takes PUT from one user."""

    files: ClassVar[dict[str, bytes]] = {}
    broken: ClassVar[bool] = False

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != "Basic dTpzZWNyZXQ=":
            return self._say(401)
        self.files[self.path] = content[:10] if self.broken else content
        return self._say(201)

    def do_HEAD(self) -> None:
        self._say(200 if self.path in self.files else 404, len(self.files.get(self.path, b"")))

    def do_DELETE(self) -> None:
        self._say(204 if self.files.pop(self.path, None) is not None else 404)

    def _say(self, status: int, length: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    _Dav.files, _Dav.broken = {}, False
    with ThreadingHTTPServer(("127.0.0.1", 0), _Dav) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/dav"
        server.shutdown()
        thread.join()


def test_a_server_keeps_it(tmp_path: Path, server: str) -> None:
    """PUT with the password, checked by its size; a refusal and a short copy say what is wrong; DELETE removes."""
    (tmp_path / "password").write_text("secret\n")
    file = tmp_path / "b.tar.gz"
    file.write_bytes(b"x" * 1000)
    keeper = place(server, Access("u", tmp_path / "password"))
    assert keeper.put(file, "b 1.tar.gz") == f"{server}/b%201.tar.gz"
    assert _Dav.files == {"/dav/b%201.tar.gz": b"x" * 1000}
    keeper.forget("b 1.tar.gz")
    keeper.forget("b 1.tar.gz")
    assert _Dav.files == {}
    with pytest.raises(GewuError, match="check username and password_file"):
        place(server).put(file, "b")
    _Dav.broken = True
    with pytest.raises(TryAgain, match="10 of 1000 bytes"):
        keeper.put(file, "b")
    with pytest.raises(TryAgain, match="cannot be reached"):
        place("http://127.0.0.1:1/").put(file, "b")


def test_a_folder_that_is_not_mounted(tmp_path: Path) -> None:
    """It is not made: a backup beside the data would be none."""
    with pytest.raises(TryAgain, match="mount its disk"):
        place(str(tmp_path / "usb")).put(tmp_path / "x", "x")
    with pytest.raises(ConfigurationError, match="a folder, or to a server"):
        place("ftp://host/x")


class _Wanted:
    to, every, keep = "usb", 3600.0, 2


class _Shelf:
    """A place that remembers; `fails` makes it and the making fail."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.fails = False

    def put(self, file: Path, name: str) -> str:
        self.names.append(name)
        return name

    def forget(self, name: str) -> None:
        self.names.remove(name)


class _UntilClock(FakeClock):
    """Sets what is waited for once `end` has come."""

    end = 0.0

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if self.now + seconds > self.end:
            self.now = self.end
            event.set()
        return super().wait(event, seconds)


def test_on_schedule(tmp_path: Path) -> None:
    """Every hour, the last two kept; a failure is told and tried again sooner; a restart repeats none."""
    clock, shelf = _UntilClock(), _Shelf()
    times: list[float] = []

    def make() -> Made:
        times.append(clock.now)
        if shelf.fails:
            raise TryAgain("the disk is not there")
        name = f"n{len(times)}"
        shelf.put(tmp_path, name)
        return Made(
            file=name, name=name, gateway="g", at=clock.wall_ms(), bytes=1, sha256="", files=1, secrets=False,
            left_out=[],
        )  # fmt: skip

    def run_for(seconds: float) -> Schedule:
        schedule = Schedule(_Wanted(), tmp_path, shelf, make, clock)
        clock.end = clock.now + seconds
        schedule._run()
        return schedule

    run_for(4 * 3600)
    assert times == [160.0, 3760.0, 7360.0, 10960.0]
    assert shelf.names == ["n3", "n4"]
    shelf.fails = True
    failed = run_for(3600)
    assert [at - times[3] for at in times[4:]] == [3600.0, 4500.0, 5400.0, 6300.0]
    assert failed.status() == {"to": "usb", "last": "2026-11-18T14:07:40.000Z", "trouble": "the disk is not there"}
    shelf.fails = False
    assert run_for(1000).status()["trouble"] is None
    assert shelf.names == ["n4", "n9"]
    (tmp_path / MEMORY).write_bytes(b"rubbish")
    assert run_for(120).status()["last"] is not None
