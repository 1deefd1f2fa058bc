"""The USB port of one board: a terminal for tools outside, the REPL's terminal inside, bytes between them.

It never waits for a tool: what nobody reads is forgotten, the oldest first, as by a port that nobody opened.
"""

from hil_tests.rig.loop import Loop, Timer
from hil_tests.rig.repl import SOFT_REBOOT, Relay, State
from hil_tests.rig.terminal import Terminal

_BACKLOG = 65536
# A tool that has not read for so long has gone: it gets the newest output when it comes back, not the oldest.
_DESERTED_S = 1.0
_LOOK_AGAIN_S = 0.005  # for a prompt that is about to read
_RETRY_S = 0.02


class Usb:
    """One port. `path` is for tools, `console` for the board's process. All methods run in the loop's thread."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._outside, self._inside = Terminal(), Terminal(interrupts=True)
        self._relay = Relay()
        self._listening = False
        self._pump: Timer | None = None
        self._output = bytearray()
        self._output_moved = loop.now()
        self._drain: Timer | None = None
        loop.watch(self._outside.master, self._from_host)
        loop.watch(self._inside.master, self._from_board)

    @property
    def path(self) -> str:
        """The terminal that tools open."""
        return self._outside.path

    @property
    def console(self) -> str:
        """The terminal of the board's process."""
        return self._inside.path

    @property
    def raw(self) -> bool:
        """Whether the REPL is in raw mode, and must be again after a soft reset."""
        return self._relay.raw

    def board_boots(self) -> None:
        """A process is about to start on `console`."""
        self._inside.discard_unread()
        self._inside.restore()
        self._relay.restarted()

    def board_listens(self) -> None:
        """It runs: what tools wrote meanwhile goes to it."""
        self._listening = True
        self._feed_board()

    def board_ended(self, soft: bool) -> None:
        """It is gone, by a soft reset or by a harder one, which loses the mode of the REPL."""
        self._from_board()  # its last words
        self._listening = False
        if soft:
            self._to_host(SOFT_REBOOT)
        else:
            self._relay.raw = False

    def close(self) -> None:
        """Give back both terminals."""
        for timer in (self._pump, self._drain):
            if timer is not None:
                timer.cancel()
        for terminal in (self._outside, self._inside):
            self._loop.unwatch(terminal.master)
            terminal.close()

    def _from_host(self) -> None:
        self._relay.from_host(self._outside.read())
        self._feed_board()

    def _feed_board(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            self._pump = None
        state: State = "booting"
        if self._listening:
            state = "running" if self._inside.interruptible else "prompt"
        part = self._relay.to_board(state, self._loop.now())
        if part:
            self._relay.give_back(part[self._inside.write(part) :])
        if self._relay.waiting and self._listening:
            self._pump = self._loop.after(_LOOK_AGAIN_S, self._feed_board)

    def _from_board(self) -> None:
        data = self._inside.read()
        if data:
            self._to_host(self._relay.to_host(data))

    def _to_host(self, data: bytes) -> None:
        self._output += data
        self._empty_output()

    def _empty_output(self) -> None:
        now = self._loop.now()
        sent = self._outside.write(bytes(self._output)) if self._output else 0
        del self._output[:sent]
        if sent or not self._output:
            self._output_moved = now
        elif now - self._output_moved > _DESERTED_S:
            self._outside.discard_unread()
            del self._output[:-1024]
        del self._output[:-_BACKLOG]
        if self._drain is not None:
            self._drain.cancel()
        self._drain = self._loop.after(_RETRY_S, self._empty_output) if self._output else None
