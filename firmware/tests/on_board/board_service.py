"""What authority carries out: opening, closing, settings, clock, restart, addressing; and what is journalled."""

import os
import struct

import harness
import settings
import table
from closing import Closing
from keyed import KEY, SERIAL, command
from memory import Memory
from panel import Panel
from protection import Inputs
from protection_record import Record
from registers import HOLDING, INPUT, Bank
from service import Service
from slots import Slots

# Kinds of entries, results of commands.
START, TRIP, STATE, DONE, REFUSED = range(1, 6)
VALUES, SAMPLE = 8, 9
NO_KEY, FORGED = 3, 5


def clean():
    for name in os.listdir():
        os.remove(name)


class Slave:
    """What the service looks at of the bus."""

    unit = 5
    frames = requests = refused = foreign = 0

    class framer:
        unit = 5


class Role:
    """A breaker that notes what it is told."""

    attention = False

    def __init__(self):
        self.opened = 0
        self.refusal = 0

    def remote_open(self, now):
        self.opened += 1

    def remote_close(self, now):
        return self.refusal


class Hardware(harness.Board):
    restarts = 0

    def reset_cause(self):
        return 1

    def restart(self):
        self.restarts += 1

    def rest(self):
        pass


class Living:
    """A service with its surroundings; `ask` gives the result of a command."""

    def __init__(self, configured=True, fresh=True):
        if fresh:
            clean()
        self.now = 0
        self.record = {"seq": 1, "role": "breaker", "serial": "GW-000001", "address": 7, "rating": 16, "key": KEY.hex()}
        chosen = settings.parse(self.record) if configured else settings.Settings()
        chosen.serial = SERIAL
        if fresh and configured:
            Slots("settings").save(dict(self.record))
        self.bank = Bank(table.BREAKER)
        self.board = Hardware()
        self.role = Role()
        self.service = Service(self.bank, chosen, Memory(0), self.board, "", {"pending": True}, 0)
        self.slave = Slave()
        self.slave.framer.unit = 5
        self.service.attach(self.slave, None, self.role, Panel(self.board, self.bank, 0))
        self.counter = 0
        self.pass_time(100)

    def pass_time(self, ms):
        self.now += ms
        self.service.step(self.now)

    def word(self, name, kind=INPUT):
        return self.bank.cells[kind][self.bank.at(name)]

    def post(self, frame):
        self.service.inbox.write(0, table.COMMAND_ADDRESS, len(frame) // 2, frame, 0)
        self.pass_time(20)
        return self.word(b"command_result")

    def ask(self, code, argument=b"", **more):
        at = self.bank.at(b"nonce_high")
        nonce = struct.pack(">HHHH", *[self.bank.cells[INPUT][at + index] for index in range(4)])
        self.counter += 1
        frame = command(nonce, self.counter, code, argument, **more)
        return self.post(frame + bytes(len(frame) % 2))

    def entries(self, kind):
        found = []
        book = self.service.journal
        self.pass_time(20)
        self.pass_time(20)
        out = bytearray(32)
        for number in range(book.first, book.next):
            book.read(number * 16, 16, out, 0)
            book.step(self.now)
            assert book.read(number * 16, 16, out, 0) == 0
            fields = struct.unpack(">IHHIHIHIIH", out)
            if fields[2] == kind:
                found.append(fields[6:9])
        return found


def test_open_and_close_reach_the_role_and_its_refusal_comes_back():
    one = Living()
    assert one.ask(1) == 1
    assert one.role.opened == 1
    assert one.ask(2) == 1
    one.role.refusal = 2
    assert one.ask(2) == 22
    assert one.word(b"commands_judged") == 3
    assert one.bank.long(INPUT, one.bank.at(b"command_counter")) == 3


def test_forgeries_are_journalled_and_move_nothing():
    one = Living()
    assert one.ask(1, key=bytes(32)) == FORGED
    assert one.word(b"command_wait") == 1
    assert one.role.opened == 0
    assert one.entries(REFUSED) == [(1, FORGED, 0)]
    assert one.entries(DONE) == []


def test_settings_change_key_by_key_and_never_the_key():
    one = Living()
    assert one.ask(3, b'{"rating": 10, "protection": {"residual": 30}}') == 1
    changed = settings.load()
    assert (changed.rating, changed.protection.residual, changed.address) == (10, 30, 7)
    assert changed.key == KEY.hex()
    for bad in (b'{"rating": 0}', b'{"key": ""}', b'{"signer": ""}', b'{"seq": 9}', b"[1]", b"{", b"5"):
        assert one.ask(3, bad) == 10, bad
    assert settings.load().rating == 10


def test_the_key_is_nowhere_on_the_bus():
    one = Living()
    everything = b""
    for cells in one.bank.cells:
        everything += bytes(cells)
    everything += b"".join([bytes((word >> 8, word & 255)) for word in one.bank.cells[HOLDING]])
    everything += b"".join([bytes((word >> 8, word & 255)) for word in one.bank.cells[INPUT]])
    for start in range(0, 32, 4):
        assert KEY[start : start + 4] not in everything


def test_the_clock_is_set_by_command_and_only_nudged_by_others():
    one = Living()
    at = one.bank.at(b"clock")
    assert one.ask(4, struct.pack(">I", 1_700_000_000)) == 1
    panel = one.service.panel
    for wish, becomes in ((1_700_000_030, 30), (1_700_999_999, 60), (1_700_999_999, 60), (1_700_000_055, 60)):
        one.bank.put_long(HOLDING, at, wish)
        panel.written(HOLDING, at, 2)
        assert one.bank.long(HOLDING, at) == 1_700_000_000 + becomes, wish
    panel.step(0, 0, False)
    for now in range(1000, 3_601_000, 1000):
        panel.step(now, 0, False)
    before = one.bank.long(HOLDING, at)
    one.bank.put_long(HOLDING, at, 5)
    panel.written(HOLDING, at, 2)
    assert one.bank.long(HOLDING, at) == before - 60
    assert one.ask(4, b"abc") == 10


def test_a_restart_comes_a_second_later():
    one = Living()
    assert one.ask(5) == 1
    one.pass_time(500)
    assert one.board.restarts == 0
    one.pass_time(600)
    assert one.board.restarts == 1


def test_an_unknown_command_is_said_to_be_one():
    one = Living()
    assert one.ask(40) == 11


def address(serial, number):
    return bytes((64, 17)) + serial + bytes(16 - len(serial)) + bytes((number, 0))[:1] + b"\0"


def test_addressing_works_by_serial_number_and_before_commissioning_only():
    one = Living()
    one.post(address(SERIAL, 9))
    assert one.slave.unit == 5  # commissioned
    one = Living(configured=False)
    one.post(address(b"GW-000002", 9))
    one.post(address(SERIAL, 0))
    one.post(address(SERIAL, 248))
    assert one.slave.unit == 5
    one.post(address(SERIAL, 9))
    assert (one.slave.unit, one.slave.framer.unit) == (9, 9)
    assert Living(configured=False, fresh=False).slave.unit == 9
    assert one.ask(1) == NO_KEY


def test_trips_and_states_are_journalled_once_each():
    one = Living()
    put = one.bank.put
    put(INPUT, one.bank.at(b"cause"), 2)
    one.bank.put_long(INPUT, one.bank.at(b"trip_current"), 160_000)
    put(INPUT, one.bank.at(b"trip_count"), 1)
    put(INPUT, one.bank.at(b"state"), 2)
    for _ in range(5):
        one.pass_time(100)
    assert one.entries(TRIP) == [(2, 160_000, 1)]
    assert one.entries(STATE) == [(2, 2, 0)]
    assert one.entries(START) == [(1, 0, 0)]


def test_a_fluttering_contact_does_not_fill_the_journal():
    one = Living()
    for turn in range(100):
        one.bank.put(INPUT, one.bank.at(b"state"), turn & 1)
        one.pass_time(20)
    noted = one.entries(STATE)
    assert 2 <= len(noted) <= 4, noted
    assert noted[-1][1] == 1


def test_a_wrong_bundle_over_usb_is_said_and_nothing_else():
    clean()
    with open("update.bin", "wb") as file:
        file.write(b"GWB1" + bytes(100))
    one = Living(fresh=False)
    for _ in range(50):
        one.pass_time(20)
    assert (one.word(b"update_state"), one.word(b"update_trouble")) == (5, 3)
    assert one.entries(6)[-1][:2] == (5, 3)
    assert one.ask(1) == 1


def test_a_trip_leaves_its_values_and_the_measurements_before_it():
    one = Living()
    record = one.role.record = Record()
    seen = Inputs()
    seen.voltage, seen.residual = 2301, 4
    for turn in range(12):
        seen.current = 6000 + turn
        record.measured(turn * 200, seen)
    seen.residual = -1
    record.latch(2500, 1, 2, 1, seen, 812, False)
    one.bank.put(INPUT, one.bank.at(b"cause"), 2)
    one.bank.put(INPUT, one.bank.at(b"trip_count"), 1)
    for _ in range(40):
        one.pass_time(100)
    assert len(one.entries(TRIP)) == 1
    assert one.entries(VALUES) == [(1, 2301 << 16 | 0xFFFF, 812 << 16 | 0x8000)]
    assert one.entries(SAMPLE) == [(2500 - turn * 200, 6000 + turn, 2301 << 16 | 4) for turn in range(4, 12)]


def test_a_start_is_proven_after_ten_seconds():
    one = Living()
    Slots("start").save({"pending": True, "fails": 2})
    one.pass_time(9_000)
    assert Slots("start").load()["pending"]
    one.pass_time(1_000)
    assert not Slots("start").load()["pending"]


def test_the_closing_actuator_gets_one_pulse_and_gives_way_to_a_refusal():
    pin = harness.Pin()
    assert Closing(pin, False).begin(0, 0) == 9  # as _NOT_FITTED
    one = Closing(pin, True)
    assert one.begin(0, 2) == 2
    assert pin.level == 0
    assert one.begin(0, 0) == 0
    one.step(299, 0)
    assert pin.level == 1
    one.step(300, 0)
    assert pin.level == 0
    one.begin(1000, 0)
    one.step(1020, 1)
    assert (pin.level, pin.highs) == (0, 2)


harness.run(globals())
