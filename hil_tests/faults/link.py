"""One face for a sick network before a server: a namespace of its own where the machine allows, else a proxy.

Both do the same to a client that connects to `host` and `port`: loss, delay, a partition, and all well again. What a
lost packet costs is TCP's own business in a namespace; the proxy has no packets and holds a block back for as long as
a retransmission would take.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from hil_tests.faults import namespaces
from hil_tests.faults.network import Proxy, Sickness

_RETRANSMISSION_S = 0.2  # Linux's least time-out of TCP


class SickLink(Protocol):
    """The way to a server; `kind` says by what means. Every change holds from then on, for both directions."""

    kind: str
    host: str
    port: int

    def lose(self, share: float) -> None:
        """This share (0 to 1) of what goes over it is lost on its way."""
        ...

    def delay(self, seconds: float) -> None:
        """Everything comes so much later, in each direction."""
        ...

    def partition(self) -> None:
        """Nothing comes through, and nobody is told."""
        ...

    def heal(self) -> None:
        """All well again."""
        ...


@contextmanager
def sick_link(port: int, say: Callable[[str], None] = lambda _: None) -> Iterator[SickLink]:
    """A link to the server at `port` of this machine; `say` gets the sentence why it has no namespace of its own."""
    trouble = namespaces.trouble()
    if trouble is None:
        with namespaces.NamespaceLink(port) as link:
            yield link
        return
    say(f"{trouble} A TCP proxy takes its place.")
    with ProxyLink(port) as link:
        yield link


@dataclass
class _Losing(Sickness):
    """A sickness whose delay now and then has a retransmission in it."""

    share: float = 0.0
    seconds: float = 0.0

    def __getattribute__(self, name: str) -> object:
        if name == "delay":
            again = _RETRANSMISSION_S if random.random() < object.__getattribute__(self, "share") else 0.0
            return float(object.__getattribute__(self, "seconds")) + again
        return object.__getattribute__(self, name)


class ProxyLink:
    """See `SickLink`: a TCP proxy on loopback."""

    kind = "proxy"
    host = "127.0.0.1"

    def __init__(self, port: int) -> None:
        self._proxy = Proxy("127.0.0.1", port)
        self.port = self._proxy.port
        self._sickness = self._proxy.sickness = _Losing()

    def __enter__(self) -> "ProxyLink":
        self._proxy.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._proxy.__exit__()

    def lose(self, share: float) -> None:
        self._sickness.share = share

    def delay(self, seconds: float) -> None:
        self._sickness.seconds = seconds

    def partition(self) -> None:
        self._proxy.silence()

    def heal(self) -> None:
        self._sickness = self._proxy.sickness = _Losing()
