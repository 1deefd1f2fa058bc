"""What of the system is particular to one gateway: log limits, time, port names, what its cameras need. Pure: text out.

The units that every gateway has are in `provisioning/system` and come with the package.
"""

from collections.abc import Sequence

from provisioning.site.model import SiteBus, SiteGateway
from provisioning.site.parcel import Placed

_HEAD = "# Made by gewu provision gateway from the site file; changes here are overwritten.\n"


def system_files(gateway: SiteGateway, broker_here: bool) -> list[Placed]:
    """The files outside /etc/gewu and /etc/mosquitto."""
    found = [Placed("/etc/systemd/journald.conf.d/gewu.conf", _journal(gateway).encode())]
    if gateway.time_servers:
        servers = f"{_HEAD}[Time]\nNTP={' '.join(gateway.time_servers)}\n"
        found.append(Placed("/etc/systemd/timesyncd.conf.d/gewu.conf", servers.encode()))
    if rules := _ports(gateway.bus):
        found.append(Placed("/etc/udev/rules.d/80-gewu.rules", rules.encode()))
    if unit := _unit(bool(gateway.config.get("camera")), broker_here):
        found.append(Placed("/etc/systemd/system/gewu.service.d/site.conf", unit.encode()))
    return found


def _journal(gateway: SiteGateway) -> str:
    # On a read-only root /var is memory already; on a writable one a card is spared by syncing every five minutes.
    storage = "volatile" if gateway.root == "read-only" else "persistent"
    limits = f"SystemMaxUse={gateway.journal}\nRuntimeMaxUse={gateway.journal}\nMaxRetentionSec=90day\n"
    # A line that repeats a thousand times a second would push out the one that says why.
    paced = "SyncIntervalSec=5m\nRateLimitIntervalSec=30s\nRateLimitBurst=1000\n"
    return f"{_HEAD}[Journal]\nStorage={storage}\n{limits}{paced}"


def _ports(buses: Sequence[SiteBus]) -> str:
    """udev rules: /dev/gewu/NAME for an adapter by its serial number, or for whatever is in one socket."""
    rules = []
    for bus in buses:
        if bus.adapter is not None:
            rules.append(f'SUBSYSTEM=="tty", ENV{{ID_SERIAL_SHORT}}=="{bus.adapter}", SYMLINK+="gewu/{bus.name}"\n')
        elif bus.usb is not None:
            rules.append(f'SUBSYSTEM=="tty", KERNELS=="{bus.usb}", SUBSYSTEMS=="usb", SYMLINK+="gewu/{bus.name}"\n')
    return _HEAD + "".join(rules) if rules else ""


def _unit(cameras: bool, broker_here: bool) -> str:
    """What the shipped unit does not allow, for those who need it."""
    parts = []
    if broker_here:
        parts.append("[Unit]\nWants=mosquitto.service\nAfter=mosquitto.service\n")
    if cameras:
        parts.append(
            "[Service]\nSupplementaryGroups=video\nDeviceAllow=char-video4linux rw\nDeviceAllow=char-media rw\n"
        )
    return _HEAD + "\n".join(parts) if parts else ""
