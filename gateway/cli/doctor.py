"""`gewu doctor`: the state of the gateway on this machine and what to do about it."""

from pathlib import Path
from typing import Any

import msgspec
import typer

from gateway.cli.output import JsonFlag, plain, print_json
from gateway.cli.run import DEFAULT_CONFIG, ConfigOption
from gateway.clock import Clock, SystemClock
from gateway.errors import ConfigurationError


def doctor(config: ConfigOption = DEFAULT_CONFIG, json_output: JsonFlag = False) -> None:
    """Look at the gateway and say what is wrong, why, and what to do. Ends 1 when there is a finding."""
    from gateway.config import load
    from gateway.doctor import examine, misconfigured

    clock = SystemClock()
    try:
        loaded = load(config)
    except ConfigurationError as error:
        if json_output:
            print_json({"ok": False, "findings": msgspec.to_builtins(misconfigured(str(error)))})
        raise
    data_dir = loaded.gateway.data_dir
    findings = examine(_status(data_dir), _machine(data_dir, clock), clock.wall_ms())
    if json_output:
        print_json({"ok": not findings, "findings": msgspec.to_builtins(findings)})
    elif findings:
        for finding in findings:
            plain.print(f"[bold red]✗[/] [bold]{finding.what}[/]\n  {finding.why}\n  → {finding.do}")
    else:
        plain.print(f"[bold green]✓[/] Gateway {loaded.gateway.id} is well: buses, uplinks, store and machine.")
    raise typer.Exit(1 if findings else 0)


def _status(data_dir: Path) -> dict[str, Any] | None:
    from gateway.control import ask

    status: dict[str, Any] | None = ask(data_dir, "status") if data_dir.is_dir() else None
    return status


def _machine(data_dir: Path, clock: Clock) -> dict[str, Any]:
    from gateway import health

    place = data_dir
    while not place.exists():  # not made yet: its disk is that of the nearest folder above
        place = place.parent
    return health.measure(place, clock)
