"""`gewu provision deb`: the Debian package, from a checkout."""

import platform
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway import shipped
from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError


class Architecture(StrEnum):
    """What there is a package for."""

    amd64 = "amd64"
    arm64 = "arm64"


class PythonVersion(StrEnum):
    """Debian 12's and Debian 13's Python, and the one between."""

    py311 = "3.11"
    py312 = "3.12"
    py313 = "3.13"


def deb(
    out: Annotated[Path, typer.Option(help="The folder that gets the package.")],
    arch: Annotated[Architecture | None, typer.Option(help="For which machines; else such as this one.")] = None,
    python: Annotated[
        list[PythonVersion] | None, typer.Option("--python", help="For which Python; else 3.11 and 3.13.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make the .deb that a gateway installs offline: wheels for Debian 12 and 13. Needs the package index."""
    from provisioning.deb.package import build
    from provisioning.deb.wheels import PYTHONS

    checkout = shipped.checkout()
    if checkout is None:
        raise ConfigurationError("The package is made from a checkout: clone the repository and run ./gewu there.")
    own = Architecture.arm64 if platform.machine() == "aarch64" else Architecture.amd64
    chosen = tuple(version.value for version in python) if python else PYTHONS
    made = build(checkout, out, (arch or own).value, chosen, say)
    if as_json:
        print_json({"file": str(made), "bytes": made.stat().st_size})
    else:
        plain.print(f"{made}: {made.stat().st_size / 1e6:.0f} MB", markup=False)
