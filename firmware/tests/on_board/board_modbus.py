"""The Modbus slave on a bus in virtual time: functions, exceptions, framing, silence, echo, broadcast."""

import harness
import micropython
from line import NUMBER, PAUSE_US, SILENCE_US, UNIT, Bus, frame, refused, words
from registers import COIL, DISCRETE, HOLDING, INPUT

READ = words(4, 0, 10)


def test_reading_input_registers_smallest_largest_and_last():
    bus = Bus()
    assert bus.ask(words(4, 0, 1)) == bytes((UNIT, 4, 2, 0, 7))
    live = 26  # the live block has no holes
    whole = bus.ask(words(4, 0, live))
    assert whole[2] == 2 * live
    assert whole[-2:] == bytes((live - 1, 7))
    last = len(bus.bank.cells[INPUT]) - 1
    assert bus.ask(words(4, last, 1))[3:] == bytes((last, 7))


def test_any_missing_register_of_a_range_is_exception_02():
    bus = Bus()
    for function, kind in ((1, COIL), (2, DISCRETE), (3, HOLDING), (4, INPUT)):
        size = len(bus.bank.cells[kind])
        refused(bus, words(function, size, 1), 2)
        first = max(0, size - 100)  # one request reads 125 at most
        refused(bus, words(function, first, size - first + 1), 2)
        refused(bus, words(function, size - 1, 2), 2)
        refused(bus, words(function, 0xFFFF, 1), 2)
        refused(bus, words(function, 0xFFFF, 2), 2)


def test_quantities_out_of_range_are_exception_03():
    bus = Bus()
    for function, most in ((1, 2000), (2, 2000), (3, 125), (4, 125)):
        refused(bus, words(function, 0, 0), 3)
        refused(bus, words(function, 0, most + 1), 3)
        refused(bus, words(function, 0, most), 2)  # the quantity is right, the registers are missing


def test_bits_are_packed_lowest_first():
    bus = Bus()
    bus.bank.cells[COIL][1] = 1
    assert bus.ask(words(1, 0, 2)) == bytes((UNIT, 1, 1, 2))
    assert bus.ask(words(1, 1, 1)) == bytes((UNIT, 1, 1, 1))
    assert bus.ask(words(2, 0, 2)) == bytes((UNIT, 2, 1, 0))


def test_a_coil_takes_ff00_and_0000_only():
    bus = Bus()
    assert bus.ask(words(5, 0, 0xFF00)) == words(5, 0, 0xFF00)
    assert bus.bank.cells[COIL][0] == 1
    assert bus.writes == [(COIL, 0, 1)]
    refused(bus, words(5, 0, 1), 3)
    refused(bus, words(5, 2, 0xFF00), 2)
    assert bus.ask(words(5, 0, 0)) == words(5, 0, 0)
    assert bus.bank.cells[COIL][0] == 0


def test_a_register_is_written_within_its_limits():
    bus = Bus()
    seconds = bus.bank.at(b"identify_seconds")
    assert bus.ask(words(6, seconds, 600)) == words(6, seconds, 600)
    refused(bus, words(6, seconds, 601), 3)
    assert bus.bank.cells[HOLDING][seconds] == 600
    refused(bus, words(6, bus.bank.at(b"rating"), 1), 2)  # read only
    refused(bus, words(6, 100, 1), 2)


def test_half_of_a_long_value_cannot_be_written():
    bus = Bus()
    clock = bus.bank.at(b"clock")
    refused(bus, words(6, clock, 1), 2)
    refused(bus, words(6, clock + 1, 1), 2)
    refused(bus, words(16, clock - 1, 2) + b"\4\0\1\0\1", 2)
    assert bus.ask(words(16, clock, 2) + b"\4\x6a\xb1\0\x03") == words(16, clock, 2)
    assert list(bus.bank.cells[HOLDING])[clock : clock + 2] == [0x6AB1, 3]
    assert bus.writes == [(HOLDING, clock, 2)]


def test_a_refused_write_changes_nothing():
    bus = Bus()
    before = bytes(bus.bank.cells[HOLDING])
    refused(bus, words(16, bus.bank.at(b"identify_seconds"), 3) + b"\6\x02\x59\0\1\0\1", 3)
    refused(bus, words(16, 9, 2) + b"\4\0\1\0\1", 2)
    refused(bus, words(16, 10, 1) + b"\4\0\1\0\1", 3)  # wrong byte count
    refused(bus, words(16, 10, 0) + b"\0", 3)
    refused(bus, words(15, 0, 3) + b"\1\7", 2)
    refused(bus, words(15, 0, 2) + b"\2\3\0", 3)
    refused(bus, words(15, 0, 0) + b"\0", 3)
    assert bytes(bus.bank.cells[HOLDING]) == before
    assert not bus.writes


def test_many_coils_are_written_at_once():
    bus = Bus()
    assert bus.ask(words(15, 0, 2) + b"\1\3") == words(15, 0, 2)
    assert bytes(bus.bank.cells[COIL]) == b"\1\1"
    assert bus.ask(words(15, 1, 1) + b"\1\0") == words(15, 1, 1)
    assert bytes(bus.bank.cells[COIL]) == b"\1\0"


def test_device_identification_as_stream_and_one_by_one():
    bus = Bus()
    basic = bus.ask(bytes((UNIT, 0x2B, 0x0E, 1, 0)))
    assert basic == bytes((UNIT, 0x2B, 0x0E, 1, 0x83, 0, 0, 3)) + b"\0\4Gewu\1\x0cgewu-breaker\2\x031.2"
    assert bus.ask(bytes((UNIT, 0x2B, 0x0E, 2, 0)))[7] == 5
    assert bus.ask(bytes((UNIT, 0x2B, 0x0E, 3, 0)))[7] == 6
    assert bus.ask(bytes((UNIT, 0x2B, 0x0E, 3, 5)))[7:] == b"\2\5\1x\x80\x09GW-000001"
    assert bus.ask(bytes((UNIT, 0x2B, 0x0E, 1, 9))) == basic  # an unknown object starts the stream again
    assert bus.ask(bytes((UNIT, 0x2B, 0x0E, 4, 0x80)))[7:] == b"\1\x80\x09GW-000001"
    refused(bus, bytes((UNIT, 0x2B, 0x0E, 4, 3)), 2)
    refused(bus, bytes((UNIT, 0x2B, 0x0E, 5, 0)), 3)
    refused(bus, bytes((UNIT, 0x2B, 0x0D, 1, 0)), 1)


def test_unknown_functions_are_exception_01():
    bus = Bus()
    for function in (7, 8, 11, 12, 17, 22, 24, 0x41, 0x64):
        body = bytes((UNIT, function, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0)[: 2 + function % 5 if function > 24 else 0] or ())
        if not body:
            lengths = {7: 2, 8: 6, 11: 2, 12: 2, 17: 2, 22: 8, 24: 4}
            body = bytes((UNIT, function, 7) + (0,) * 20)[: lengths[function]]
        refused(bus, body, 1)


def test_a_broadcast_write_acts_and_is_silent():
    bus = Bus()
    clock = bus.bank.at(b"clock")
    assert bus.ask(words(16, clock, 2, unit=0) + b"\4\x6a\xb1\0\x03") is None
    assert bus.bank.cells[HOLDING][clock] == 0x6AB1
    assert bus.ask(words(5, 0, 0xFF00, unit=0)) is None
    assert bus.bank.cells[COIL][0] == 1
    assert bus.ask(words(4, 0, 1, unit=0)) is None
    assert bus.ask(words(5, 9, 0xFF00, unit=0)) is None
    assert bus.ask(READ) is not None


def test_it_waits_t35_before_it_answers_and_drives_the_bus_only_then():
    bus = Bus()
    bus.hear(frame(READ))
    bus.pass_time(3500)
    assert bus.uart.sent() == b""
    assert bus.de.level == 0
    bus.pass_time(200)
    assert len(bus.uart.sent()) == 25
    assert bus.de.level == 1
    bus.pass_time(100)
    assert bus.de.level == 0


def test_a_frame_may_come_in_any_two_pieces():
    whole = frame(words(16, 11, 2) + b"\4\0\1\0\2")
    for cut in range(1, len(whole)):
        bus = Bus()
        bus.hear(whole[:cut])
        bus.pass_time(20000)  # a slow host's gap is no end of a frame
        bus.hear(whole[cut:])
        assert len(bus.said()) == 8, cut


def test_every_flipped_bit_makes_it_silent_and_the_next_frame_is_heard():
    good = frame(READ)
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        bus = Bus()
        bus.hear(bad)
        assert bus.said() == b"", bit
        bus.pass_time(SILENCE_US)
        assert bus.uart.sent() == b"", bit
        assert bus.ask(READ) is not None, bit


def test_a_broken_frame_straight_before_a_good_one_hides_it_only_until_silence():
    bad = bytearray(frame(READ))
    bad[7] ^= 1
    bus = Bus()
    bus.hear(bytes(bad) + frame(READ))
    if not bus.said():
        bus.pass_time(SILENCE_US)
        assert len(bus.said()) == 25
    assert bus.slave.framer.broken == 1


def test_neighbours_talk_is_followed_wherever_it_is_cut():
    request = frame(words(4, 0, 10, unit=9))
    reply = frame(bytes((9, 4, 20)) + bytes(range(20)))
    talk = request + reply + frame(words(6, 1, 2, unit=7)) + frame(words(6, 1, 2, unit=7)) + frame(READ)
    for cut in range(1, len(talk)):
        bus = Bus()
        bus.hear(talk[:cut])
        bus.hear(talk[cut:])
        assert len(bus.said()) == 25, cut
        assert (bus.slave.frames, bus.slave.framer.broken) == (5, 0), cut


def test_a_reply_that_carries_a_request_for_us_is_not_answered():
    inside = frame(words(6, 10, 60))
    reply = frame(bytes((9, 3, 8)) + inside)
    bus = Bus()
    bus.hear(frame(words(3, 0, 4, unit=9)) + reply)
    assert bus.said() == b""
    assert not bus.writes


def test_a_reply_whose_head_is_a_valid_request_is_taken_as_a_reply():
    # Eight bytes are due, and the first eight of the whole reply are a request with a right CRC.
    head = frame(words(3, 0x0800, 1))
    reply = frame(head + b"\1\2\3")
    for wait in (0, 200000):  # a slow neighbour, too
        for cut in range(1, len(reply)):
            bus = Bus()
            bus.hear(frame(words(3, 0, 4)))
            bus.slave.answer = 0  # our double answers instead
            bus.pass_time(wait)
            bus.hear(reply[:cut])
            bus.hear(reply[cut:])
            assert bus.said() == b"", cut
            assert bus.slave.frames == 2, cut


def test_the_head_of_a_due_reply_that_is_a_whole_request_waits_for_the_rest():
    # Quantity 2 makes byte count 4 due; a request whose address begins with 04 looks just like it.
    bus = Bus()
    bus.hear(frame(words(3, 0, 2, unit=9)))
    lookalike = frame(words(3, 0x0400, 1, unit=9))
    bus.hear(lookalike)
    assert bus.slave.frames == 1
    bus.pass_time(SILENCE_US)
    assert bus.ask(READ) is not None


def test_a_retried_request_is_answered_though_it_looks_like_a_due_reply():
    bus = Bus()
    bus.slave.unit = 9  # we miss the first one
    request = words(4, 0x1400, 10)
    bus.hear(frame(request))
    bus.slave.unit = UNIT
    bus.hear(frame(request))  # 14h bytes are due, and the address begins with 14h
    bus.pass_time(SILENCE_US)
    assert bus.said() == frame(bytes((UNIT, 0x84, 2)))


def test_three_hundred_bytes_of_garbage_then_a_request():
    for seed in range(20):
        bus = Bus()
        state = seed * 7919 + 1
        for _ in range(3):
            noise = bytearray(100)
            for index in range(100):
                state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                noise[index] = state >> 16 & 0xFF
            bus.hear(noise)
        bus.hear(frame(READ))
        answer = bus.said()
        if not answer:
            bus.pass_time(SILENCE_US)
            answer = bus.said()
        assert len(answer) == 25, seed


def test_a_reset_in_the_middle_of_a_frame_costs_that_frame_only():
    bus = Bus()
    bus.hear(frame(READ)[3:])
    bus.pass_time(SILENCE_US)
    assert bus.ask(READ) is not None


def test_a_request_that_others_talk_over_is_old_and_not_served():
    bus = Bus()
    bus.hear(frame(words(6, 10, 60)) + frame(words(4, 0, 1, unit=9)))
    assert bus.said() == b""
    assert not bus.writes
    bus.hear(frame(READ))
    bus.hear(frame(words(4, 0, 1, unit=9)))
    assert bus.said() == b""


def test_its_own_echo_is_taken_for_what_it_is():
    bus = Bus(echo=True)
    for _ in range(3):
        assert len(bus.ask(READ)) == 23
        assert bus.uart.sent() == b""
        assert bus.ask(words(6, 10, 5)) == words(6, 10, 5)
        bus.pass_time(PAUSE_US)
        assert bus.uart.sent() == b""
    assert bus.writes == [(HOLDING, 10, 1)] * 3
    assert bus.slave.foreign == 0


def test_an_echo_of_the_very_first_answer_is_not_served():
    bus = Bus(echo=True)
    assert bus.ask(words(6, 10, 5)) == words(6, 10, 5)
    bus.pass_time(PAUSE_US)
    assert bus.uart.sent() == b""
    assert len(bus.writes) == 1


def test_without_echo_the_same_write_twice_is_served_twice():
    bus = Bus()
    bus.ask(READ)
    assert bus.ask(words(6, 10, 5)) is not None
    assert bus.ask(words(6, 10, 5)) is not None
    assert len(bus.writes) == 2


def test_a_silence_after_an_answer_tells_that_there_is_no_echo():
    bus = Bus()
    assert bus.ask(words(6, 10, 5)) is not None
    bus.pass_time(SILENCE_US)
    assert bus.ask(words(6, 10, 5)) is not None
    assert len(bus.writes) == 2


def test_another_board_with_our_address_is_counted():
    bus = Bus()
    bus.ask(READ)
    bus.hear(frame(bytes((UNIT, 4, 20)) + bytes(20)))
    assert bus.slave.foreign == 1
    assert bus.said() == b""


def test_every_other_unit_is_left_alone():
    bus = Bus()
    for unit in (1, 4, 6, 247):
        assert bus.ask(words(4, 0, 1, unit=unit)) is None


def test_serving_allocates_nothing():
    bus = Bus()
    clock = words(16, 11, 2) + b"\4\0\1\0\2"
    bodies = [READ, words(4, 0, 26), words(3, 0, 13), words(1, 0, 2), words(6, 10, 7), clock, words(5, 0, 0xFF00)]
    bodies += [words(15, 0, 2) + b"\1\3", bytes((UNIT, 0x2B, 0x0E, 3, 0)), words(4, 25, 2), words(9, 0, 0)]
    requests = [frame(body) for body in bodies]
    noise = frame(words(4, 0, 5, unit=9)) + b"\1\2\3"
    now = bus.now
    slave = bus.slave
    uart = bus.uart
    slave.written = nothing
    micropython.heap_lock()
    try:
        for request in requests:
            uart.feed(noise)
            slave.step(now)
            slave.step(now + 60000)
            uart.feed(request)
            now += 100000
            slave.step(now)
            slave.step(now + 5000)
            slave.step(now + 60000)
            now += 100000
    finally:
        micropython.heap_unlock()
    assert slave.frames == 2 * len(requests), slave.frames


def nothing(kind, address, count):
    pass


def call(bits=0, pattern=NUMBER, unit=0, heard=bytes(6), turn=0):
    return bytes((0, 0x41, turn, unit, bits)) + pattern + heard


def test_called_by_all_it_says_who_it_is_and_where():
    bus = Bus()
    answer = bytes((0, 0x41, UNIT, 1)) + NUMBER + b"GW-000001" + bytes(7)
    assert bus.ask(call()) == answer
    for bits in (1, 7, 8, 9, 47, 48):
        assert bus.ask(call(bits)) == answer, bits
        other = bytearray(NUMBER)
        other[5 - (bits - 1) // 8] ^= 1 << (bits - 1) % 8
        assert bus.ask(call(bits, bytes(other))) is None, bits
        assert bits == 1 or bus.ask(call(bits - 1, bytes(other))) == answer, bits
    assert bus.ask(call(unit=UNIT)) == answer
    assert bus.ask(call(unit=UNIT + 1)) is None


def test_who_was_heard_keeps_silent_until_a_new_round():
    bus = Bus()
    near = NUMBER[:5] + b"\x57"
    assert bus.ask(call(heard=near)) is not None
    assert bus.ask(call(heard=NUMBER)) is None
    assert bus.ask(call()) is None
    assert bus.ask(words(4, 0, 1)) is not None  # to its master it goes on answering
    assert bus.ask(call(turn=1)) is not None
    assert bus.ask(call(turn=1, heard=NUMBER)) is None
    assert bus.ask(call(turn=2)) is not None
    assert bus.ask(call(turn=1)) is not None  # a later search may have the number of an earlier one


def test_a_call_and_its_answers_change_nothing_for_the_others():
    for echo in (False, True):
        bus = Bus(echo)
        assert bus.ask(call(unit=UNIT)) is not None
        bus.pass_time(SILENCE_US)
        for unit in (UNIT, 9):  # another board at this very address, and one elsewhere
            bus.hear(frame(bytes((0, 0x41, unit, 0)) + b"\1\2\3\4\5\6" + b"GW-000002" + bytes(7)))
            assert bus.said() == b""
        assert bus.writes == []
        assert (bus.slave.foreign, bus.slave.framer.broken, bus.slave.refused) == (0, 0, 0)
        assert bus.ask(words(4, 0, 1))[:3] == bytes((UNIT, 4, 2))


def test_whoever_talks_first_is_heard():
    bus = Bus()
    bus.hear(frame(call()))
    bus.hear(b"\0\x41")  # a quicker board begins
    assert bus.said() == b""


def test_being_called_allocates_nothing():
    bus = Bus()
    question = frame(call(3))
    bus.hear(question)
    bus.said()
    micropython.heap_lock()
    try:
        bus.hear(question)
        bus.pass_time(PAUSE_US)
    finally:
        micropython.heap_unlock()
    assert bus.uart.sent()[:2] == b"\0\x41"


harness.run(globals())
