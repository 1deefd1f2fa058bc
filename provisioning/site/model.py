"""The site file of `gewu provision gateway`: its model and the sentences for what is wrong with one.

It describes gateways, their buses' plans and the site's own broker. It reads no plan and writes nothing.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from gateway import tomlfile
from gateway.config.keys import Id
from gateway.config.model import GatewayId
from gateway.errors import ConfigurationError
from gateway.tomlfile import Section

# RFC 1123: labels of letters, digits and hyphens.
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"^(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*$")
_OWN_TABLES = ("gateway", "bus")


def _host(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not _HOST.match(value):
            raise ValueError('it is no name or address of a machine, such as "gewu.local" or "192.168.1.20"') from None
    return value


Host = Annotated[str, AfterValidator(_host)]


def _tables(value: dict[str, Any]) -> dict[str, Any]:
    for name in _OWN_TABLES:
        if name in value:
            raise ValueError(f"the table {name} is made from the rest of this file; drop it here")
    return value


class SiteBus(Section):
    """`[[gateway.bus]]`: one serial line and the plan of what is on it."""

    name: Id = Field(description='the bus\'s name, such as "north"')
    plan: Path = Field(strict=False, description="the installer's plan of this bus, CSV or xlsx, beside this file")
    port: str | None = Field(None, description='the serial port on the gateway, such as "/dev/serial/by-id/usb-..."')
    adapter: Annotated[str, Field(pattern=r"^[\w.:-]{1,64}$")] | None = Field(
        None, description="in place of port: the serial number of its USB adapter, which gets a name of its own"
    )
    usb: Annotated[str, Field(pattern=r"^\d+-\d+(\.\d+)*$")] | None = Field(
        None, description='in place of port: the USB socket, such as "1-1.3", for adapters without a serial number'
    )
    baud: int | None = Field(None, description="as in gewu.toml")
    parity: Literal["N", "E", "O"] | None = Field(None, description="as in gewu.toml")
    stopbits: Literal[1, 2] | None = Field(None, description="as in gewu.toml")
    timeout: float | None = Field(None, description="as in gewu.toml")


class SiteGateway(Section):
    """`[[gateway]]`: one Raspberry Pi."""

    id: GatewayId = Field(description='lower-case letters, digits and hyphens, such as "qingxi-01"')
    retired: bool = Field(False, description="true: its certificate is revoked, and the broker lets it in no more")
    root: Literal["writable", "read-only"] = Field(
        "writable",
        description='"read-only": power cuts meet a system that nothing writes to; needs a disk for the data',
    )
    journal: Annotated[str, Field(pattern=r"^[1-9]\d*[MG]$")] = Field(
        "64M", description='the most that the system\'s log may take, such as "64M"'
    )
    timezone: Annotated[str, Field(pattern=r"^[A-Za-z]+(/[A-Za-z0-9_+-]+)*$")] | None = Field(
        None, description='such as "Asia/Shanghai", which camera hours and patrols go by'
    )
    time_servers: list[Host] = Field([], description="machines that tell the time; by default those of Debian")
    makers: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        [], description="public keys (64 hexadecimal digits) of those whose updates it takes, beside gewu's own maker"
    )
    bus: list[SiteBus] = Field([], description="its serial lines, as [[gateway.bus]]")
    config: Annotated[dict[str, Any], AfterValidator(_tables)] = Field(
        {}, description="further tables of gewu.toml, as they stand there, such as [[gateway.config.uplink]]"
    )


class Client(Section):
    """`[[broker.client]]`: somebody who reads what the gateways send."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")] = Field(description="lower-case letters, digits, hyphens")
    may: list[Literal["read", "acknowledge", "command"]] = Field(
        ["read"], description='"read", "acknowledge" (and ask again), "command" (and write to the inbox)'
    )


class SiteBroker(Section):
    """`[broker]`: the site's own mosquitto."""

    on: str = Field(description="the id of the gateway on whose Raspberry Pi it runs")
    hosts: list[Host] = Field(min_length=1, description="names and addresses by which others reach it, the best first")
    port: int = Field(8883, ge=1, le=65535, description="where it listens, with TLS")
    client: list[Client] = Field([], description="who reads, as [[broker.client]]")


class SiteFile(Section):
    """The whole file."""

    HINTS: ClassVar[dict[str, str]] = {"bus": "a bus belongs to its gateway: write [[gateway.bus]]"}

    site: Id = Field(description='the site, as in gewu.toml, such as "qingxi"')
    gateway: list[SiteGateway] = Field(min_length=1, description="the gateways, as [[gateway]]")
    broker: SiteBroker | None = Field(None, description="the table [broker]")

    def by_id(self, name: str | None) -> SiteGateway:
        """The gateway `name`; without a name the only one. ConfigurationError names those that there are."""
        living = [gateway for gateway in self.gateway if not gateway.retired]
        ids = ", ".join(gateway.id for gateway in living) or "none"
        if name is None and len(living) != 1:
            raise ConfigurationError(f"Say which gateway with --gateway: the site has {ids}.")
        for gateway in living:
            if name in (None, gateway.id):
                return gateway
        raise ConfigurationError(f'The site has no gateway "{name}" in use; it has {ids}.')


def read_site(path: Path) -> SiteFile:
    """The site in `path`; ConfigurationError names the file, the key and what would be right."""
    site, sentences = tomlfile.check(SiteFile, tomlfile.read(path, "site"))
    tomlfile.refuse(path, sentences or _between(site))
    assert site is not None  # refused otherwise
    return site


def _between(site: SiteFile | None) -> list[str]:
    """What must hold between the keys."""
    assert site is not None
    ids = [gateway.id for gateway in site.gateway]
    found = [f'two gateways are called "{name}"; each needs its own id.' for name in _twice(ids)]
    for number, gateway in enumerate(site.gateway):
        for place, bus in enumerate(gateway.bus):
            if sum(way is not None for way in (bus.port, bus.adapter, bus.usb)) != 1:
                found.append(f"gateway[{number}].bus[{place}] needs one of port, adapter and usb.")
    if site.broker is not None:
        living = [gateway.id for gateway in site.gateway if not gateway.retired]
        if site.broker.on not in living:
            found.append(f'broker.on is "{site.broker.on}", which is no gateway in use; there is {", ".join(living)}.')
        # "broker" is the name of its own certificate.
        names = [*ids, "broker", *(client.name for client in site.broker.client)]
        found += [
            f'"{name}" is the name of two: gateways, [[broker.client]] and "broker" share them.'
            for name in _twice(names)
        ]
    return found


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
