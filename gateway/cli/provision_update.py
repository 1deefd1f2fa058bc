"""`gewu provision update` and `pack`: a running gateway takes a signed update; its maker makes one."""

import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.provision_boards_part import (
    NIGHT,
    FirstOption,
    NowOption,
    ShareOption,
    WatchOption,
    WindowOption,
    night_of,
    own_boards,
)
from gateway.cli.run import ConfigOption
from gateway.errors import ConfigurationError, TryAgain

_CONFIG = Path("/etc/gewu/gewu.toml")
_MAKERS = "makers"
_JOURNAL = "updates.jsonl"


def update(
    file: Annotated[Path, typer.Argument(metavar="UPDATE", help="The signed file of `gewu provision pack`.")],
    config: ConfigOption = _CONFIG,
    dry: Annotated[bool, typer.Option("--list", help="Check it and say what would be done.")] = False,
    older: Annotated[bool, typer.Option("--older", help="Also an update older than the last one.")] = False,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds in which what is new must be well.")] = 180.0,
    first: FirstOption = None,
    window: WindowOption = NIGHT,
    now: NowOption = False,
    share: ShareOption = 0.25,
    watch: WatchOption = 600.0,
    no_boards: Annotated[bool, typer.Option("--no-boards", help="Leave the boards as they are.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Update this gateway: checked, staged, tried, and undone by itself when it is not well. Again, it resumes."""
    from gateway.camera import trust
    from gateway.clock import SystemClock
    from gateway.config import load
    from provisioning.journal import Journal
    from provisioning.update.system import Systemd, writable_root
    from provisioning.update.updating import Site, home_of, look
    from provisioning.update.updating import update as carry_out

    loaded, clock, night = load(config), SystemClock(), night_of(first, window, now, share, watch)
    makers = [trust.MAKER, *_makers(config.with_name(_MAKERS))]
    models = [trust.MAKER, *loaded.vision.trusted]
    with Journal(loaded.gateway.data_dir / _JOURNAL, clock) as journal:
        site = Site(
            home_of(), loaded, Systemd(), makers, models, clock, deadline, writable_root,
            own_boards(loaded, night, window, journal, clock),
        )  # fmt: skip
        manifest = look(file, site, journal, older)
        if no_boards:
            manifest = msgspec.structs.replace(manifest, boards=False)
        if dry:
            there = {"gateway": manifest.gateway, "models": manifest.models, "boards": manifest.boards}
            parts = [part for part, is_there in there.items() if is_there]
            version = manifest.gateway.version if manifest.gateway else None
            document = {"serial": manifest.serial, "made": manifest.made, "parts": parts, "version": version}
            if as_json:
                print_json(document)
            else:
                plain.print(
                    f"Update {manifest.serial} of {manifest.made}: {', '.join(parts)}. It may be carried out here."
                )
            return
        outcomes = carry_out(file, manifest, site, journal, say)
    if as_json:
        print_json({"serial": manifest.serial, "stages": [outcome.as_json() for outcome in outcomes]})
    else:
        for outcome in outcomes:
            plain.print(f"{outcome.stage}: {outcome.state}{f': {outcome.why}' if outcome.why else ''}", markup=False)
    if any(outcome.why for outcome in outcomes):
        raise typer.Exit(1)


def _makers(file: Path) -> list[str]:
    """Keys of makers beside the configuration, a line each."""
    return file.read_text(encoding="ascii").split() if file.is_file() else []


def pack(
    out: Annotated[Path, typer.Option(help="The update file to write.")],
    key: Annotated[Path, typer.Option(help="The maker's key: Ed25519 in PEM, without a passphrase.")],
    package: Annotated[Path | None, typer.Option(help="The .deb whose wheels become the gateway's part.")] = None,
    models: Annotated[Path | None, typer.Option(help="A folder of signed models.")] = None,
    boards: Annotated[
        Path | None,
        typer.Option(help="Firmware for boards: the bundle of `gewu firmware build --key`."),
    ] = None,
    serial: Annotated[int | None, typer.Option(min=1, help="Its number; else the time, as 202611221530.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a signed update for `gewu provision update`."""
    from gateway.camera.trust import private_key, public_half
    from gateway.clock import SystemClock
    from gateway.records import rfc3339
    from provisioning.update.boards_stage import BUNDLE
    from provisioning.update.update_file import Manifest
    from provisioning.update.update_file import pack as write

    if package is None and models is None and boards is None:
        raise ConfigurationError("An update needs something in it: --package DEB, --models FOLDER, --boards BUNDLE.")
    try:
        signer = private_key(key.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"The key {key} cannot be read: {error.strerror}.") from None
    now = rfc3339(SystemClock().wall_ms())
    number = serial or int("".join(character for character in now[:16] if character.isdigit()))
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".pack-") as work:
        files: dict[str, Path] = {}
        part = None
        if package is not None:
            wheels = _wheels(package, Path(work))
            files |= {f"gateway/{path.name}": path for path in sorted(wheels.iterdir()) if path.is_file()}
            part = _part(package, wheels)
        if models is not None:
            endings = (".json", ".sig", ".tflite", ".npz")
            files |= {f"models/{path.name}": path for path in sorted(models.iterdir()) if path.suffix in endings}
        if boards is not None:
            files[f"boards/{BUNDLE}"] = _firmware(boards)
        write(out, Manifest(number, now, [], part, models is not None, boards is not None), files, signer)
    if as_json:
        print_json({"file": str(out), "serial": number, "files": len(files), "maker": public_half(signer)})
    else:
        plain.print(f"{out}: update {number}, {len(files)} files, signed by {public_half(signer)}", markup=False)


def _firmware(bundle: Path) -> Path:
    """The bundle, which must say a release."""
    from provisioning.bundle_contents import release_of

    try:
        release_of(bundle.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"The bundle {bundle} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, struct.error):
        raise ConfigurationError(f"{bundle} is no bundle of gewu firmware build --key.") from None
    return bundle


def _wheels(package: Path, work: Path) -> Path:
    """The wheels of a .deb, in a folder of `work`."""
    done = subprocess.run(["dpkg-deb", "-x", str(package), str(work)], capture_output=True, text=True, check=False)
    wheels = work / "usr/share/gewu/wheels"
    if done.returncode != 0 or not wheels.is_dir():
        raise ConfigurationError(f"{package} is no package of gewu: make one with `gewu provision deb`.")
    return wheels


def _part(package: Path, wheels: Path) -> Any:
    from gateway.outbox.migrations import released
    from provisioning.deb.package import MACHINES
    from provisioning.update.update_file import GatewayPart

    asked = ["dpkg-deb", "-f", str(package), "Architecture", "Version"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    fields = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    pythons = [f"3.{minor}" for minor in range(11, 14) if next(wheels.glob(f"msgspec-*-cp3{minor}-*.whl"), None)]
    if not pythons:
        raise TryAgain(f"{package} holds wheels for no Python.")
    return GatewayPart(fields["Version"], MACHINES[fields["Architecture"]], pythons, released()[-1][0])
