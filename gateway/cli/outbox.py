"""`gewu outbox`: what waits to be sent. A running gateway is asked; the database of a stopped one is read."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.run import DEFAULT_CONFIG, ConfigOption
from gateway.errors import GewuError

app = typer.Typer(help="What waits to be sent.", no_args_is_help=True)
_EXPORT_WAIT_S = 300.0


@app.command()
def stats(config: ConfigOption = DEFAULT_CONFIG, json_output: JsonFlag = False) -> None:
    """Count what was accepted, delivered, queued and dropped."""
    from gateway.control import ask
    from gateway.outbox.at_rest import stats_at_rest

    data_dir = _data_dir(config)
    found = ask(data_dir, "stats")
    if found is None:
        at_rest = stats_at_rest(data_dir)
        if at_rest is None:
            raise _no_outbox(data_dir)
        found = msgspec.to_builtins(at_rest)
    if json_output:
        print_json(_as_contract(found))
    else:
        _show(found)


@app.command()
def export(
    config: ConfigOption = DEFAULT_CONFIG,
    into: Annotated[Path | None, typer.Option("--into", help="The file to write; stdout when absent.")] = None,
    json_output: JsonFlag = False,
) -> None:
    """Write every record that is still kept, as JSON lines (with --json: one JSON array)."""
    from gateway.control import ask

    data_dir = _data_dir(config)
    written = ask(data_dir, "export", timeout=_EXPORT_WAIT_S)
    file = None if written is None else Path(written["file"])
    try:
        lines = _at_rest(data_dir) if file is None else _lines_of(file)
        with into.open("wb") if into is not None else _stdout() as out:
            out.writelines(_as_array(lines) if json_output else lines)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise GewuError(f"The export cannot be written: {error}.") from error
    finally:
        if file is not None:
            file.unlink(missing_ok=True)
    if into is not None:
        say(f"{into} holds what the outbox of {data_dir} keeps")


def _data_dir(config: Path) -> Path:
    from gateway.config import load

    return load(config).gateway.data_dir


def _at_rest(data_dir: Path) -> Iterator[bytes]:
    from gateway.outbox.at_rest import export_at_rest

    found = export_at_rest(data_dir)
    if found is None:
        raise _no_outbox(data_dir)
    return found


def _no_outbox(data_dir: Path) -> GewuError:
    return GewuError(f"There is no outbox in {data_dir} yet: it is made when the gateway first runs.")


def _lines_of(file: Path) -> Iterator[bytes]:
    with file.open("rb") as lines:
        yield from lines


def _stdout() -> IO[bytes]:
    # Not closed with the block: the interpreter still flushes it at its end.
    return open(sys.stdout.fileno(), "wb", closefd=False)  # a descriptor has no path


def _as_array(lines: Iterator[bytes]) -> Iterator[bytes]:
    opening = b"["
    for line in lines:
        yield opening + line
        opening = b","
    yield b"]\n" if opening == b"," else b"[]\n"


def _as_contract(found: dict[str, Any]) -> dict[str, Any]:
    """The JSON of contract section 1: `oldest` is a time T there."""
    from gateway.records import rfc3339

    return found | {"oldest": None if found["oldest"] is None else rfc3339(found["oldest"])}


def _show(found: dict[str, Any]) -> None:
    oldest = found["oldest"]
    since = "" if oldest is None else f", the oldest of {datetime.fromtimestamp(oldest / 1000, UTC):%F %T} UTC"
    plain.print(f"accepted  {found['accepted']}")
    plain.print(f"delivered {found['delivered']}")
    plain.print(f"queued    {found['queued']}{since}")
    plain.print(f"dropped   {found['dropped']}")
    plain.print(f"inbox     {found['inbox']}")
    plain.print(f"on disk   {found['bytes'] / 1e6:.1f} MB")
