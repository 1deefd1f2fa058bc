"""The parts around protection: sensor, panel, report, heartbeat. Runs in an empty folder."""

import json
from binascii import crc32

import harness
import settings
import table
from heartbeat import Heartbeat
from live import Live
from panel import Panel
from registers import COIL, DISCRETE, HOLDING, INPUT, Bank
from report import Report, decimal
from running import Bus, Running
from waiting import Waiting


def test_a_sensor_alarms_and_moves_nothing():
    board = Running("sensor")
    board.feel(6, 1)
    assert board.word(b"state") == 0
    board.feel(20, 12)
    assert board.state(b"overload")
    assert board.board.trip.highs == 0
    board.now += 5000
    board.meter.step(board.now)
    board.role.step(board.now)
    assert board.state(b"meter_fault")
    assert board.word(b"measure_age") == 5000


def test_a_board_without_settings_says_so():
    bank = Bank(table.SENSOR)
    live = Live(bank, settings.Settings(), 1, 1, 0)
    Waiting(live).step(10)
    assert bank.cells[INPUT][bank.at(b"state")] == live.mask(b"safe_mode") == 32
    assert bank.cells[HOLDING][bank.at(b"rating")] == 0


def test_uptime_and_counters_carry_into_the_high_word():
    board = Running()
    board.bank.put_long(INPUT, board.bank.at(b"uptime"), 0xFFFF)
    board.live.running(Bus, 3000)
    assert board.long(b"uptime") == 0x10002
    at = board.bank.at(b"bus_frames")
    board.bank.put_long(INPUT, at, -2)
    board.bank.add_long(INPUT, at, 5)
    assert board.long(b"bus_frames") == 0xFFFFFFFF


def test_identify_blinks_counts_down_and_ends():
    board = Running()
    panel = Panel(board.board, board.bank, 0)
    at = board.bank.at(b"identify")
    board.bank.cells[COIL][at] = 1
    panel.written(COIL, at, 1)
    levels = set()
    for now in range(0, 5000, 50):
        panel.step(now, 0, False)
        levels.add(board.board.led.level)
    assert board.board.led.highs > 10
    assert levels == {0, 1}
    assert 24 <= board.word(b"identify_seconds", HOLDING) <= 26
    assert board.bank.cells[COIL][at] == 1
    for now in range(5000, 40000, 50):
        panel.step(now, 0, False)
    assert board.word(b"identify_seconds", HOLDING) == 0
    assert board.bank.cells[COIL][at] == 0
    assert board.board.led.highs < 200


def test_silence_holds_until_the_next_alarm():
    board = Running()
    panel = Panel(board.board, board.bank, 0)
    lamp = board.bank.at(b"alarm_lamp")
    silence = board.bank.at(b"silence")
    panel.step(0, 4, False)
    assert board.board.lamp.level == 1
    assert board.bank.cells[DISCRETE][lamp] == 1
    board.bank.cells[COIL][silence] = 1
    panel.written(COIL, 0, 2)
    panel.step(20, 4, False)
    assert board.board.lamp.level == 0
    assert board.bank.cells[DISCRETE][lamp] == 0
    panel.step(40, 6, False)
    assert board.board.lamp.level == 1
    assert board.bank.cells[COIL][silence] == 0
    panel.step(60, 0, False)
    assert board.board.lamp.level == 0


def test_the_clock_counts_on_once_it_is_set():
    board = Running()
    panel = Panel(board.board, board.bank, 0)
    panel.step(5000, 0, False)
    assert board.long(b"clock", HOLDING) == 0
    at = board.bank.at(b"clock")
    board.bank.put_long(HOLDING, at, 0x6AB1FFFF)
    panel.written(HOLDING, at, 2)
    panel.step(5999, 0, False)
    assert board.long(b"clock", HOLDING) == 0x6AB1FFFF
    panel.step(7000, 0, False)
    assert board.long(b"clock", HOLDING) == 0x6AB20001


class Host:
    """The other end of USB; takes bytes only while `reads`."""

    def __init__(self):
        self.data = b""
        self.reads = True
        self.longest = 0

    def write(self, piece):
        assert self.reads
        self.longest = max(self.longest, len(piece))
        self.data += bytes(piece)

    def writable(self):
        return self.reads


def nothing():
    return 1000


def test_a_line_a_second_with_names_units_and_crc():
    board = Running()
    board.feel(6, 1)
    host = Host()
    report = Report(host, host.writable, nothing, board.bank, board.settings, 0)
    for now in range(0, 3700, 20):
        report.step(now)
    lines = host.data.split(b"\n")
    assert len(lines) == 4, len(lines)
    assert lines[3] == b""
    body, crc = lines[0][: lines[0].find(b',"crc"')], json.loads(lines[0])["crc"]
    assert int(crc, 16) == crc32(body) & 0xFFFFFFFF
    line = json.loads(lines[1])
    assert (line["v"], line["seq"], line["serial"], line["role"]) == (1, 2, "GW-000001", "breaker")
    assert (line["profile"], line["address"]) == ("gewu-breaker", 7)
    values = line["values"]
    assert abs(values["current"] - 6) < 0.003
    assert abs(values["voltage"] - 230) < 0.2
    assert values["closed"] is True
    assert values["contact"] is True
    assert values["serial"] == "GW-000001"
    # Every readable value of the profile, bits one by one in place of their register.
    wanted = [name.decode() for field in board.bank.fields for name in names(field)]
    assert sorted(values) == sorted(wanted)


def names(field):
    return [name for _bit, name in field[4]] if isinstance(field[4], tuple) else [field[0]]


def test_a_host_that_does_not_read_costs_whole_lines_and_no_time():
    board = Running()
    host = Host()
    report = Report(host, host.writable, nothing, board.bank, board.settings, 0)
    for now in range(0, 1300, 20):
        report.step(now)
    host.reads = False
    for now in range(1300, 9000, 20):
        report.step(now)
    host.reads = True
    for now in range(9000, 11000, 20):
        report.step(now)
    lines = [json.loads(line) for line in host.data.split(b"\n") if line]
    assert len(lines) >= 2
    assert host.longest <= 64
    for line in lines:
        assert line["v"] == 1


def test_trouble_is_said():
    board = Running()
    host = Host()
    report = Report(host, host.writable, nothing, board.bank, board.settings, 0)
    report.trouble = 'OSError "28"'
    for now in range(0, 2900, 20):
        report.step(now)
    lines = [json.loads(line) for line in host.data.split(b"\n") if line]
    assert lines[0]["trouble"] == "OSError '28'"
    assert "trouble" not in lines[1]


def test_decimals_are_exact():
    assert decimal(-5, 1) == "-0.5"
    assert decimal(12345, 3) == "12.345"
    assert decimal(7, 0) == "7"
    assert decimal(0xFFFFFFFF, 3) == "4294967.295"
    assert decimal(-120000, 1) == "-12000.0"


class Watchdog:
    fed = 0

    def feed(self):
        self.fed += 1


def test_the_watchdog_is_fed_only_when_every_part_beat():
    dog = Watchdog()
    heart = Heartbeat(dog, 4, 0)
    for now in range(0, 2001, 20):
        for part in range(4):
            heart.beat(part)
        heart.step(now)
    assert dog.fed == 4
    for silent in range(4):
        dog.fed = 0
        heart = Heartbeat(dog, 4, 0)
        for now in range(0, 20000, 20):
            for part in range(4):
                if part != silent:
                    heart.beat(part)
            heart.step(now)
        assert dog.fed == 0, silent


harness.run(globals())
