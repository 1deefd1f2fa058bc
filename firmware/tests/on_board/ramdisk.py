"""A flash in RAM whose power is cut at every operation, for the scripts that fuzz what lies on it.

The disk counts what littlefs asks of it. At the operation that is to be the last, half of the bytes are programmed
(or erased) and everything after that fails; then a board starts on what is left.
"""

import gc
import os

import vfs

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
