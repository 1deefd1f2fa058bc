"""`gewu commands`: the desk of a running gateway, seen and served by the person on site."""

from typing import Annotated, Any

import typer

from gateway.cli.output import JsonFlag, plain, print_json
from gateway.cli.run import DEFAULT_CONFIG, ConfigOption
from gateway.errors import GewuError

app = typer.Typer(help="Commands to breakers: see, arm, confirm on site.", no_args_is_help=True)
By = Annotated[str, typer.Option("--by", help="The name of the person on site; it goes into the audit.")]


@app.command()
def show(config: ConfigOption = DEFAULT_CONFIG, json_output: JsonFlag = False) -> None:
    """Whether the gateway is armed, what waits for a confirmation, and what became of the others."""
    _tell(_ask(config, "show"), json_output)


@app.command()
def arm(by: By, config: ConfigOption = DEFAULT_CONFIG, json_output: JsonFlag = False) -> None:
    """From now on commands are carried out; until then each is a dry run."""
    _tell(_ask(config, "arm", by=by), json_output)


@app.command()
def disarm(by: By, config: ConfigOption = DEFAULT_CONFIG, json_output: JsonFlag = False) -> None:
    """From now on every command is a dry run."""
    _tell(_ask(config, "disarm", by=by), json_output)


@app.command()
def confirm(
    id: Annotated[str, typer.Argument(help="The command's id, as `gewu commands show` lists it.")],
    by: By,
    config: ConfigOption = DEFAULT_CONFIG,
    json_output: JsonFlag = False,
) -> None:
    """Confirm on site that a breaker may be closed: somebody stands there and has looked."""
    _tell(_ask(config, "confirm", by=by, id=id), json_output)


def _ask(config: Any, act: str, **more: Any) -> dict[str, Any]:
    from gateway.config import load
    from gateway.control import ask

    data_dir = load(config).gateway.data_dir
    state: dict[str, Any] | None = ask(data_dir, "commands", act=act, **more)
    if state is None:
        raise GewuError(f"No gateway runs on {data_dir}: commands are served by a running one.")
    return state


def _tell(state: dict[str, Any], json_output: bool) -> None:
    if json_output:
        print_json(state)
        return
    armed = "armed" if state["armed"] else "not armed: every command is a dry run"
    closing = "may be closed from afar" if state["allow_close"] else "are not closed from afar"
    plain.print(f"The gateway is {armed}; breakers {closing}.")
    plain.print(", ".join(f"{count} {result}" for result, count in state["counts"].items()) + " since it started.")
    for one in state["waiting"]:
        plain.print(
            f"{one['id']}  {one['action']} {one['device']}, ordered by {one['issuer']} ({one['reason']}), waits for a "
            f"confirmation on site until {one['expires_at']}"
        )
