"""How an uplink stands, for the doctor and the health message: counts since the process started."""

import msgspec


class UplinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`trouble` is a sentence for a technician, None while all is well."""

    name: str
    connected: bool
    trouble: str | None
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
