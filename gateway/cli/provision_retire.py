"""`gewu provision retire`: a board, or with --gateway this gateway, leaves service; what it knew is gone, provably."""

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.bus_line import open_line
from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.provision_options import needs
from gateway.errors import ConfigurationError, GewuError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from provisioning.history import Past
    from provisioning.plan import PlanRow
    from provisioning.retire import Proof

PEOPLE_FIRST = (
    "People first: from this moment on the board protects nothing and measures nothing. Take its load off, or see "
    "that the certified breaker upstream is in. USB only with the mains off, or through an isolator. "
    "安全第一：此后该装置不再提供任何保护；先断开负载或确认上级断路器在位；接 USB 须断开市电或使用隔离器。"
)
ByOption = Annotated[str | None, typer.Option("--by", help="Who retires it; goes into the record.")]


def retire(
    device: Annotated[str | None, typer.Argument(metavar="[ID]", help="The row of the plan.")] = None,
    plan: Annotated[Path | None, typer.Option(help="CSV or xlsx: see `gewu provision plan`.")] = None,
    port: Annotated[str | None, typer.Option("--port", help="The board's USB.")] = None,
    bus: Annotated[str | None, typer.Option("--bus", help="Over its bus, with its own key.")] = None,
    baud: Annotated[int, typer.Option("--baud", "-b", help="The speed of the bus in bit/s.")] = 9600,
    lost: Annotated[bool, typer.Option("--lost", help="Nobody has the board: only its key is revoked.")] = False,
    gateway: Annotated[bool, typer.Option("--gateway", help="This gateway's data and secrets, for ever.")] = False,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The gateway's gewu.toml.", show_default=False)
    ] = None,
    by: ByOption = None,
    keys: Annotated[Path | None, typer.Option("--keys", help="Else device-keys.toml beside the plan.")] = None,
    journal: Annotated[Path | None, typer.Option(help="Record; else PLAN.journal.jsonl beside the plan.")] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="Where the signed certificate goes; else retired-ID.json.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="The installer's key, as of `provision report`.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Retire a board: wiped, read back, its key revoked, its row free. --gateway: a gateway's data and secrets."""
    from provisioning import installer_key

    if not (by or "").strip():
        raise ConfigurationError("--by NAME: say who retires it, for the record.")
    signer = installer_key.open_key(key or installer_key.default_path())  # before anything is gone
    if gateway:
        if device is not None or config is None:
            raise ConfigurationError("--gateway takes --config GEWU.TOML and no ID: a gateway, or a board.")
        document = _gateway(config, str(by), yes)
        name = f"retired-{document['gateway']['id']}.json"
        _certify(document, certificate or Path(name), signer, as_json)
        return
    if device is None or plan is None:
        raise ConfigurationError("Say which board: gewu provision retire ID --plan PLAN.csv; or --gateway.")
    document = _board(device, plan, port, bus, baud, lost, config, str(by), keys, journal, yes)
    _certify(document, certificate or plan.with_name(f"retired-{device}.json"), signer, as_json)
    say(f"remove {device} from the gateway's gewu.toml, copy the device keys there, and restart the gateway.")


def _board(
    device: str, plan: Path, port: str | None, bus: str | None, baud: int, lost: bool, config: Path | None, by: str,
    keys: Path | None, journal: Path | None, yes: bool,
) -> dict[str, Any]:  # fmt: skip
    from gateway.clock import SystemClock
    from gateway.records import rfc3339
    from provisioning.device_keys import open_keys
    from provisioning.history import Past, pasts
    from provisioning.journal import Journal
    from provisioning.plan_file import read_plan
    from provisioning.retire import begun, check_way, finish

    check_way(sum((port is not None, bus is not None, lost)))
    row, clock = read_plan(plan).by_id(device), SystemClock()
    with Journal(journal or plan.with_suffix(".journal.jsonl"), clock) as record:
        held = open_keys(keys or plan.with_name("device-keys.toml"), clock)
        past = pasts(record.lines).get(device, Past())
        _ask(f"{device} ({row.place}, {row.circuit})", yes)
        proof = begun(row, record) or _wipe(row, past, port, bus, baud, config, held.held(device))
        line = finish(row, past, proof, by, held, record)
    return {"kind": "retired board", "at": rfc3339(clock.wall_ms())} | line


def _wipe(
    row: "PlanRow", past: "Past", port: str | None, bus: str | None, baud: int, config: Path | None, key: bytes | None
) -> "Proof":
    from gateway import profile as profiles
    from gateway.clock import SystemClock
    from provisioning.retire import Proof, over_bus, over_usb

    if port is not None:
        needs("mpremote")
        with contextlib.redirect_stdout(io.StringIO()):
            return over_usb(port, row, past)
    if bus is None:
        return Proof("lost", False, "nobody has the board; it was not wiped, and its key is worthless now")
    if key is None:
        raise ConfigurationError(f"There is no key of {row.id}: over the bus only its key can wipe it; take --port.")
    line, _holder = open_line(bus, baud, "N", 1, 0.3, config)
    try:
        return over_bus(line, row, past, profiles.load(row.profile), key, SystemClock())
    finally:
        line.close()


def _gateway(config: Path, by: str, yes: bool) -> dict[str, Any]:
    from gateway.clock import SystemClock
    from gateway.config import load
    from gateway.records import rfc3339
    from provisioning.destruction import alone, destroy, inventory

    loaded = load(config)
    with alone(loaded.gateway.data_dir):
        gone, left = inventory(loaded)
        where = f"{loaded.gateway.data_dir} and secrets beside it"
        say(f"will be destroyed for ever 将永久销毁: {len(gone)} files, in {where}.")
        for path in left:
            say(f"stays 保留: {path}")
        _ask(f"gateway {loaded.gateway.id}", yes, people=False)
        about = {"id": loaded.gateway.id, "site": loaded.gateway.site}
        document = {"kind": "destruction", "gateway": about, "by": by} | destroy(loaded)
    return document | {"at": rfc3339(SystemClock().wall_ms())}


def _ask(what: str, yes: bool, people: bool = True) -> None:
    if people:
        say(PEOPLE_FIRST)
    if yes:
        return
    if not sys.stdin.isatty():
        raise GewuError(f"Nothing was done: nobody can be asked here; --yes retires {what}.")
    typer.confirm(f"Retire 停用 {what}?", abort=True, err=True)


def _certify(document: dict[str, Any], path: Path, signer: "Ed25519PrivateKey", as_json: bool) -> None:
    """The certificate and its signature, which `gewu provision report --check` proves."""
    from gateway.wholefile import write_whole
    from provisioning import installer_key

    write_whole(path, json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")
    installer_key.sign(signer, [path], document["at"], path.with_suffix(".sig"))
    if as_json:
        print_json(document)
        return
    plain.print(str(document.get("seen") or f"{len(document['files'])} files destroyed."), markup=False)
    plain.print(f"{path}, signed; gewu provision report --check {path} proves it.", markup=False)
