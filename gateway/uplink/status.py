"""How an uplink stands, for the doctor and the health message: counts since the process started."""

import msgspec


class UplinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`trouble` is a sentence for a technician, None while all is well.

    `fallback`: the second way carries. `month_bytes`: bytes of this calendar month, 0 without a monthly budget.
    """

    name: str
    connected: bool
    trouble: str | None
    fallback: bool = False
    month_bytes: int = 0
    in_flight: int
    unconfirmed: int
    sent: int
    confirmed: int
    sent_again: int
    reconnects: int
    refused: int


class Counts:
    """What delivery counts as it goes."""

    def __init__(self) -> None:
        self.sent = self.confirmed = self.sent_again = self.connects = self.refused = 0
