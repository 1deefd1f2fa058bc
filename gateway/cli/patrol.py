"""`gewu patrol`: a tour of cameras, with its report."""

import time
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.cli.run import DEFAULT_CONFIG, ConfigOption
from gateway.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, help="Tours of cameras (一键轮巡).")


@app.callback()
def _group() -> None:
    """Keeps `run` a word of its own while it is the only command."""


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The patrol's name in gewu.toml.")],
    config: ConfigOption = DEFAULT_CONFIG,
    report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Where the report goes; NAME.html.")] = None,
    json_output: JsonFlag = False,
) -> None:
    """Look through each camera of a patrol in turn; exit 1 when there were findings."""
    from gateway import camera_extra

    camera_extra.require()
    from gateway.camera import onvif, patrol_report, tour
    from gateway.cli import camera_moment
    from gateway.config import load

    read = load(config)
    found = next((one for one in read.patrol if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in read.patrol) or "none"
        raise ConfigurationError(f'There is no patrol "{name}" in {config}; it has: {known}.')
    at = time.strftime("%Y-%m-%d %H:%M:%S %z")
    stops = tour.tour(
        read, found.stops, lambda camera: camera_moment.look(read, camera), time.sleep, found.dwell, onvif.head_of
    )
    file = report or Path(f"{name}.html")
    file.write_text(patrol_report.page(name, at, stops), encoding="utf-8")
    document = {**tour.as_json(name, at, stops), "report": str(file)}
    if json_output:
        print_json(document)
    else:
        for stop in document["stops"]:
            where = f"{stop['camera']} {stop['preset']}" if stop["preset"] else stop["camera"]
            plain.print(f"{where}: {stop['finding'] or stop['label'] or 'nothing moves'}", markup=False)
        say(f"{document['findings']} of {len(stops)} stops have findings; the report with pictures is {file}")
    if document["findings"]:
        raise typer.Exit(1)
