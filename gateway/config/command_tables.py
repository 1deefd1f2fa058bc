"""`[commands]`: who may command breakers through this gateway, and what stands against it."""

from pathlib import Path

from pydantic import Field

from gateway.config.keys import Duration
from gateway.tomlfile import Section


class Commands(Section):
    """`[commands]`: without this table no command is taken."""

    keys: Path = Field(strict=False, description="the file with who may command: names, roles, public keys (TOML)")
    device_keys: Path | None = Field(
        None,
        strict=False,
        description="the file with the boards' own keys, readable by the gateway's user alone (TOML)",
    )
    allow_close: bool = Field(
        False, description="true lets breakers be closed from afar, with every other condition met"
    )
    window: Duration = Field(600.0, gt=0, le=86400, description='how long a command may be valid, such as "10min"')
    rate: int = Field(3, ge=1, le=100, description="operations of one device within rate_window")
    rate_window: Duration = Field(600.0, gt=0, le=86400, description='the time that rate counts in, such as "10min"')
