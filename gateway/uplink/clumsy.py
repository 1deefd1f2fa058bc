"""Finding the message at which a broker hangs up, where it does not say so: brokers of MQTT 3.1.1 cannot. Pure.

A network that comes and goes must never be taken for that. So the suspicion needs a row of connections that
the broker itself ended, each right after something was sent and each without a single confirmation; then
messages go one by one; and only the one that is alone on its way three times in a row is to blame. After
that the next suspicion needs a confirmed message first: a broker that refuses everything costs one message.
"""

# A broker that dislikes a packet says so in a round trip; whoever ends later has another reason.
_PROMPT_S = 10.0
_STRIKES = 2
_ALONE = 3


class Clumsy:
    """The suspicion of one uplink. `careful`: one message at a time, until one is confirmed."""

    def __init__(self) -> None:
        self._strikes = 0
        self._alone: tuple[int, int] = (0, 0)
        self._spent = False
        self._confirmed = False

    @property
    def careful(self) -> bool:
        return self._strikes >= _STRIKES

    def connected(self) -> None:
        """A new connection."""
        self._confirmed = False

    def confirmed(self) -> None:
        """A message was confirmed: this broker takes messages."""
        self._confirmed = True
        self._spent = False
        self._strikes = 0
        self._alone = (0, 0)

    def lost(self, in_flight: list[int], seconds: float, by_peer: bool) -> int | None:
        """A connection ended with these messages on their way; the number of the one to blame, if that is known."""
        if self._confirmed:
            self._strikes = 0
            return None
        if self._spent or not in_flight or not by_peer or seconds > _PROMPT_S:
            return None
        self._strikes += 1
        if len(in_flight) > 1:
            return None
        seq, times = in_flight[0], 1 + (self._alone[1] if self._alone[0] == in_flight[0] else 0)
        self._alone = (seq, times)
        return self.blamed(in_flight) if times >= _ALONE else None

    def blamed(self, in_flight: list[int]) -> int | None:
        """The broker said what it disliked: the message to blame when it was alone, else care from now on."""
        if len(in_flight) != 1:
            self._strikes = max(self._strikes, _STRIKES)
            return None
        self._strikes = 0
        self._alone = (0, 0)
        self._spent = True
        return in_flight[0]
