"""`gewu provision gateway`: one site file into everything that a Raspberry Pi needs, as a folder or over ssh."""

import getpass
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from provisioning.site.provision import Parcel

SiteOption = Annotated[Path, typer.Option("--site", help="The site file (docs/gateway-setup.md).")]


def gateway(
    site: SiteOption,
    out: Annotated[Path | None, typer.Option(help="Make this folder, to copy onto an SD card.")] = None,
    ssh: Annotated[str | None, typer.Option(help="Bring it to this host, such as pi@192.168.1.20.")] = None,
    name: Annotated[str | None, typer.Option("--gateway", help="Which one, where the site has several.")] = None,
    package: Annotated[
        list[Path] | None, typer.Option("--package", help="A .deb to install there; give it once for each.")
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="New certificates, also where the old ones last.")] = False,
    new_code: Annotated[bool, typer.Option("--new-code", help="A new first-use code.")] = False,
    dry: Annotated[bool, typer.Option("--list", help="With --ssh: say what would change, and end.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --ssh: do not ask after the list.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Configuration, certificates, broker and system settings for a gateway; again, it changes only what changed."""
    import secrets

    from gateway.clock import SystemClock
    from provisioning.site import parcel as folders
    from provisioning.site.provision import parcel

    if (out is None) == (ssh is None):
        raise ConfigurationError("Say where it goes: --out FOLDER or --ssh HOST, one of them.")
    packages = package or []
    for file in packages:
        if file.suffix != ".deb" or not file.is_file():
            raise ConfigurationError(f"--package {file} is no .deb file that is there.")
    made = parcel(site, name, SystemClock(), secrets.token_bytes, renew, new_code)
    if out is not None:
        changes, done = folders.write(out, made.files, packages), True
    else:
        assert ssh is not None  # one of the two
        with tempfile.TemporaryDirectory(prefix="gewu-") as work:
            folders.write(Path(work), made.files, packages)
            changes, done = _send(Path(work), ssh, dry, yes)
    _show(made, str(out or ssh), changes, done, as_json)


def _send(folder: Path, host: str, dry: bool, yes: bool) -> tuple[list[str], bool]:
    from provisioning.site.remote import send

    terminal = sys.stdin.isatty()

    def password() -> str:
        if not terminal:
            raise ConfigurationError(f"sudo on {host} wants a password, and there is no terminal to ask for it.")
        return getpass.getpass(f"Password of sudo on {host}: ")

    def agreed(changes: list[str]) -> bool:
        for line in changes:
            say(line)
        return not dry and (yes or (terminal and typer.confirm(f"Do this on {host}?", err=True)))

    changes, done = send(folder, host, agreed, password)
    if not done and not dry and not terminal:
        raise ConfigurationError("Nothing was changed: there is no terminal to ask at; give --yes to go on, or --list.")
    return changes, done


def _show(made: "Parcel", where: str, changes: list[str], done: bool, as_json: bool) -> None:
    if as_json:
        document: dict[str, Any] = {"gateway": made.gateway, "to": where, "changes": changes, "done": done}
        print_json(document | {"revoked": list(made.revoked), "first_use_code": made.code})
        return
    for line in changes:
        plain.print(line, markup=False)
    for name in made.revoked:
        plain.print(f"The certificate of {name} is revoked: bring this to the gateway with the broker.", markup=False)
    plain.print(f"{made.gateway}: {'no change' if not changes else 'done' if done else 'nothing was changed'}.")
    if made.code is not None:
        plain.print(f"First-use code, shown only now, good for 14 days / 首次使用码，仅显示一次: [bold]{made.code}[/]")
