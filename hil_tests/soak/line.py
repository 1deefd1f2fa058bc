"""The bus of the soak: a port behind which the meters answer in simulated time, and what goes wrong between.

Every exchange takes its wire time at the bus's speed; what does not come takes the master's patience.
"""

import random
from collections import Counter

from gateway.bus.trouble import PortTrouble
from gateway.bus.wire import Wire
from hil_tests.soak.meters import Meter
from hil_tests.soak.world import World


class VirtualPort:
    """See `gateway.bus.port.Port`. Raises OSError, as a port does whose adapter was pulled."""

    def __init__(
        self, world: World, wire: Wire, patience: float, meters: dict[int, Meter], dice: random.Random
    ) -> None:
        if world.holds("unplugged"):
            raise PortTrouble("The port of the soak does not exist; plug the adapter in.")
        self.port, self.timeout = "soak", patience
        self.frame = self.sent = b""
        self.sent_at = 0.0
        self.spoilt: Counter[str] = Counter()
        self._world, self._wire, self._meters, self._dice = world, wire, meters, dice
        self._rest = self._late = b""

    def ask(self, request: bytes, length: int) -> bytes:
        self._send(request)
        answer = self._heard(request)
        self.frame, self._rest = answer[:length], answer[length:]
        self._pass(self.frame, self.timeout if len(self.frame) < min(length, 5) else 0.0)
        return self.frame

    def read_on(self, count: int) -> bytes:
        more, self._rest = self._rest[:count], self._rest[count:]
        self.frame += more
        self._pass(more, 0.0)
        return more

    def tell(self, request: bytes, turnaround: float) -> None:
        self._send(request)
        self._world.now += turnaround

    def quieten(self, rest: float = 0.0) -> None:
        """What is late comes later than a silence lasts."""
        self._world.now += rest

    def listen(self, seconds: float) -> bytes:
        """Nobody speaks unasked."""
        self._world.now += seconds
        return b""

    def close(self) -> None:
        """Nothing is held."""

    def _send(self, request: bytes) -> None:
        if self._world.holds("unplugged"):
            raise OSError(5, "Input/output error")
        self.sent, self.sent_at = request, self._world.now
        self._pass(request, 0.0)

    def _pass(self, data: bytes, idle: float) -> None:
        self._world.now += len(data) * self._wire.t_char + self._wire.silence + idle

    def _heard(self, request: bytes) -> bytes:
        """What reaches the master in answer to `request`."""
        world, unit, dice = self._world, request[0], self._dice
        late, self._late = self._late, b""
        meter = self._meters.get(unit)
        if meter is None or world.strikes("silent", unit):
            return late
        answer = meter.answer(
            request, world.now, frozen=world.strikes("frozen", unit), absurd=world.strikes("absurd", unit)
        )
        if world.strikes("doubled", unit):  # a second board with this address talks at the same time
            return bytes(octet ^ dice.randrange(256) for octet in answer)
        if world.holds("late") and dice.random() < 0.3:
            self._late = answer
            return late
        if late:  # it fills the master's time for this answer, which is then thrown away with the rest
            return late
        if world.holds("noise") and dice.random() < 0.2:
            at = dice.randrange(len(answer))
            return answer[:at] + bytes((answer[at] ^ 1 << dice.randrange(8),)) + answer[at + 1 :]
        if world.holds("cut") and dice.random() < 0.2:
            return answer[: dice.randrange(len(answer))]
        return answer
