"""The journal: what an entry holds, what happens when the flash refuses, when too much happens, after a restart."""

import os
import struct

import harness
from crc16 import crc16
from journal import Journal

TRIP, STATE = 2, 3


def clean():
    for name in os.listdir():
        os.remove(name)


def entry(book, number):
    out = bytearray(32)
    record = number % 600 * 16
    book.read(record, 16, out, 0)
    book.step(0)
    assert book.read(record, 16, out, 0) == 0
    return struct.unpack(">IHHIHIHIIH", out), crc16(out, 0, 32)


def test_an_entry_has_number_boot_kind_time_values_and_crc():
    clean()
    book = Journal(41, 500)
    book.note(7_750, 1_700_000_000, TRIP, 2, 160_000, 3)
    book.step(7_750)
    fields, crc = entry(book, 0)
    assert fields == (0, 41, TRIP, 7, 250, 1_700_000_000, 2, 160_000, 3, 0)
    assert crc == 0
    assert (book.first, book.next) == (0, 1)


def test_time_goes_on_over_hours():
    clean()
    book = Journal(1, 0)
    for now in range(0, 10_000_000, 600_000):
        book.step(now)
    book.note(10_000_000, 0, STATE)
    book.step(10_000_000)
    assert entry(book, 0)[0][3:5] == (10_000, 0)


def test_a_restart_goes_on_counting():
    clean()
    for boot in range(1, 4):
        book = Journal(boot, 0)
        for _ in range(70):
            book.note(0, 0, STATE)
            book.step(0)
        assert book.next == 70 * boot
    assert entry(Journal(4, 0), 139)[0][:2] == (139, 2)


def test_it_keeps_at_least_512():
    clean()
    book = Journal(1, 0)
    for _ in range(1300):
        book.note(0, 0, STATE)
        book.step(0)
        assert min(book.next, 512) <= book.next - book.first <= 600
    again = Journal(2, 0)
    assert (again.first, again.next) == (book.first, 1300)
    assert entry(again, again.first)[0][0] == again.first


def test_what_does_not_fit_is_counted_in_the_next_that_does():
    clean()
    book = Journal(1, 0)
    for _ in range(11):
        book.note(0, 0, STATE)
    book.step(0)
    assert book.next == 8
    book.note(0, 0, STATE)
    book.step(0)
    assert entry(book, 8)[0][9] == 3
    assert entry(book, 7)[0][9] == 0


def test_a_flash_that_refuses_is_asked_again_and_nothing_is_lost():
    clean()
    book = Journal(1, 0)
    os.mkdir("journal.0")
    book.note(0, 0, STATE, 5)
    try:
        book.step(0)
        raise AssertionError("the flash took it")
    except OSError:
        pass
    assert book.next == 0
    os.rmdir("journal.0")
    book.step(5_000)
    assert book.next == 0  # not before ten seconds
    book.step(10_001)
    assert entry(book, 0)[0][6] == 5


def test_a_torn_end_of_a_file_is_mended():
    clean()
    book = Journal(1, 0)
    for number in range(5):
        book.note(0, 0, STATE, number)
        book.step(0)
    with open("journal.0", "ab") as file:
        file.write(b"\0\0\0\5 torn")
    again = Journal(2, 0)
    assert again.next == 5
    again.note(0, 0, STATE, 77)
    again.step(0)
    assert entry(Journal(3, 0), 5)[0][6] == 77
    assert entry(Journal(3, 0), 4)[0][6] == 4


harness.run(globals())
