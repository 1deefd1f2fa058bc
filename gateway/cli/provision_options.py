"""Options that the installer's commands share, and what each of them checks first."""

import importlib.util
from typing import Annotated

import typer

from gateway.errors import ConfigurationError

PortsOption = Annotated[
    list[str], typer.Option("--port", help="Serial port of a board; give it once for each board.", show_default=False)
]
OptionalPorts = Annotated[
    list[str] | None, typer.Option("--port", help="Serial port of a board; give it once for each board.")
]
# `--port A B C` and `--port A --port B --port C` are the same.
MorePorts = Annotated[list[str] | None, typer.Argument(metavar="[PORT]...", help="More ports.", show_default=False)]
AtOnceOption = Annotated[int, typer.Option("--at-once", min=1, max=32, help="So many boards at the same time.")]


def each_once(first: list[str], more: list[str] | None) -> list[str]:
    """All the ports; ConfigurationError where one is named twice."""
    ports = first + (more or [])
    if twice := [port for index, port in enumerate(ports) if port in ports[:index]]:
        raise ConfigurationError(f"--port {twice[0]} is given twice; each board has a port of its own.")
    return ports


def needs(module: str) -> None:
    """ConfigurationError where a library of the extra is not installed."""
    if importlib.util.find_spec(module) is None:
        raise ConfigurationError(f"This needs {module}, of the extra `provision`: pip install 'gewu-edge[provision]'.")
