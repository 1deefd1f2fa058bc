"""The model of `gewu.toml` as a whole; each table has a module of its own beside this one. It reads no file.

Fields are named like the keys of the file, so `config.bus[0].device[2].address` is what people wrote.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from gateway.config.bus_tables import BAUDS, Bus, Device
from gateway.config.camera_tables import Camera, Patrol, Vision
from gateway.config.keys import Id
from gateway.config.store_tables import Store
from gateway.config.uplink_tables import Uplink
from gateway.tomlfile import Section

__all__ = ["BAUDS", "Bus", "Camera", "Config", "Device", "Gateway", "Patrol", "Store", "Uplink", "Vision"]

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
    store: Store = Field(default_factory=lambda: Store.model_validate({}), description="the table [store]")
