"""`gewu run`: the gateway in the foreground, as systemd runs it."""

import logging
import os
import signal
import sys
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
    """Run the gateway until SIGTERM or Ctrl-C; SIGHUP reads the configuration anew.

    With --json its last status is printed at the end.
    """
    from gateway.agent import Agent
    from gateway.cli.reload import Reload, run_anew
    from gateway.clock import SystemClock
    from gateway.config import load

    _log_to_stderr(verbose)
    stop = threading.Event()
    reload = Reload(config)
    ends = [signal.SIGTERM, signal.SIGINT]
    if sys.stdin is not None and sys.stdin.isatty():
        ends.append(signal.SIGHUP)  # the terminal is gone
    else:
        signal.signal(signal.SIGHUP, lambda *_: reload.ask())
    for number in ends:
        signal.signal(number, lambda *_: stop.set())
    agent = Agent(load(config), SystemClock())
    agent.run(stop, reload.wanted)
    if reload.granted and not stop.is_set():
        run_anew()
    if json_output:
        print_json(agent.status())


def _log_to_stderr(verbose: bool) -> None:
    # Under systemd the journal stamps every line itself.
    stamp = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format=f"{stamp}%(levelname)s %(name)s: %(message)s"
    )
