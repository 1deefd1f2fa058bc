"""A server behind a network of its own: a Linux network namespace, and between it and us a wire that loses packets.

The wire is this process: one TUN device here, one in the namespace, and IP packets passed from one to the other, or
lost, or passed later. So TCP does what it does on a bad line, and no module of the kernel is needed for it (tc's netem
is missing from many). It needs the right to make namespaces and devices; `trouble` says what is missing.
"""

import fcntl
import heapq
import itertools
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from gateway.errors import GewuError

_TUN = Path("/dev/net/tun")
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_PACKET = 2048
_READY_S = 20.0
_numbers = itertools.count(1)


def trouble() -> str | None:
    """Why this machine lets us have no namespace; None when it does."""
    if os.geteuid() != 0:
        return "Network namespaces need root."
    if shutil.which("ip") is None:
        return "Network namespaces need the program ip (Debian: apt-get install iproute2)."
    name = f"gewu-try-{os.getpid()}"
    try:
        _ip("netns", "add", name)
        try:
            os.close(_tun(f"gwt{os.getpid()}"))
        finally:
            _ip("netns", "del", name)
    except (OSError, GewuError) as error:
        return f"This machine allows no network namespaces ({error})."
    return None


class NamespaceLink:
    """See `hil_tests.faults.link.SickLink`. `host` is the namespace's end; what connects there reaches 127.0.0.1."""

    kind = "namespace"

    def __init__(self, port: int) -> None:
        number = self._number = next(_numbers)
        self._name = f"gewu-{os.getpid()}-{number}"
        # RFC 2544 gives 198.18.0.0/15 to benchmarks: no real network has it. Four addresses for each link.
        net = (os.getpid() * 8 + number) % 16384 * 4
        self._near, self.host = (f"198.18.{(net + one) >> 8}.{(net + one) & 255}" for one in (1, 2))
        self.port = port
        self._target = port
        self._share = self._delay = 0.0
        self._parted = False
        self._dice = random.Random(number)
        self._stop = threading.Event()
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as ending:
            folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="gewu-ns-")))
            self._make(ending)
            ending.callback(_Gate(folder / "gate", self._target).close)
            self._start_relay(ending, folder / "gate")
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def lose(self, share: float) -> None:
        self._share = share

    def delay(self, seconds: float) -> None:
        self._delay = seconds

    def partition(self) -> None:
        self._parted = True

    def heal(self) -> None:
        self._share, self._delay, self._parted = 0.0, 0.0, False

    def _make(self, ending: ExitStack) -> None:
        """Namespace, both devices, and the thread that is the wire between them."""
        near, far = (f"gw{os.getpid()}{end}{self._number % 100}" for end in "nf")
        _ip("netns", "add", self._name)
        ending.callback(_ip, "netns", "del", self._name)
        files = []
        for device, inside, here, there in ((near, False, self._near, self.host), (far, True, self.host, self._near)):
            file = _tun(device)
            ending.callback(os.close, file)
            files.append(file)
            where = ("-n", self._name) if inside else ()
            if inside:
                _ip("link", "set", device, "netns", self._name)
            _ip(*where, "addr", "add", here, "peer", there, "dev", device)
            _ip(*where, "link", "set", device, "up")
        thread = threading.Thread(target=self._pass, args=tuple(files), name="wire", daemon=True)
        thread.start()
        ending.callback(thread.join)
        ending.callback(self._stop.set)

    def _start_relay(self, ending: ExitStack, gate: Path) -> None:
        command = [sys.executable, "-P", "-m", "hil_tests.faults.relay", self.host, str(gate)]
        relay = subprocess.Popen(
            ["ip", "netns", "exec", self._name, *command],
            stdin=subprocess.PIPE,  # its end is the relay's, however ours comes
            stdout=subprocess.PIPE,
            text=True,
        )
        ending.callback(relay.wait)
        ending.callback(relay.kill)
        assert relay.stdin is not None
        assert relay.stdout is not None
        ending.callback(relay.stdout.close)
        ending.callback(relay.stdin.close)
        if not select.select([relay.stdout], [], [], _READY_S)[0]:
            raise GewuError("The relay in the network namespace does not come up.")
        self.port = int(relay.stdout.readline() or 0)

    # --- the wire ---------------------------------------------------------------------------------

    def _pass(self, near: int, far: int) -> None:
        other = {near: far, far: near}
        order = itertools.count()
        under_way: list[tuple[float, int, int, bytes]] = []
        while not self._stop.is_set():
            wait = min(0.05, max(0.0, under_way[0][0] - time.monotonic())) if under_way else 0.05
            ready, _, _ = select.select([near, far], [], [], wait)
            for file in ready:
                packet = os.read(file, _PACKET)
                if not self._parted and self._dice.random() >= self._share:
                    heapq.heappush(under_way, (time.monotonic() + self._delay, next(order), other[file], packet))
            while under_way and under_way[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(under_way)
                if not self._parted:
                    with suppress(OSError):  # a packet that the other side will not have is a lost one
                        os.write(to, packet)


class _Gate:
    """A Unix socket (which namespaces do not part) that leads on to `port` of 127.0.0.1."""

    def __init__(self, path: Path, port: int) -> None:
        from hil_tests.faults.relay import serve

        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(
            target=serve, args=(self._server, lambda: socket.create_connection(("127.0.0.1", port), 5.0)), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


def _tun(name: str) -> int:
    """The file of a new TUN device, which lives as long as the file."""
    file = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    except BaseException:
        os.close(file)
        raise
    return file


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise GewuError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
