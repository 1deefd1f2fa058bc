"""`gewu run`: the gateway in the foreground, as systemd runs it."""

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import JsonFlag, print_json

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The gateway's configuration.")]
DEFAULT_CONFIG = Path("gewu.toml")


def run(
    config: ConfigOption = DEFAULT_CONFIG,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every exchange too.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; with --json its last status is printed at the end."""
    from gateway.agent import Agent
    from gateway.clock import SystemClock
    from gateway.config import load

    _log_to_stderr(verbose)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    agent = Agent(load(config), SystemClock())
    agent.run(stop)
    if json_output:
        print_json(agent.status())


def _log_to_stderr(verbose: bool) -> None:
    # Under systemd the journal stamps every line itself.
    stamp = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format=f"{stamp}%(levelname)s %(name)s: %(message)s"
    )
