"""`--calibrate` of `gewu provision commission`: which reference meter is meant, and the person at the bench."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import say
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from provisioning.bench import Bench
    from provisioning.reference import ReferenceMeter

CalibrateOption = Annotated[
    str | None,
    typer.Option(
        "--calibrate",
        metavar="METER",
        help="Calibrate at the isolated bench: `ask` (you type what the reference meter shows), a CSV of points, "
        "scpi://HOST:PORT, or `rig` (virtual boards). Without it the meters use the design values of the wiring.",
    ),
]
RecalibrateOption = Annotated[
    bool, typer.Option("--recalibrate", help="With --calibrate: also boards that are calibrated already.")
]


def bench_of(source: str | None, again: bool) -> "Bench | None":
    """The bench that the options mean. ConfigurationError says what is wrong with them."""
    from provisioning.bench import Bench

    if source is None:
        if again:
            raise ConfigurationError("--recalibrate needs --calibrate: which reference meter is meant.")
        return None
    return Bench(_meter(source), again)


def _meter(source: str) -> "ReferenceMeter":
    from provisioning.reference import FromFile, Scpi, Typed

    if source == "ask":
        return Typed(_ask)
    if source.startswith("scpi://"):
        return Scpi(source, _ask)
    if source == "rig" or source.startswith("rig:"):
        from hil_tests.rig.reference import RigReference

        return RigReference(Path(source[4:]) if source[4:] else None)
    return FromFile(Path(source), _ask)


def _ask(text: str) -> str:
    """The answer of the person at the bench; stdout is for one document."""
    from provisioning.trouble import Trouble

    say(text)
    answer = sys.stdin.readline()
    if not answer:
        raise Trouble("no-reference", "nobody answers at the bench")
    return answer.strip()
