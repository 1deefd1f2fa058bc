"""Filters for `network.Proxy` that know MQTT's packets: throw away, or hold back, those of a kind."""

from collections.abc import Callable, Collection

from hil_tests.faults.network import MakeFilter, Way

CONNACK, PUBLISH, PUBACK, PINGRESP = 2, 3, 4, 13  # MQTT 3.1.1, section 2.2.1


def packets(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole packets at the head of `data`, and the rest."""
    whole = []
    while (length := _length(data)) is not None and len(data) >= length:
        whole.append(data[:length])
        data = data[length:]
    return whole, data


def _length(data: bytes) -> int | None:
    """The length of the first packet with its header; None while too little is there to say."""
    size = 0
    for index, octet in enumerate(data[1:5]):
        size |= (octet & 0x7F) << 7 * index
        if not octet & 0x80:
            return size + index + 2
    return None


def dropping(way: Way, kinds: Collection[int], while_true: Callable[[], bool] = lambda: True) -> MakeFilter:
    """Throw away packets of `kinds` that go `way`, as long as `while_true` says so."""

    def make() -> Callable[[Way, bytes], bytes]:
        rest = b""

        def pass_on(going: Way, data: bytes) -> bytes:
            nonlocal rest
            if going != way:
                return data
            whole, rest = packets(rest + data)
            return b"".join(one for one in whole if not (one[0] >> 4 in kinds and while_true()))

        return pass_on

    return make
