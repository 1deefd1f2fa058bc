"""The USB lines: marks of values that are none, and what becomes of a line that nobody went on reading."""

import json
from binascii import crc32

import harness
import settings
import table
from registers import INPUT, Bank
from report import Report


class Host:
    """The other end of USB; takes bytes only while `reads`."""

    def __init__(self):
        self.data = b""
        self.reads = True

    def write(self, piece):
        assert self.reads
        self.data += bytes(piece)

    def writable(self):
        return self.reads

    def lines(self):
        return [line for line in self.data.split(b"\n") if line]


def nothing():
    return 1000


def bench(role="breaker"):
    given = settings.parse({"role": role, "serial": "GW-1", "address": 7, "rating": 16})
    bank = Bank(table.BREAKER if role == "breaker" else table.SENSOR)
    host = Host()
    return bank, host, Report(host, host.writable, nothing, bank, given, 0)


def whole(line):
    """The line, where its checksum holds."""
    seen = json.loads(line)
    body = line[: line.find(b',"crc"')]
    return seen if seen["crc"] == "%08x" % (crc32(body) & 0xFFFFFFFF) else None


def run(report, start, end):
    for now in range(start, end, 20):
        report.step(now)


def test_what_is_unfitted_faulty_or_stale_is_marked_and_the_value_is_the_bus_s():
    bank, host, report = bench()
    bank.put(INPUT, bank.at(b"residual"), 0xFFFF)
    bank.put(INPUT, bank.at(b"terminal_temperature"), 0x8001)
    bank.put(INPUT, bank.at(b"measure_age"), 2500)
    run(report, 0, 2200)
    line = whole(host.lines()[0])
    marks = line["marks"]
    assert marks["residual"] == "unfitted"
    assert marks["terminal_temperature"] == "fault"
    assert marks["current"] == marks["voltage"] == marks["power"] == marks["frequency"] == "stale"
    assert line["values"]["residual"] == 65.535
    assert line["values"]["terminal_temperature"] == -3276.7
    assert "sequence" not in marks


def test_a_board_that_is_well_has_no_marks():
    _bank, host, report = bench()
    run(report, 0, 2200)
    assert whole(host.lines()[0])["marks"] == {}


def test_a_line_a_second_leaves_in_time_for_both_roles():
    for role in ("breaker", "sensor"):
        _bank, host, report = bench(role)
        run(report, 0, 5500)
        assert len(host.lines()) >= 5, (role, len(host.lines()))
        assert [whole(line)["seq"] for line in host.lines()[:5]] == [1, 2, 3, 4, 5]


def test_a_line_that_took_too_long_is_whole_and_not_to_be_trusted():
    _bank, host, report = bench()
    run(report, 0, 1200)
    assert host.data
    assert not host.data.endswith(b"\n")
    host.reads = False
    run(report, 1200, 6000)
    host.reads = True
    run(report, 6000, 9500)
    first, second = host.lines()[:2]
    assert json.loads(first)["crc"] == "cut"
    assert whole(second)["seq"] == 2


harness.run(globals())
