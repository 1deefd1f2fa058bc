"""`gewu rig`: the virtual village alone, and what is done to one that runs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError

app = typer.Typer(name="rig", help="The virtual village: real firmware on simulated buses.", no_args_is_help=True)

RigOption = Annotated[Path | None, typer.Option("--rig", help="Folder of the rig, where several run.")]
Pairs = Annotated[list[str], typer.Argument(metavar="KEY=VALUE...")]


@app.command()
def up(
    site: Annotated[Path, typer.Argument(metavar="SITE.toml", help="Buses and boards (docs/village.md).")],
    folder: Annotated[Path | None, typer.Option(help="Keep flashes and links here; else a passing folder.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Start the boards of SITE.toml, print where they are, and stay until Ctrl-C or SIGTERM."""
    import shutil

    from hil_tests.rig.control import make_rig_folder
    from hil_tests.rig.site import read_site
    from hil_tests.rig.village import Village

    plan = read_site(site)
    place = folder.absolute() if folder is not None else make_rig_folder()
    try:
        _serve(Village(plan, place), as_json)
    finally:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


def _serve(village: Any, as_json: bool) -> None:
    import signal

    ends = (signal.SIGTERM, signal.SIGINT)

    def stop(_number: int, _frame: object) -> None:
        for number in ends:
            signal.signal(number, signal.SIG_IGN)  # the children are ended in peace
        raise KeyboardInterrupt

    # Set here, also where a shell in the background has made Ctrl-C ignored.
    for number in ends:
        signal.signal(number, stop)
    try:
        with village:
            _show(village.state(), as_json)
            village.wait()
    except KeyboardInterrupt:
        pass  # asked to end, and did


@app.command()
def inject(
    board: Annotated[str, typer.Argument(help="Id of the board, or the name of a bus, a link or a gateway.")],
    values: Pairs,
    rig: RigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what BOARD measures (current=80 ...), move its lever (handle=0), kill it (kill=1), or spoil a bus."""
    _change(rig, {"do": "inject", "board": board, "values": _pairs(values)}, as_json)


@app.command()
def fault(
    bus: Annotated[str, typer.Argument(help="Name of the bus.")],
    values: Pairs,
    rig: RigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Faults of BUS: chances noise, drop, collide, unterminated; delay (s); echo, unplug, swapped, unbiased (0 or 1).

    docs/village.md says what each does.
    """
    _change(rig, {"do": "fault", "bus": bus, "values": _pairs(values)}, as_json)


@app.command()
def state(rig: RigOption = None, as_json: JsonFlag = False) -> None:
    """Where the boards of a running rig are, and what tripped."""
    from hil_tests.rig.control import ask, find_rig

    _show(ask(find_rig(rig), {"do": "state"}), as_json)


def _change(rig: Path | None, request: dict[str, Any], as_json: bool) -> None:
    from hil_tests.rig.control import ask, find_rig

    ask(find_rig(rig), request)
    if as_json:
        print_json({key: value for key, value in request.items() if key != "do"})
    else:
        say("done.")


def _pairs(words: list[str]) -> dict[str, str]:
    for word in words:
        if "=" not in word:
            raise ConfigurationError(f"{word!r} is no KEY=VALUE: write for example current=80.")
    return {key: value for key, _equals, value in (word.partition("=") for word in words)}


def _show(document: dict[str, Any], as_json: bool) -> None:
    import sys

    if as_json:
        print_json(document)
    else:
        for bus in document["buses"]:
            plain.print(f"bus {bus['name']}: {bus['port']} at {bus['baud']} baud")
        for board in document["boards"]:
            plain.print(
                f"  {board['id']} on {board['bus']}, address {board['address']}: usb {board['usb']}, "
                f"bootloader {board['bootloader']}, pid {board['pid']}"
            )
        for link in document["links"]:
            about = f" ({link['why']})" if link["why"] else ""
            plain.print(f"link {link['name']}: {link['host']}:{link['port']}, by {link['kind']}{about}")
        for one in document["gateways"]:
            plain.print(f"gateway {one['name']}: {'up' if one['up'] else 'ended'}, pid {one['pid']}, {one['data_dir']}")
        plain.print(f"rig in {document['rig']}")
    sys.stdout.flush()  # whoever started the rig waits for this
