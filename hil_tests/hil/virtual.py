"""A virtual bench: boards of the rig with keys, bundles and settings of their own, described by the same bench file.

`up` starts it and gives the bench file as it is then: ports, keys and the rig's folder filled in. With `over_tcp` each
bus is reached over socket://, as behind a serial server.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from hil_tests.hil.bench_file import BenchFile, Bus, Device, Update, read_bench
from hil_tests.hil.serial_server import SerialServer
from hil_tests.rig.control import make_rig_folder
from hil_tests.rig.flash import fill, settings_of
from hil_tests.rig.site import Board, parse_site
from hil_tests.rig.site import Bus as VirtualBus
from hil_tests.rig.village import Village
from provisioning import firmware_build, firmware_bundle
from provisioning.settings import slot_bytes

SHIPPED = Path(__file__).with_name("virtual.toml")
SHIPPED_SMOKE = Path(__file__).with_name("virtual_smoke.toml")
# Releases of the bundles: one after the other above whatever the firmware itself is.
OLDER, NEWER, DYING = "90.0.0", "91.0.0", "92.0.0"


def shipped(smoke: bool) -> BenchFile:
    """The virtual bench that travels with the program."""
    return read_bench(SHIPPED_SMOKE if smoke else SHIPPED)


@contextmanager
def up(bench: BenchFile, over_tcp: bool = False) -> Iterator[BenchFile]:
    """The rig of `bench` for as long as this lasts; all that it made is removed in the end."""
    folder = make_rig_folder()
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        signing = rsa.generate_private_key(65537, 2048)
        keys = {device.id: os.urandom(32) for bus in bench.bus for device in bus.device}
        village = ending.enter_context(_village(bench, folder, keys, firmware_bundle.signer(signing)))
        ports = {bus["name"]: bus["port"] for bus in village.state()["buses"]}
        if over_tcp:
            ports = {name: ending.enter_context(SerialServer(port)).url for name, port in ports.items()}
        usb = {board["id"]: board["usb"] for board in village.state()["boards"]}
        buses = [_filled(bus, ports[bus.name], folder, keys, usb) for bus in bench.bus]
        yield bench.model_copy(update={"bus": buses, "update": _bundles(folder, signing), "rig": str(folder)})


def _village(bench: BenchFile, folder: Path, keys: dict[str, bytes], signer: str) -> Village:
    devices = {device.id: device for bus in bench.bus for device in bus.device}

    def load(flash: Path, board: Board, bus: VirtualBus) -> None:
        fill(flash, board, bus)
        device = devices[board.id]
        given: dict[str, Any] = settings_of(board, bus) | {"key": keys[board.id].hex(), "signer": signer}
        if device.residual:
            chosen = {"residual": round(device.residual * 1000), "residual_type": device.residual_type}
            given["protection"] = chosen
        (flash / "settings.a").write_bytes(slot_bytes(given, 1))

    return Village(parse_site({"bus": [_site_bus(bus) for bus in bench.bus]}, "virtual bench"), folder, load=load)


def _site_bus(bus: Bus) -> dict[str, Any]:
    boards = [_site_board(device) for device in bus.device]
    parity = "N" if bus.parity == "O" else bus.parity  # the rig's wire has no odd one
    return {"name": bus.name, "baud": bus.baud, "parity": parity, "stopbits": bus.stopbits, "board": boards}


def _site_board(device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "profile": device.profile,
        "address": device.address,
        "rating": device.rating,
        "curve": device.curve,
        "meter": device.meter,
        "fitted": device.fitted,
        "load": 1.0,
    }


def _filled(bus: Bus, port: str, folder: Path, keys: dict[str, bytes], usb: dict[str, str]) -> Bus:
    devices = []
    for device in bus.device:
        file = folder / f"{device.id}.key"
        file.touch(mode=0o600)
        file.write_text(keys[device.id].hex() + "\n", encoding="ascii")
        known = {"serial": device.id[:16], "key_file": str(file), "usb": usb[device.id]}
        devices.append(device.model_copy(update=known))
    return bus.model_copy(update={"port": port, "device": devices})


def _bundles(folder: Path, signing: rsa.RSAPrivateKey) -> Update:
    """Three small updates: their other modules come from the image of the factory."""
    sources = {
        "bundle": (NEWER, {}),
        "older": (OLDER, {}),
        "dying": (DYING, {"panel.mpy": "1 / 0\n"}),
    }
    paths = {}
    for name, (number, more) in sources.items():
        path = folder / f"{name}.bundle"
        path.write_bytes(bundle({"version.mpy": f"VERSION = b'{number}'\n", **more}, number, signing))
        paths[name] = str(path)
    return Update(**paths)


def bundle(sources: dict[str, str], number: str, signing: rsa.RSAPrivateKey) -> bytes:
    """A signed update with these modules alone."""
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, text in sources.items():
            source, target = Path(folder) / name.replace(".mpy", ".py"), Path(folder) / name
            source.write_text(text, encoding="ascii")
            firmware_build.compile_module(source, target, source.name)
            files[name] = target.read_bytes()
    return firmware_bundle.bundle(files, number, signing)
