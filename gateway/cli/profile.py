"""`gewu profile`: the device profiles that there are, what one says, and whether one is right."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.profile import Register

app = typer.Typer(help="The device profiles.", no_args_is_help=True)


@app.command("list")
def list_(json_output: JsonFlag = False) -> None:
    """List the profiles that travel with the program."""
    from gateway import profile as profiles

    found = [profiles.load(name) for name in profiles.shipped()]
    if json_output:
        print_json(
            [
                {
                    "name": profile.name,
                    "vendor": profile.head.vendor,
                    "model": profile.head.model,
                    "registers": len(profile.registers),
                    "events": len(profile.events),
                }
                for profile in found
            ]
        )
        return
    table = Table("profile", "vendor", "model", "registers", "events", box=None)
    for one in found:
        table.add_row(one.name, one.head.vendor, one.head.model, str(len(one.registers)), str(len(one.events)))
    plain.print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_FILE", help="A shipped profile, or a file.")],
    json_output: JsonFlag = False,
) -> None:
    """Show what a profile says, defaults included."""
    from gateway import profile as profiles

    profile = profiles.load(name)
    if json_output:
        print_json(profile.model_dump(mode="json", by_alias=True))
        return
    head = profile.head
    plain.print(f"{profile.name}: {head.vendor} {head.model}", markup=False)
    table = Table("name", "kind", "address", "type", "scale", "unit", "poll", "access", box=None)
    for register in profile.registers:
        table.add_row(
            register.name, register.kind, _span(register), register.type,
            f"{register.scale:g}", register.unit, register.poll, register.access,
        )  # fmt: skip
    plain.print(table)
    for rule in profile.events:
        plain.print(f"event {rule.kind} (grade {rule.grade}) while {rule.when} is {rule.equals}", markup=False)


@app.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME_OR_FILE]...", help="Profiles; all shipped ones when left out.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Check profiles: overlaps, unreachable addresses, doubled names and everything else."""
    from gateway import profile as profiles

    results = [(name, _errors(name)) for name in names or profiles.shipped()]
    if json_output:
        print_json([{"profile": name, "ok": not errors, "errors": errors} for name, errors in results])
    for name, errors in results:
        for error in errors if not json_output else ():
            say(error)
        if not errors and not json_output:
            profile = profiles.load(name)
            plain.print(
                f"{name} is fine: registers: {len(profile.registers)}, events: {len(profile.events)}.", markup=False
            )
    if any(errors for _, errors in results):
        raise typer.Exit(ConfigurationError.exit_status)


def _errors(name: str) -> list[str]:
    from gateway import profile as profiles

    try:
        profiles.load(name)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


def _span(register: "Register") -> str:
    last = register.end - 1
    return str(register.address) if last == register.address else f"{register.address}-{last}"
