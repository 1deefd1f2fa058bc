"""The model of `gewu.toml` as a whole; each table has a module of its own beside this one. It reads no file.

Fields are named like the keys of the file, so `config.bus[0].device[2].address` is what people wrote.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr

from gateway.config.backup_tables import Backup
from gateway.config.bus_tables import BAUDS, Bus, Device
from gateway.config.camera_tables import Camera, Patrol, Vision
from gateway.config.command_tables import Commands
from gateway.config.keys import Id
from gateway.config.metric_tables import Metrics
from gateway.config.sink_tables import Sink
from gateway.config.store_tables import Store
from gateway.config.uplink_tables import Uplink
from gateway.tomlfile import Section

__all__ = [
    "BAUDS",
    "Backup",
    "Bus",
    "Camera",
    "Commands",
    "Config",
    "Device",
    "Gateway",
    "Metrics",
    "Patrol",
    "Sink",
    "Store",
    "Uplink",
    "Vision",
]

GatewayId = Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=63)]


class Gateway(Section):
    """`[gateway]`: who this gateway is."""

    id: GatewayId = Field(description='lower-case letters, digits and hyphens, unique in the site, such as "qingxi-01"')
    site: Id = Field(description='the site, in letters, digits, "_", "." and "-", such as "qingxi"')
    data_dir: Path = Field(
        Path("/var/lib/gewu"), strict=False, description="the folder that keeps the data; made when missing"
    )


class Config(Section):
    """The whole of `gewu.toml`."""

    gateway: Gateway = Field(description="the table [gateway] with id and site")
    bus: list[Bus] = Field([], description="the buses, as tables [[bus]]")
    camera: list[Camera] = Field([], description="the cameras, as tables [[camera]]")
    patrol: list[Patrol] = Field([], description="the patrols, as tables [[patrol]]")
    vision: Vision = Field(default_factory=lambda: Vision.model_validate({}), description="the table [vision]")
    uplink: list[Uplink] = Field([], description="the uplinks, as tables [[uplink]]")
    sink: list[Sink] = Field([], description="the sinks, as tables [[sink]]")
    store: Store = Field(default_factory=lambda: Store.model_validate({}), description="the table [store]")
    backup: Backup | None = Field(None, description="the table [backup]")
    commands: Commands | None = Field(None, description="the table [commands]")
    metrics: Metrics = Field(default_factory=lambda: Metrics.model_validate({}), description="the table [metrics]")
    _file: Path = PrivateAttr(Path("gewu.toml"))

    @property
    def file(self) -> Path:
        """Where this was read from; `gateway.config.load` says so."""
        return self._file
