"""How a sink stands: plain values for `gewu doctor`, metrics and the console."""

import msgspec


class SinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`trouble` is a sentence for a technician; counts are of messages, since the process started.

    `set_aside` are those that the other side will never take; `refused` the gap records among what it refused.
    """

    name: str
    type: str
    trouble: str | None
    waiting: int
    written: int
    retries: int
    set_aside: int
    refused: int
