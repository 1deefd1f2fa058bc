"""The power is cut at every operation of the flash: settings and journal on littlefs, on a disk in RAM."""

import harness
from journal import Journal
from ramdisk import World
from slots import Slots

STATE = 3


def nothing():
    pass


def test_the_disk_counts_and_cuts():
    world = World(nothing)

    def work(done):
        with open("x", "wb") as file:
            file.write(b"y" * 1000)

    assert world.every_cut(work, lambda done, cut: None) > 4


def save_twice():
    slots = Slots("settings")
    slots.save({"value": 1, "text": "x" * 200})
    slots.save({"value": 2, "text": "x" * 200})


def test_settings_are_the_old_or_the_new_and_what_was_said_to_be_kept_is():
    def work(done):
        slots = Slots("settings")
        slots.load()
        for value in (3, 4, 5):
            slots.save({"value": value, "text": "y" * (80 * value)})
            done.append(value)

    def check(done, cut):
        slots = Slots("settings")
        value = slots.load()["value"]
        least = done[-1] if done else 2
        assert least <= value <= least + 1, (cut, done, value)
        slots.save({"value": 9})  # the board that was cut goes on
        assert Slots("settings").load()["value"] == 9, cut

    assert World(save_twice).every_cut(work, check) > 6


def write(book, numbers, done):
    for number in numbers:
        book.note(1000 * number, 0, STATE, number & 0xFFFF, number)
        book.step(1000 * number)
        if done is not None:
            done.append(number)


def entries(book):
    """What can be read of it, as numbers; each must carry itself."""
    found = []
    out = bytearray(32)
    for number in range(book.first, book.next):
        record = number % 600 * 16
        book.read(record, 16, out, 0)
        book.step(0)
        assert book.read(record, 16, out, 0) == 0
        assert int.from_bytes(out[:4], "big") == number, number
        assert int.from_bytes(out[20:24], "big") == number, number
        found.append(number)
    return found


def check_journal(done, cut):
    book = Journal(2, 0)
    least = done[-1] + 1 if done else None
    if least is not None:
        assert least <= book.next <= least + 1, (cut, done, book.next)
    begin = book.next
    assert entries(book)[-1] == begin - 1
    write(book, range(begin, begin + 2), None)
    assert Journal(3, 0).next == begin + 2, cut


def test_no_entry_that_was_acknowledged_is_lost():
    def work(done):
        write(Journal(2, 0), range(57, 63), done)  # over the border of two files

    world = World(lambda: write(Journal(1, 0), range(57), None))
    assert world.every_cut(work, check_journal) > 6


def test_the_ring_turns_without_losing_the_others():
    def prepare():
        write(Journal(1, 0), range(658), None)
        assert Journal(1, 0).first == 60

    def work(done):
        write(Journal(2, 0), range(658, 661), done)

    def check(done, cut):
        check_journal(done, cut)
        book = Journal(2, 0)
        assert book.next - book.first >= 512

    world = World(prepare)
    assert world.every_cut(work, check) > 3


harness.run(globals())
