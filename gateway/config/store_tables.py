"""`[store]`: what the gateway keeps, and for how long."""

from pydantic import Field

from gateway.config.keys import Duration, Size
from gateway.tomlfile import Section


class Store(Section):
    """`[store]`: what the gateway keeps."""

    max_bytes: Size = Field(
        2 * 10**9, ge=10**6, description='the most that waits on disk, such as "2GB" (at least 1MB)'
    )
    replay_window: Duration = Field(
        3600.0, ge=0, description='how long sent records are kept for a replay, such as "1h"'
    )
