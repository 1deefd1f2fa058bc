"""`gewu audit`: the proof that no row of the audit was altered or taken out."""

from typing import Annotated, Any

import typer

from gateway.cli.output import JsonFlag, plain, print_json
from gateway.cli.run import DEFAULT_CONFIG, ConfigOption
from gateway.errors import GewuError

app = typer.Typer(help="The audit: who commanded what, and what came of it.", no_args_is_help=True)
_VERIFY_WAIT_S = 300.0


@app.command()
def verify(
    config: ConfigOption = DEFAULT_CONFIG,
    least: Annotated[
        int, typer.Option("--least", min=0, help="A number of rows that is known to have been there: fewer is a loss.")
    ] = 0,
    json_output: JsonFlag = False,
) -> None:
    """Walk the chain of hashes; the first row that does not fit is named, with exit status 1."""
    from gateway.commands.audit import verify as walk
    from gateway.config import load
    from gateway.control import ask
    from gateway.outbox.at_rest import audit_at_rest

    data_dir = load(config).gateway.data_dir
    found: dict[str, Any] | None = ask(data_dir, "audit", timeout=_VERIFY_WAIT_S, least=least)
    if found is None:
        rows = audit_at_rest(data_dir)
        if rows is None:
            raise GewuError(f"There is no audit in {data_dir} yet: it is made when the gateway first runs.")
        found = walk(rows, least).document()
    if json_output:
        print_json(found)
    elif found["ok"]:
        plain.print(f"{found['rows']} rows, all as they were written; the last hash is {found['head'] or 'none'}.")
    else:
        plain.print(f"{found['why']}. The {found['rows']} rows before it are as they were written.")
    raise typer.Exit(0 if found["ok"] else 1)
