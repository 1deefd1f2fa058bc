"""`gewu provision commission`: people first, then boards. It gathers what the work needs and shows its rows."""

import contextlib
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.provision_calibrate import CalibrateOption, RecalibrateOption, bench_of
from gateway.cli.provision_options import AtOnceOption, MorePorts, OptionalPorts, each_once, needs
from gateway.cli.provision_station import BY_ID
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from provisioning.commission import Batch

PEOPLE_FIRST = (
    "People first: every board is off the mains (or behind a USB isolator), at the bench, on an isolated supply; "
    "until it is commissioned it protects nothing. "
    "安全第一：断开市电，在工作台用隔离电源供电；调试期间没有任何保护。"
)

SettingsOption = Annotated[
    Path | None, typer.Option("--settings", help="TOML: what all boards have in common ([breaker], [sensor]).")
]
SignerOption = Annotated[
    Path | None, typer.Option("--signer", help="RSA key in PEM, public or private: whose updates boards take.")
]
BundleOption = Annotated[
    Path | None, typer.Option("--bundle", help="A maker's signed firmware in place of gewu's own; needs --signer.")
]
WatchedOption = Annotated[str, typer.Option("--ports", help="With --station: where boards appear, as a shell pattern.")]
KeysOption = Annotated[
    Path | None, typer.Option("--keys", help="Keys for the gateway; else device-keys.toml beside the plan.")
]


def commission(
    plan: Annotated[Path, typer.Option(help="CSV or xlsx: see `gewu provision plan`.")],
    port: OptionalPorts = None,
    more: MorePorts = None,
    station: Annotated[
        bool, typer.Option("--station", help="Serve boards as they are plugged in, until Ctrl-C.")
    ] = False,
    watched: WatchedOption = BY_ID,
    image: Annotated[
        Path | None, typer.Option(help="With --station: MicroPython for boards that have none; hash pinned.")
    ] = None,
    hashes: Annotated[Path | None, typer.Option(help="With --image: list of SHA-256; else beside it.")] = None,
    device: Annotated[str | None, typer.Option("--id", help="The row of the one board at --port.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="With --id: this board takes a dead one's place.")] = False,
    settings: SettingsOption = None,
    signer: SignerOption = None,
    no_signer: Annotated[bool, typer.Option("--no-signer", help="Boards take no updates from now on.")] = False,
    bundle: BundleOption = None,
    keys: KeysOption = None,
    journal: Annotated[Path | None, typer.Option(help="Record; else PLAN.journal.jsonl beside the plan.")] = None,
    calibrate: CalibrateOption = None,
    recalibrate: RecalibrateOption = False,
    at_once: AtOnceOption = 8,
    yes: Annotated[bool, typer.Option("--yes", help="The boards are off the mains: do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Mains off! Firmware, settings, a key of its own and a self-test for each board; goes on where it stopped."""
    needs("mpremote")
    ports = each_once(port or [], more)
    _check_station(station, ports, image, device)
    if device is not None and len(ports) != 1:
        raise ConfigurationError("--id names the row of one board: give one --port with it.")
    if replace and device is None:
        raise ConfigurationError("--replace needs --id: the row whose board is dead.")
    if bundle is not None and signer is None:
        raise ConfigurationError("--bundle needs --signer: the key whose signature it must carry.")
    if no_signer and signer is not None:
        raise ConfigurationError("--signer and --no-signer say the opposite of each other: give one of them.")
    bench = bench_of(calibrate, recalibrate)
    say(PEOPLE_FIRST)
    if sys.stdin.isatty() and not yes:
        typer.confirm("All boards are off the mains / 所有电路板已断开市电?", abort=True, err=True)
    served = _station(watched, image, hashes, at_once, as_json) if station else None
    rows = _work(
        plan, ports, device, replace, settings, signer, no_signer, bundle, keys, journal, at_once, bench, served
    )
    if station:
        raise typer.Exit(rows[0])
    _show(rows, as_json)


def _check_station(station: bool, ports: list[str], image: Path | None, device: str | None) -> None:
    if station and (ports or device is not None):
        raise ConfigurationError("--station finds its boards by itself: leave --port and --id out.")
    if not station and image is not None:
        raise ConfigurationError("--image goes with --station; else flash first: gewu provision flash.")
    if not station and not ports:
        raise ConfigurationError("Give --port, once for each board, or --station.")


def _station(
    watched: str, image: Path | None, hashes: Path | None, at_once: int, as_json: bool
) -> "Callable[[Batch], int]":
    """What serves boards with one batch; the image is looked at before any board is."""
    from gateway.cli.provision_station import serve
    from provisioning.image import read_image

    if image is not None:
        needs("esptool")
    pinned = None if image is None else read_image(image, hashes)
    return lambda batch: serve(batch, watched, pinned, batch.journal, at_once, as_json)


def _work(
    plan: Path, ports: list[str], device: str | None, replace: bool, settings: Path | None, signer: Path | None,
    no_signer: bool, bundle: Path | None, keys: Path | None, journal: Path | None, at_once: int, bench: Any,
    served: "Callable[[Batch], int] | None" = None,
) -> list[Any]:  # fmt: skip
    from gateway.cli.provision_progress import Ports
    from gateway.clock import SystemClock
    from provisioning import commission as work
    from provisioning.board_file import read_common
    from provisioning.claims import Claims
    from provisioning.device_keys import open_keys
    from provisioning.journal import Journal
    from provisioning.plan_file import read_plan
    from provisioning.signer import signer_of

    rows = read_plan(plan)
    if device is not None:
        rows.by_id(device)
    common, modulus = read_common(settings), None if signer is None else signer_of(signer)
    firmware = _firmware(bundle, modulus or "")
    bars = bench is None or not bench.reference.alone  # a person answers where the bars would be
    with Journal(journal or plan.with_suffix(".journal.jsonl"), SystemClock()) as record, Ports(ports, bars) as shown:
        batch = work.Batch(
            firmware=firmware,
            common=common,
            signer="" if no_signer else modulus,
            claims=Claims(rows, record.lines),
            keys=open_keys(keys or plan.with_name("device-keys.toml"), SystemClock()),
            journal=record,
            wanted=device,
            replace=replace,
            bench=bench,
        )
        if served is not None:
            return [served(batch)]
        # mpremote prints what it does not understand; stdout is for one document.
        with contextlib.redirect_stdout(io.StringIO()):
            return list(work.commission(batch, ports, shown.said, at_once))


def _firmware(bundle: Path | None, modulus: str) -> dict[str, bytes]:
    """gewu's own build, or of it what no bundle holds, with the bundle's files."""
    from provisioning import firmware_build
    from provisioning.bundle_contents import open_bundle

    with tempfile.TemporaryDirectory() as folder:
        own = {path.name: path.read_bytes() for path in firmware_build.build(Path(folder))}
    if bundle is None:
        return own
    try:
        signed = open_bundle(bundle.read_bytes(), modulus)
    except OSError as error:
        raise ConfigurationError(f"The bundle {bundle} cannot be read: {error.strerror}.") from error
    return {name: own[name] for name in ("main.py", "start.mpy")} | signed


def _show(rows: list[Any], as_json: bool) -> None:
    if as_json:
        print_json([row.as_json() for row in rows])
    else:
        for row in rows:
            plain.print(f"{row.port}: {row.id or '-'} {row.serial} {row.trouble or row.state}", markup=False)
        if any(row.trouble is None and not row.calibrated for row in rows):
            plain.print("Not calibrated: the meters use the design values of the wiring. 未经校准。")
    if any(row.trouble for row in rows):
        raise typer.Exit(1)
