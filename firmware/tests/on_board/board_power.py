"""The power is cut at every operation of the flash: settings, memory and journal on littlefs. Runs on a RAM disk.

The disk counts what littlefs asks of it. At the operation that is to be the last, half of the bytes are programmed
(or erased) and everything after that fails; then a board starts on what is left.
"""

import gc
import os

import harness
import journal
import vfs
from journal import Journal
from slots import Slots

_BLOCK = 512
_BLOCKS = 80


_EIO = -5  # what a block device returns; to raise through littlefs would leave it in pieces


class Disk:
    """Flash in RAM. `left` operations that change it still work, the last of them by half; -1 all of them."""

    def __init__(self):
        self.data = bytearray(_BLOCK * _BLOCKS)
        self.left = -1

    def readblocks(self, number, buffer, offset=0):
        start = number * _BLOCK + offset
        buffer[:] = memoryview(self.data)[start : start + len(buffer)]

    def writeblocks(self, number, buffer, offset):
        return self._change(number * _BLOCK + offset, buffer)

    def _change(self, start, buffer):
        if self.left == 0:
            return _EIO
        size = len(buffer)
        if self.left > 0:
            self.left -= 1
            if self.left == 0:
                size //= 2  # this one is only half done
        self.data[start : start + size] = memoryview(buffer)[:size]
        return _EIO if self.left == 0 else 0

    def ioctl(self, request, argument):
        if request == 4:
            return _BLOCKS
        if request == 5:
            return _BLOCK
        if request == 6:
            return self._change(argument * _BLOCK, _ERASED)
        return 0


_ERASED = b"\xff" * _BLOCK
_DISK = Disk()
_BEFORE = bytearray(_BLOCK * _BLOCKS)


class World:
    """A disk whose state can be put back, mounted as the flash of the board."""

    def __init__(self, prepare):
        self.disk = _DISK
        self.disk.left = -1
        vfs.VfsLfs2.mkfs(self.disk)
        self.mount()
        prepare()
        self.unmount()
        _BEFORE[:] = self.disk.data

    def mount(self):
        vfs.mount(vfs.VfsLfs2(self.disk), "/flash")
        os.chdir("/flash")

    def unmount(self):
        os.chdir("/")
        vfs.umount("/flash")

    def every_cut(self, work, check):
        """work() with the power cut at each operation in turn, check(finished, cut) on what is left each time."""
        cut = 0
        while True:
            cut += 1
            self.disk.data[:] = _BEFORE
            self.disk.left = cut
            self.mount()
            acknowledged = []
            try:
                work(acknowledged)
                whole = True
            except OSError:
                whole = False
            self.disk.left = -1
            self.unmount()
            gc.collect()
            self.mount()
            check(acknowledged, cut)
            self.unmount()
            if whole:
                return cut


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
        book.note(1000 * number, 0, journal.STATE, number & 0xFFFF, number)
        book.step(1000 * number)
        if done is not None:
            done.append(number)


def entries(book):
    """What can be read of it, as numbers; each must carry itself."""
    found = []
    out = bytearray(32)
    for number in range(book.first, book.next):
        record = number % journal.SLOTS * 16
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
