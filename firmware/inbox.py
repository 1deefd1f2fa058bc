"""Where files and frames of the bus come in: the file records of 14h and 15h, and the holding registers that reach
the same for masters without those functions. It keeps one command frame for `service` to judge and hands blocks to
a running update. It allocates nothing, touches no flash and never judges.
"""

import table
from micropython import const

_ILLEGAL_ADDRESS = const(2)
_ILLEGAL_VALUE = const(3)
_BUSY = const(6)

_BLOCK = const(120)  # registers of a block of a bundle: 240 bytes
_FRAME = const(240)
_ADDRESS = const(64)  # the code of an addressing frame


class Inbox:
    """`size` is that of the command frame that waits, 0 when none does. `update` is the running update or None.

    `broadcast` says that what is written now was for all: that carries no authority, and only addressing needs none.
    """

    def __init__(self, journal) -> None:
        self.frame = bytearray(_FRAME)
        self.size = 0
        self.broadcast = False
        self.update = None
        self._journal = journal

    def holds(self, address: int) -> bool:
        """Whether a holding register is the mailbox's and not the bank's."""
        return address == table.COMMAND_ADDRESS or address >= table.BLOCK_ADDRESS

    def read(self, file: int, record: int, words: int, out, at: int) -> int:
        """`words` records into out[at:]; 0 or an exception code. File 0 are the holding registers."""
        if file == table.JOURNAL_FILE:
            return self._journal.read(record, words, out, at)
        if file == 0 and record == table.BLOCK_ADDRESS:
            file = table.BITMAP_FILE
            record = 0
        if file != table.BITMAP_FILE or self.update is None:
            return _ILLEGAL_ADDRESS
        return self.update.missing(record, words, out, at)

    def write(self, file: int, record: int, words: int, data, at: int) -> int:
        """`words` records from data[at:]; 0 or an exception code."""
        if file == 0:
            if record == table.COMMAND_ADDRESS:
                return self._command(words, data, at)
            offset = record - table.BLOCK_ADDRESS
            return _ILLEGAL_ADDRESS if offset % _BLOCK else self._block(offset // _BLOCK, words, data, at)
        if record == 0 and file == table.COMMAND_FILE:
            return self._command(words, data, at)
        if record == 0 and file >= table.BLOCK_FILE:
            return self._block(file - table.BLOCK_FILE, words, data, at)
        return _ILLEGAL_ADDRESS

    def _command(self, words: int, data, at: int) -> int:
        if self.broadcast and data[at] != _ADDRESS:
            return _ILLEGAL_ADDRESS
        if 2 * words > _FRAME:
            return _ILLEGAL_VALUE
        if self.size:
            return _BUSY  # the one before was not judged yet
        for index in range(2 * words):
            self.frame[index] = data[at + index]
        self.size = 2 * words
        return 0

    def _block(self, block: int, words: int, data, at: int) -> int:
        if self.update is None:
            return _ILLEGAL_ADDRESS
        if words != _BLOCK:
            return _ILLEGAL_VALUE
        return self.update.take(block, data, at)
