"""Functions 14h, 15h and 17h, the mailbox behind them, and the conformance cases at their limits."""

import os

import harness
import journal
import micropython
import table
from crc16 import crc16
from line import PAUSE_US, SILENCE_US, UNIT, Bus, frame, refused, words
from registers import HOLDING

BLOCK = bytes(range(240))
STATE = 3


def clean():
    for name in os.listdir():
        os.remove(name)


def read_file(file, record, count, unit=UNIT):
    return bytes((unit, 20, 7, 6, file >> 8, file & 255, record >> 8, record & 255, count >> 8, count & 255))


def write_file(file, record, data, unit=UNIT):
    count = len(data) // 2
    head = bytes((unit, 21, 7 + len(data), 6, file >> 8, file & 255, record >> 8, record & 255, 0, count))
    return head + data


def both(wanted, count, at, data):
    return words(23, wanted, count) + words(0, at, len(data) // 2)[2:] + bytes((len(data),)) + data


class Update:
    """An update that takes every block and keeps the latest."""

    def __init__(self):
        self.block = -1
        self.data = bytearray(240)

    def take(self, block, data, at):
        self.block = block
        for index in range(240):
            self.data[index] = data[at + index]
        return 0

    def missing(self, record, count, out, at):
        if record + count > 30:
            return 2
        for index in range(2 * count):
            out[at + index] = record + index
        return 0


def filled(count):
    clean()
    bus = Bus()
    for number in range(count):
        bus.journal.note(1000 * number, 77, STATE, number, 5, 6)
        bus.journal.step(1000 * number)
    return bus


def test_records_are_busy_until_the_flash_was_read_and_then_there():
    bus = filled(70)
    ask = read_file(table.JOURNAL_FILE, 16 * 58, 16 * 4)  # over the border of two files
    refused(bus, ask, 6)
    bus.journal.step(1)
    answer = bus.ask(ask)
    assert answer[:5] == bytes((UNIT, 20, 130, 129, 6))
    for index in range(4):
        entry = answer[5 + 32 * index : 37 + 32 * index]
        assert crc16(entry, 0, 32) == 0
        assert entry[:4] == bytes((0, 0, 0, 58 + index))
    assert bus.ask(ask) == answer


def test_a_file_read_at_its_limits():
    bus = filled(1)
    bus.inbox.update = Update()
    file = table.JOURNAL_FILE
    refused(bus, read_file(file, 0, 1), 6)
    bus.journal.step(1)
    assert len(bus.ask(read_file(file, 0, 1))) == 7
    refused(bus, read_file(file, 0, 120), 6)
    bus.journal.step(1)
    assert len(bus.ask(read_file(file, 0, 120))) == 245
    refused(bus, read_file(file, 0, 122), 3)  # does not fit an answer
    refused(bus, read_file(file, 0, 0), 3)
    refused(bus, read_file(file, 9599, 1), 6)  # the last record
    refused(bus, read_file(file, 9599, 2), 2)
    refused(bus, read_file(file, 9600, 1), 2)
    refused(bus, read_file(file, 10000, 1), 2)
    refused(bus, read_file(0, 4096, 1), 2)  # file 0 does not exist
    refused(bus, read_file(9, 0, 1), 2)
    wrong_type = bytearray(read_file(file, 0, 1))
    wrong_type[3] = 7
    refused(bus, bytes(wrong_type), 2)
    refused(bus, bytes((UNIT, 20, 6)) + read_file(file, 0, 1)[3:9], 3)  # byte count of no whole part
    refused(bus, bytes((UNIT, 20, 0)), 3)


def test_several_parts_come_in_one_answer():
    bus = Bus()
    bus.inbox.update = Update()
    part = read_file(table.BITMAP_FILE, 2, 1)[3:]
    answer = bus.ask(bytes((UNIT, 20, 14)) + part + read_file(table.BITMAP_FILE, 29, 1)[3:])
    assert answer == bytes((UNIT, 20, 8, 3, 6, 2, 3, 3, 6, 29, 30))
    refused(bus, bytes((UNIT, 20, 14)) + part + read_file(table.BITMAP_FILE, 29, 2)[3:], 2)


def test_a_block_is_written_and_the_answer_repeats_the_request():
    bus = Bus()
    bus.inbox.update = update = Update()
    request = write_file(table.BLOCK_FILE + 7, 0, BLOCK)
    assert bus.ask(request) == request
    assert (update.block, bytes(update.data)) == (7, BLOCK)
    refused(bus, write_file(table.BLOCK_FILE + 7, 1, BLOCK), 2)
    refused(bus, write_file(table.BLOCK_FILE + 7, 0, BLOCK[:-2]), 3)
    refused(bus, write_file(0, 0, b"ab"), 2)
    refused(bus, write_file(9, 0, b"ab"), 2)
    refused(bus, bytes((UNIT, 21, 7, 6, 0, 3, 0, 0, 0, 0)), 3)  # no record at all
    long = bytearray(write_file(table.COMMAND_FILE, 0, b"abcd"))
    long[9] = 1  # the length of the part and of the frame disagree
    refused(bus, bytes(long), 3)
    bus.inbox.update = None
    refused(bus, request, 2)


def test_a_block_goes_to_the_holding_registers_as_well():
    bus = Bus()
    bus.inbox.update = update = Update()
    at = table.BLOCK_ADDRESS + 120 * 3
    assert bus.ask(words(16, at, 120) + b"\xf0" + BLOCK) == words(16, at, 120)
    assert (update.block, bytes(update.data)) == (3, BLOCK)
    refused(bus, words(16, at + 1, 120) + b"\xf0" + BLOCK, 2)
    refused(bus, words(16, at, 119) + b"\xee" + BLOCK[:-2], 3)
    assert bus.ask(words(3, table.BLOCK_ADDRESS, 30))[2:5] == bytes((60, 0, 1))
    refused(bus, words(3, table.BLOCK_ADDRESS, 31), 2)


def test_blocks_may_be_broadcast():
    for request in (
        write_file(table.BLOCK_FILE + 9, 0, BLOCK, unit=0),
        words(16, table.BLOCK_ADDRESS + 1080, 120, unit=0) + b"\xf0" + BLOCK,
    ):
        bus = Bus()
        bus.inbox.update = update = Update()
        assert bus.ask(request) is None
        assert (update.block, bytes(update.data)) == (9, BLOCK)
        assert bus.ask(read_file(table.BITMAP_FILE, 0, 1, unit=0)) is None


def test_one_command_waits_and_the_next_is_busy_meanwhile():
    bus = Bus()
    frame_of_command = b"\5\0" + bytes(48)
    assert bus.ask(write_file(table.COMMAND_FILE, 0, frame_of_command)) is not None
    assert bus.inbox.size == 50
    at = table.COMMAND_ADDRESS
    refused(bus, words(16, at, 25) + b"\x32" + frame_of_command, 6)
    assert bus.ask(words(6, 10, 5)) == words(6, 10, 5)  # the flash is busy, the rest is not
    bus.inbox.size = 0
    assert bus.ask(words(16, at, 25) + b"\x32" + frame_of_command) == words(16, at, 25)
    assert bytes(bus.inbox.frame[:50]) == frame_of_command
    bus.inbox.size = 0
    refused(bus, words(16, at, 123) + b"\xf6" + bytes(246), 3)
    refused(bus, words(16, at + 1, 1) + b"\2ab", 2)
    refused(bus, words(3, at, 1), 2)  # a frame is never read back


def test_a_broadcast_carries_addresses_and_no_commands():
    bus = Bus()
    at = table.COMMAND_ADDRESS
    assert bus.ask(words(16, at, 25, unit=0) + b"\x32" + b"\1\0" + bytes(48)) is None
    assert bus.ask(write_file(table.COMMAND_FILE, 0, b"\1\0" + bytes(48), unit=0)) is None
    assert bus.inbox.size == 0
    assert bus.ask(words(16, at, 10, unit=0) + b"\x14" + b"\x40\x11" + bytes(18)) is None
    assert bus.inbox.size == 20
    bus.inbox.size = 0
    assert bus.ask(words(16, at, 25) + b"\x32" + b"\1\0" + bytes(48)) is not None
    assert bus.inbox.size == 50


def test_17h_writes_first_and_reads_then():
    bus = Bus()
    seconds = bus.bank.at(b"identify_seconds")
    answer = bus.ask(both(seconds, 1, seconds, b"\0\x07"))
    assert answer == bytes((UNIT, 23, 2, 0, 7))
    assert bus.writes == [(HOLDING, seconds, 1)]


def test_17h_does_both_or_neither():
    bus = Bus()
    seconds = bus.bank.at(b"identify_seconds")
    size = len(bus.bank.cells[HOLDING])
    refused(bus, both(size, 1, seconds, b"\0\x07"), 2)
    refused(bus, both(seconds, 1, size, b"\0\x07"), 2)
    refused(bus, both(seconds, 1, 0, b"\0\x07"), 2)  # read only
    refused(bus, both(seconds, 1, seconds, b"\x02\x59"), 3)  # 601 s
    refused(bus, both(seconds, 0, seconds, b"\0\x07"), 3)
    refused(bus, both(seconds, 126, seconds, b"\0\x07"), 3)
    refused(bus, both(0, 125, seconds, b"\0\x07"), 2)
    refused(bus, both(seconds, 1, seconds, b""), 3)
    refused(bus, both(seconds, 1, 0, bytes(242)), 2)  # 121 may be asked for, and are not all there
    refused(bus, words(23, seconds, 1) + words(0, 0, 122)[2:] + b"\xf2" + bytes(242), 3)  # 122 may not
    refused(bus, both(seconds, 1, seconds, b"\0\x07")[:-3] + b"\4\0\x07\0\0", 3)  # wrong byte count
    assert bus.bank.cells[HOLDING][seconds] == 0
    assert not bus.writes


def test_quantities_of_10h_and_0fh_at_their_limits():
    bus = Bus()
    refused(bus, words(16, 0, 123) + b"\xf6" + bytes(246), 2)
    refused(bus, words(16, 0, 124) + b"\xf6" + bytes(246), 3)
    refused(bus, words(15, 0, 1968) + b"\xf6" + bytes(246), 2)
    refused(bus, words(15, 0, 1969) + b"\xf7" + bytes(247), 3)


def test_the_long_functions_survive_any_cut_and_any_flipped_bit():
    for body in (write_file(table.COMMAND_FILE, 0, b"\5\0abcd"), both(10, 1, 10, b"\0\x07"), read_file(9, 0, 1)):
        whole = frame(body)
        for cut in range(1, len(whole)):
            bus = Bus()
            bus.hear(whole[:cut])
            bus.pass_time(20000)
            bus.hear(whole[cut:])
            assert bus.said(), (body, cut)
        for bit in range(8 * len(whole)):
            bad = bytearray(whole)
            bad[bit // 8] ^= 1 << bit % 8
            bus = Bus()
            bus.hear(bad)
            assert bus.said() == b"", bit
            bus.pass_time(SILENCE_US)
            assert bus.uart.sent() == b"", bit
            assert bus.inbox.size == 0
            assert not bus.writes


def test_a_gap_of_t15_inside_a_frame_is_no_end_of_it():
    whole = frame(both(10, 1, 10, b"\0\x07"))
    bus = Bus()
    for byte in whole:
        bus.hear(bytes((byte,)))
        bus.pass_time(1563)  # t1.5 at 9600 baud
    assert bus.said()


def meanwhile(bus, rest):
    """An open() for the journal's commit: it takes its time, the master sends on, and the UART keeps it."""

    def slow(name, mode):
        journal.open = open
        bus.uart.feed(rest)
        return open(name, mode)

    return slow


def test_a_write_that_comes_while_the_flash_is_written_is_taken_whole():
    for cut in range(9):
        clean()
        bus = Bus()
        whole = frame(words(6, 10, 7))
        bus.hear(whole[:cut])
        journal.open = meanwhile(bus, whole[cut:])
        bus.journal.note(0, 0, STATE, 1, 2, 3)
        bus.journal.step(1)
        bus.pass_time(30000)
        assert bus.said() == whole, cut
        assert bus.writes == [(HOLDING, 10, 1)]
        assert (bus.journal.next, Bus().journal.next) == (1, 1)


def test_its_own_echo_of_15h_is_no_second_command():
    bus = Bus(echo=True)
    bus.inbox.update = update = Update()
    request = write_file(table.BLOCK_FILE, 0, BLOCK)
    for _ in range(2):
        assert bus.ask(request) == request
        update.block = -1
        bus.pass_time(PAUSE_US)
        assert bus.uart.sent() == b""
        assert update.block == -1


def test_the_same_block_twice_is_answered_twice_without_echo():
    bus = Bus()
    bus.inbox.update = Update()
    bus.ask(words(4, 0, 1))
    request = write_file(table.BLOCK_FILE, 0, BLOCK)
    assert bus.ask(request) == request
    assert bus.ask(request) == request


def test_the_counters_of_the_bus():
    bus = Bus()
    bus.ask(words(4, 0, 1))
    bus.ask(words(4, 0x7000, 1))
    bus.ask(words(6, 10, 5, unit=0))
    bus.ask(words(4, 0, 1, unit=9))
    slave = bus.slave
    assert (slave.frames, slave.requests, slave.refused, slave.foreign) == (4, 3, 1, 0)


def test_serving_files_allocates_nothing():
    bus = filled(3)
    bus.inbox.update = Update()
    ready = read_file(table.JOURNAL_FILE, 0, 48)
    bus.ask(ready)
    bus.journal.step(1)
    bodies = (
        ready, read_file(table.JOURNAL_FILE, 16, 16), read_file(table.BITMAP_FILE, 0, 30), both(10, 1, 10, b"\0\x07"),
        write_file(table.BLOCK_FILE + 1, 0, BLOCK), write_file(table.COMMAND_FILE, 0, b"\5\0abcd"),
        words(16, table.COMMAND_ADDRESS, 2) + b"\4abcd", words(3, table.BLOCK_ADDRESS, 30), read_file(9, 0, 1),
        words(16, table.BLOCK_ADDRESS, 120) + b"\xf0" + BLOCK,
    )  # fmt: skip
    requests = [frame(body) for body in bodies]
    slave, uart, now = bus.slave, bus.uart, bus.now
    slave.written = nothing
    micropython.heap_lock()
    try:
        for request in requests:
            uart.feed(request)
            now += 100000
            slave.step(now)
            slave.step(now + 5000)
            slave.step(now + 60000)
    finally:
        micropython.heap_unlock()
    assert slave.requests == len(requests) + 1, slave.requests
    assert slave.refused == 4, slave.refused


def nothing(kind, address, count):
    pass


harness.run(globals())
