"""A sick network between a client and a server: a TCP proxy on loopback that does to a connection what one asks.

Silence in either direction or both (a black hole: nothing is read, nothing is closed), loss of one direction
(what comes is thrown away), cut, reset, delay, a narrow band, nobody there, and a filter on the bytes themselves.
It passes on bytes and knows no protocol; `mqtt_filter` brings filters for one.
"""

import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

Way = Literal["up", "down"]  # from the client to the server, and back
WAYS: tuple[Way, ...] = ("up", "down")
# Makes the filter of one new connection; a filter gets bytes of one way and returns what goes on.
MakeFilter = Callable[[], Callable[[Way, bytes], bytes]]
_BLOCK = 65536
_TICK_S = 0.02
_CONNECT_S = 5.0


@dataclass
class Sickness:
    """What the network does now. `delay` in seconds and `bandwidth` in bytes a second hold for each way."""

    silent: set[Way] = field(default_factory=set)
    losing: set[Way] = field(default_factory=set)
    delay: float = 0.0
    bandwidth: float | None = None
    refusing: bool = False
    filter: MakeFilter | None = None


class _Pair:
    """One connection through the proxy, with what is on its way."""

    def __init__(self, client: socket.socket, server: socket.socket, make_filter: MakeFilter | None) -> None:
        self.ends: dict[Way, tuple[socket.socket, socket.socket]] = {"up": (client, server), "down": (server, client)}
        self.filter = make_filter() if make_filter else None
        self.under_way: dict[Way, deque[tuple[float, bytes]]] = {"up": deque(), "down": deque()}
        self.free_at: dict[Way, float] = {"up": 0.0, "down": 0.0}
        for end in (client, server):
            end.setblocking(False)

    def close(self, reset: bool = False) -> None:
        for end in self.ends["up"]:
            if reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class Proxy:
    """`with Proxy("127.0.0.1", port) as proxy:` and connect to `proxy.port`. Every change holds from then on."""

    def __init__(self, host: str, port: int, listen: int = 0) -> None:
        self._target = (host, port)
        self._server = socket.create_server(("127.0.0.1", listen), backlog=256)
        self.port: int = self._server.getsockname()[1]
        self.sickness = Sickness()
        self.accepted = 0
        self.passed: dict[Way, int] = {"up": 0, "down": 0}
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._server.close()
        self._end_all(reset=False)

    @property
    def connections(self) -> int:
        return len(self._pairs)

    def silence(self, *ways: Way) -> None:
        """A black hole in these ways, or both: connections stay open, new ones are accepted and hear nothing."""
        self.sickness.silent = set(ways or WAYS)

    def lose(self, *ways: Way) -> None:
        """Whatever goes these ways is thrown away."""
        self.sickness.losing = set(ways)

    def heal(self) -> None:
        """All well again; what a black hole held back goes on."""
        self.sickness = Sickness()

    def cut(self) -> None:
        """End every connection in order (FIN)."""
        self._end_all(reset=False)

    def reset(self) -> None:
        """End every connection with RST."""
        self._end_all(reset=True)

    def refuse(self) -> None:
        """End every connection, and each new one at once, until `heal`."""
        self.sickness.refusing = True
        self._end_all(reset=True)

    def filter(self, make: MakeFilter | None) -> None:
        """Hand the bytes of connections made from now on to a filter of their own."""
        self.sickness.filter = make

    def _end_all(self, reset: bool) -> None:
        with self._lock:
            for pair in self._pairs:
                pair.close(reset)
            self._pairs.clear()

    # --- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                sources = {} if self.sickness.silent >= set(WAYS) else self._sources()
            wanted = [self._server, *sources]
            try:
                ready, _, _ = select.select(wanted, [], [], _TICK_S)
            except (OSError, ValueError):
                continue  # a connection was ended meanwhile
            if self._server in ready:
                self._accept()
            with self._lock:
                for source in ready:
                    if source in sources and sources[source][0] in self._pairs:
                        self._take(source, *sources[source])
                for pair in list(self._pairs):
                    self._deliver(pair)

    def _sources(self) -> dict[socket.socket, tuple[_Pair, Way]]:
        open_ways = [way for way in WAYS if way not in self.sickness.silent]
        now = time.monotonic()
        return {
            pair.ends[way][0]: (pair, way) for pair in self._pairs for way in open_ways if pair.free_at[way] <= now + 1
        }

    def _accept(self) -> None:
        client, _ = self._server.accept()
        self.accepted += 1
        if self.sickness.refusing:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            return
        try:
            server = socket.create_connection(self._target, timeout=_CONNECT_S)
        except OSError:
            client.close()
            return
        with self._lock:
            self._pairs.append(_Pair(client, server, self.sickness.filter))

    def _take(self, source: socket.socket, pair: _Pair, way: Way) -> None:
        try:
            data = source.recv(_BLOCK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(pair)
            return
        if way in self.sickness.losing:
            return
        if pair.filter is not None:
            data = pair.filter(way, data)
        now = time.monotonic()
        band = self.sickness.bandwidth
        pair.free_at[way] = max(now, pair.free_at[way]) + (len(data) / band if band else 0.0)
        pair.under_way[way].append((pair.free_at[way] + self.sickness.delay, data))

    def _deliver(self, pair: _Pair) -> None:
        for way, line in pair.under_way.items():
            while line and line[0][0] <= time.monotonic() and way not in self.sickness.silent:
                when, data = line.popleft()
                try:
                    sent = pair.ends[way][1].send(data)
                except BlockingIOError:
                    sent = 0
                except OSError:
                    self._drop(pair)
                    return
                self.passed[way] += sent
                if sent < len(data):
                    line.appendleft((when, data[sent:]))
                    break

    def _drop(self, pair: _Pair) -> None:
        """One side has ended: so does the other."""
        if pair in self._pairs:
            self._pairs.remove(pair)
        for way, line in pair.under_way.items():
            for _, data in line:
                try:
                    pair.ends[way][1].send(data)
                except OSError:
                    break  # that side is gone too
        pair.close()
