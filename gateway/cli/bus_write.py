"""`gewu bus write`: one value into one register, after asking; a coil only when told twice."""

from typing import Annotated

import typer

from gateway.cli.bus_line import (
    AddressOption,
    BaudOption,
    ConfigOption,
    ParityOption,
    PortOption,
    ProfileOption,
    StopbitsOption,
    TimeoutOption,
    open_line,
    shown,
)
from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import GewuError


def write(
    port: PortOption,
    address: AddressOption,
    profile: ProfileOption,
    name: Annotated[str, typer.Argument(help="The register, as the profile calls it.")],
    value: Annotated[str, typer.Argument(help="The value, in the profile's unit; on or off for a coil.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before writing.")] = False,
    dry_run: Annotated[
        bool | None,
        typer.Option("--dry-run/--no-dry-run", help="Only say what would be written. The default for coils."),
    ] = None,
    baud: BaudOption = 9600,
    parity: ParityOption = "N",
    stopbits: StopbitsOption = 1,
    timeout: TimeoutOption = 0.3,
    config: ConfigOption = None,
    json_output: JsonFlag = False,
) -> None:
    """Write one value to a device and read it back. It asks first, and moves no coil without --no-dry-run."""
    from gateway import profile as profiles
    from gateway.bus.contact import recognise
    from gateway.bus.writing import now_there, words, writable
    from gateway.bus.writing import write as write_words

    definition = profiles.load(profile)
    register = writable(definition, name)
    wanted, raw = words(register, value)
    only_say = register.kind == "coil" if dry_run is None else dry_run
    line, holder = open_line(port, baud, parity, stopbits, timeout, config)
    try:
        recognise(line, address, definition)
        before = now_there(line, address, register)
        what = f"{shown(wanted)} {register.unit}".rstrip() + f" into {name} of address {address}"
        if before is not None:
            what += f", which holds {shown(before)}"
        if not only_say:
            _ask(what, yes, json_output)
            write_words(line, address, register, raw)
        after = before if only_say else now_there(line, address, register)
    finally:
        line.close()
    if json_output:
        print_json(
            {
                "device": holder.device(address) if holder else None, "address": address, "name": name, "value": wanted,
                "raw": raw, "before": before, "after": after, "written": not only_say,
            }
        )  # fmt: skip
    elif only_say:
        plain.print(f"Would write {what}. Nothing was written; --no-dry-run writes.")
    else:
        said = what.replace(", which holds", ", which held")
        plain.print(f"Wrote {said}." + ("" if after is None else f" It holds {shown(after)} now."))
    if not only_say and after is not None and after != wanted:
        if after == before:
            raise GewuError(
                f"{name} still holds {shown(after)}: the device acknowledged the write and did not take it."
            )
        say(f"{name} holds {shown(after)} and not {shown(wanted)}: it counts on by itself, or was rounded.")


def _ask(what: str, yes: bool, json_output: bool) -> None:
    if yes:
        return
    if json_output or not plain.is_terminal:
        raise GewuError(f"Nothing was written: nobody can be asked here; --yes writes {what}.")
    if not typer.confirm(f"Write {what}?"):
        raise GewuError("Nothing was written.")
