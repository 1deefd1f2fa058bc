"""`gewu backup` and `gewu restore`: the data as a whole, kept elsewhere and brought back."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.run import DEFAULT_CONFIG, ConfigOption
from gateway.errors import ConfigurationError

_SNAPSHOT_WAIT_S = 1800.0


def backup(
    config: ConfigOption = DEFAULT_CONFIG,
    to: Annotated[
        str | None, typer.Option("--to", help="A folder or an http(s):// server; else that of gewu.toml.")
    ] = None,
    secrets: Annotated[bool, typer.Option("--secrets", help="Take private keys and passwords along.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Make a backup of the outbox, the configuration, certificates and models, also while the gateway works."""
    from gateway.backup.making import make
    from gateway.backup.scheduled import place_of
    from gateway.clock import SystemClock
    from gateway.config import load
    from gateway.control import ask
    from gateway.outbox.snapshot import copy_at_rest
    from gateway.records import rfc3339

    loaded = load(config)
    data_dir = loaded.gateway.data_dir
    place = place_of(loaded, to)
    if place is None:
        raise ConfigurationError("Nothing says where the backup goes: give --to FOLDER, or the table [backup] a to.")

    def snapshot(file: Path) -> bool:
        # A running gateway writes it, for only that may have its outbox open; at the place that both know.
        return ask(data_dir, "snapshot", timeout=_SNAPSHOT_WAIT_S) is not None or copy_at_rest(data_dir, file)

    made = make(loaded, config, place, snapshot, SystemClock().wall_ms(), secrets)
    if json_output:
        print_json(msgspec.to_builtins(made) | {"at": rfc3339(made.at)})
        return
    plain.print(f"{made.file}: {made.files} files, {made.bytes / 1e6:.1f} MB, sha256 {made.sha256}")
    if made.secrets:
        say("it holds private keys or passwords: keep it as you keep those")
    elif made.left_out:
        say(f"without the secrets ({', '.join(made.left_out)}); --secrets takes them along")


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    into: Annotated[Path, typer.Option("--into", help="The folder that gets gewu.toml and what lies beside it.")],
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where the data goes, in place of where gewu.toml says.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Bring a backup back, verified, into places where nothing is yet; numbering begins a new epoch."""
    from gateway.backup.restore import restore as bring_back
    from gateway.clock import SystemClock
    from gateway.outbox.snapshot import renew

    clock = SystemClock()
    restored = bring_back(file, into, data_dir, lambda folder: renew(folder, clock.wall_ms()))
    if json_output:
        print_json(msgspec.to_builtins(restored))
        return
    plain.print(f"The gateway {restored.gateway} as it was at {restored.made}: {restored.files} files, all verified.")
    plain.print(f"configuration {restored.config}\ndata          {restored.data_dir}")
    for number, step in enumerate(restored.next, 1):
        plain.print(f"{number}. {step}")
