"""Commands, journal, updates and safe mode of whole boards, over their bus: what a gateway and an installer meet."""

import binascii
import json
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway import profile
from gateway.bus.command import Code, address_frame, explain, frame
from gateway.bus.journal import Entry, decode
from hil_tests.rig.flash import fill, settings_of
from hil_tests.rig.master import Master
from hil_tests.rig.site import Board, Bus, parse_site
from hil_tests.rig.village import Village
from provisioning import firmware_build, firmware_bundle
from provisioning.settings import slot_bytes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

KEY = bytes(range(32))
SIGNING_KEY = rsa.generate_private_key(65537, 2048)
BREAKER = profile.load("gewu-breaker")
REGISTERS = {register.name: register for register in BREAKER.registers}
SITE: dict[str, Any] = {
    "bus": [
        {
            "name": "north",
            "baud": 115200,
            "board": [
                {"id": "b1", "address": 1, "current": 6.0},
                {"id": "b2", "address": 2, "current": 6.0},
                {"id": "b3", "address": 3, "current": 6.0},
                {"id": "bad", "address": 4, "current": 6.0},
                {"id": "b5", "address": 5, "current": 6.0},
                {"id": "b6", "address": 6, "current": 6.0},
                {"id": "b7", "address": 7, "current": 6.0, "actuator": True},
            ],
        },
        {"name": "lost", "baud": 9600, "board": [{"id": "new", "address": 247}]},
    ]
}


def load(folder: Path, board: Board, bus: Bus) -> None:
    """Firmware, settings with a key; `new` has none, `bad` has an image that dies at its start."""
    fill(folder, board, bus)
    if board.id == "new":
        (folder / "settings.a").unlink()
        return
    given = settings_of(board, bus) | {"key": KEY.hex(), "signer": firmware_bundle.signer(SIGNING_KEY)}
    if board.actuator:
        given["protection"] = {"reclose_wait": 1}
    (folder / "settings.a").write_bytes(slot_bytes(given, 1))
    if board.id == "bad":
        (folder / "a").mkdir()
        (folder / "a" / "app.py").write_text("1 / 0\n")
        (folder / "start.a").write_bytes(slot({"seq": 1, "image": "a"}))


def slot(record: dict[str, Any]) -> bytes:
    """A slot of the start record, as firmware/slots.py writes it."""
    line = json.dumps(record).encode()
    return line + b"\n%08x" % binascii.crc32(line)


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with Village(parse_site(SITE, "test"), tmp_path_factory.mktemp("village"), load=load) as up:
        yield up


@pytest.fixture
def master(village: Village) -> Iterator[Master]:
    with Master(village.state()["buses"][0]["port"]) as one:
        yield one


def value(master: Master, unit: int, name: str) -> int:
    """A register by its name, as it stands on the wire."""
    register = REGISTERS[name]
    function = {"input": 4, "holding": 3}[register.kind]
    words = master.registers(unit, register.address, register.size, function)
    return int.from_bytes(b"".join(word.to_bytes(2, "big") for word in words), "big")


def nonce(master: Master, unit: int) -> bytes:
    words = master.registers(unit, REGISTERS["nonce_high"].address, 4)
    return b"".join(word.to_bytes(2, "big") for word in words)


def post(master: Master, unit: int, data: bytes) -> int:
    """The result of a command frame."""
    assert BREAKER.mailbox is not None
    before = value(master, unit, "commands_judged")
    master.write(unit, BREAKER.mailbox.command_register, data + bytes(len(data) % 2))
    until(lambda: value(master, unit, "commands_judged") != before)
    return value(master, unit, "command_result")


def command(master: Master, unit: int, code: Code, argument: bytes = b"", **more: Any) -> int:
    counter = more.pop("counter", value(master, unit, "command_counter") + 1)
    given = {"key": KEY, "serial": f"b{unit}"} | more
    return post(master, unit, frame(given["key"], given["serial"], code, counter, nonce(master, unit), argument))


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def entries(master: Master, unit: int) -> list[Entry]:
    """The whole journal of a board, as the profile says where it lies."""
    book = BREAKER.journal
    assert book is not None
    found = []
    for number in range(value(master, unit, book.first), value(master, unit, book.next)):
        entry = decode(master.records(unit, book.file, number % book.entries * book.words, book.words))
        assert entry is not None
        assert entry.number == number
        found.append(entry)
    return found


# Each test has boards of its own, so that their order does not matter; the two of b2 leave each other what they need.


def test_a_breaker_obeys_its_key_and_nobody_else(village: Village, master: Master) -> None:
    """Forged, replayed and misdirected frames move nothing and are in the journal; the right one opens."""
    right = frame(KEY, "b1", Code.OPEN, 1, nonce(master, 1))
    assert post(master, 1, frame(bytes(32), "b1", Code.OPEN, 1, nonce(master, 1))) == 5
    until(lambda: value(master, 1, "command_wait") == 0)
    assert post(master, 1, frame(KEY, "b2", Code.OPEN, 1, nonce(master, 1))) == 5
    until(lambda: value(master, 1, "command_wait") == 0)
    assert value(master, 1, "state") & 1
    assert post(master, 1, right) == 1
    until(lambda: not village.state()["boards"][0]["closed"])
    assert post(master, 1, right) == 6
    until(lambda: any((entry.kind, entry.b) == ("refused", 6) for entry in entries(master, 1)))
    told = [(entry.kind, entry.a, entry.b) for entry in entries(master, 1) if entry.kind in ("command", "refused")]
    assert told == [("refused", 1, 5), ("refused", 1, 5), ("command", 1, 1), ("refused", 1, 6)]
    kinds = [entry.kind for entry in entries(master, 1)]
    assert kinds[0] == "start"
    assert "trip" in kinds
    assert "state" in kinds


def test_frames_outside_their_window_are_refused(master: Master) -> None:
    """Early and late by the frame's own window, whatever the nonce says."""
    ask = {"key": KEY, "serial": "b5", "code": Code.OPEN, "counter": 1}
    assert post(master, 5, frame(**ask, nonce=nonce(master, 5), since=25.0)) == 8
    late = frame(**ask, nonce=nonce(master, 5), until=0.0)
    time.sleep(0.2)
    assert post(master, 5, late) == 9
    assert explain(9).startswith("refused: too late")


def test_closing_is_refused_until_somebody_was_there(village: Village, master: Master) -> None:
    """After a short circuit the board says: acknowledge it at the device."""
    village.inject("b2", {"current": "300"})
    until(lambda: value(master, 2, "cause") == 2)
    village.inject("b2", {"current": "0"})
    until(lambda: command(master, 2, Code.CLOSE) == 22)


def test_a_command_closes_where_an_actuator_is_fitted_and_closing_is_allowed(village: Village, master: Master) -> None:
    """Opened and closed by command: the contact follows, the trip is over, the journal has both. After a short circuit
    the motor gets nothing."""
    closed = lambda: village.state()["boards"][6]["closed"]  # noqa: E731
    assert command(master, 7, Code.OPEN) == 1
    until(lambda: not closed())
    until(lambda: command(master, 7, Code.CLOSE) == 1)
    until(closed)
    until(lambda: value(master, 7, "state") & 0b1011 == 1)  # closed, not tripped, no failure
    until(lambda: [entry.a for entry in entries(master, 7) if entry.kind == "command"] == [Code.OPEN, Code.CLOSE])
    village.inject("b7", {"current": "300"})
    until(lambda: not closed())
    village.inject("b7", {"current": "0"})
    until(lambda: command(master, 7, Code.CLOSE) == 22)
    assert not closed()


def test_settings_over_the_bus_count_from_the_next_start(master: Master) -> None:
    """Changed, kept, and in force after the restart that was asked for; a wrong value changes nothing."""
    assert command(master, 2, Code.SETTINGS, b'{"rating": 0}') == 10
    assert command(master, 2, Code.SETTINGS, b'{"rating": 20}') == 1
    assert value(master, 2, "rating") == 16
    boots = value(master, 2, "boot_count")
    assert command(master, 2, Code.RESTART) == 1
    until(lambda: value(master, 2, "boot_count") == boots + 1)
    assert value(master, 2, "rating") == 20


def test_a_board_without_settings_takes_an_address_by_its_serial_number(village: Village) -> None:
    """Broadcast, so that it need not be known where it answers; another serial number is left alone."""
    assert BREAKER.mailbox is not None
    with Master(village.state()["buses"][1]["port"]) as master:
        identity = master.demand(bytes((247, 0x2B, 0x0E, 4, 0x80)))
        serial = identity[10:].decode()
        for whom, address in (("somebody", 40), (serial, 41)):
            data = address_frame(whom, address)
            master.write(0, BREAKER.mailbox.command_register, data + bytes(len(data) % 2))
            time.sleep(0.1)
        assert master.demand(bytes((41, 0x2B, 0x0E, 4, 0x80)))[10:].decode() == serial


def test_a_board_whose_image_dies_answers_in_safe_mode_and_takes_an_update(village: Village, master: Master) -> None:
    """Three failed starts, then the factory's image without moving anything; a signed update brings it back."""
    assert value(master, 4, "failed_starts") == 3
    assert value(master, 4, "state") & 1 << 5
    bundle = release({"version.mpy": "VERSION = b'0.8.0'\n"}, "0.8.0")
    install(master, [4], bundle, serial="bad")
    assert until(lambda: version(master, 4) == "0.8.0")
    assert value(master, 4, "state") & 1 << 5 == 0


def version(master: Master, unit: int) -> str:
    answer = master.ask(bytes((unit, 0x2B, 0x0E, 4, 2)))
    return answer[10:].decode() if answer and not answer[1] & 0x80 else ""


def release(sources: dict[str, str], number: str) -> bytes:
    """A signed update with these modules alone: the others come from the factory's image."""
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, text in sources.items():
            source, target = Path(folder) / name.replace(".mpy", ".py"), Path(folder) / name
            source.write_text(text)
            firmware_build.compile_module(source, target, source.name)
            files[name] = target.read_bytes()
    return firmware_bundle.bundle(files, number, SIGNING_KEY)


def install(master: Master, units: list[int], bundle: bytes, serial: str = "", broadcast: bool = False) -> None:
    """From BEGIN to the restart into the trial, on one board or on several at once."""
    assert BREAKER.mailbox is not None
    box = BREAKER.mailbox
    for unit in units:
        who = {"serial": serial or f"b{unit}"}
        assert command(master, unit, Code.BEGIN, firmware_bundle.begin_argument(bundle), **who) == 1
        until(lambda unit=unit: value(master, unit, "update_state") == 2)  # type: ignore[misc]
    blocks = list(firmware_bundle.blocks(bundle))
    for turn in range(50):
        lacking: set[int] = set()
        for unit in units:
            bitmap = b"".join(word.to_bytes(2, "big") for word in master.registers(unit, box.block_register, 30, 3))
            lacking |= set(firmware_bundle.missing(bitmap, len(blocks)))
        if not lacking:
            break
        for number in sorted(lacking):
            if broadcast and turn < 40:
                master.write(0, box.block_register + number * box.block_words, blocks[number])
                time.sleep(0.06)
            else:
                for unit in units:
                    master.write(unit, box.block_register + number * box.block_words, blocks[number])
    for unit in units:
        who = {"serial": serial or f"b{unit}"}
        assert command(master, unit, Code.INSTALL, **who) == 1
        until(lambda unit=unit: value(master, unit, "update_state") in (4, 5))  # type: ignore[misc]
        assert (value(master, unit, "update_state"), value(master, unit, "update_trouble")) == (4, 0)
        assert command(master, unit, Code.RESTART, **who) == 1


def test_an_update_is_broadcast_tried_and_kept_or_left_again(village: Village, master: Master) -> None:
    """One stream for two boards; a good image proves itself and an older one is refused; a bad one is left."""
    assert village.state()["boards"][2]["id"] == "b3"
    good = release({"version.mpy": "VERSION = b'0.9.0'\n"}, "0.9.0")
    install(master, [6, 3], good, broadcast=True)
    for unit in (6, 3):
        assert until(lambda unit=unit: version(master, unit) == "0.9.0")  # type: ignore[misc]
        folder = village.folder / "boards" / f"b{unit}"
        until(lambda folder=folder: b'"trial": ""' in start_record(folder))  # type: ignore[misc]
    older = release({"version.mpy": "VERSION = b'0.8.9'\n"}, "0.8.9")
    with pytest.raises(AssertionError):
        install(master, [3], older)
    assert value(master, 3, "update_trouble") == 4
    bad = release({"version.mpy": "VERSION = b'0.9.1'\n", "panel.mpy": "1 / 0\n"}, "0.9.1")
    install(master, [3], bad)
    assert until(lambda: returned(master))
    assert version(master, 3) == "0.9.0"
    assert value(master, 3, "image") == value(master, 6, "image") == 1


def returned(master: Master) -> bool:
    answer = master.ask(struct.pack(">BBHH", 3, 4, REGISTERS["returned_updates"].address, 1))
    return answer == bytes((3, 4, 2, 0, 1))


def start_record(folder: Path) -> bytes:
    """The newest whole slot of the start record; the other may just be written."""
    slots = []
    for path in folder.glob("start.?"):
        line, _, mark = path.read_bytes().partition(b"\n")
        if mark == b"%08x" % binascii.crc32(line):
            slots.append(json.loads(line))
    return json.dumps(max(slots, key=lambda record: record["seq"])).encode()


def test_nobody_reads_the_key(village: Village, master: Master) -> None:
    """In no register, in no record and on no line of USB; the flash alone has it."""
    words: list[int] = []
    for function, size in ((3, 200), (4, 200)):
        for address in range(size):
            answer = master.ask(struct.pack(">BBHH", 3, function, address, 1))
            words += [int.from_bytes(answer[3:5], "big")] if answer and not answer[1] & 0x80 else []
    data = b"".join(word.to_bytes(2, "big") for word in words)
    for file in range(1, 8):
        answer = master.ask(bytes((3, 20, 7, 6)) + struct.pack(">HHH", file, 0, 16))
        data += answer
    assert len(data) > 150
    assert not any(KEY[at : at + 4] in data for at in range(0, 32, 4))
    with Path(village.state()["boards"][2]["usb"]).open("rb", buffering=0) as usb:
        deadline = time.monotonic() + 10
        lines = b""
        while lines.count(b"\n") < 3 and time.monotonic() < deadline:
            lines += usb.read(4096) or b""
    assert KEY.hex().encode() not in lines
