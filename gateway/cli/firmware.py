"""`gewu firmware`: the firmware's build and its size."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.curve import curve
from gateway.cli.output import JsonFlag, plain, print_json

app = typer.Typer(no_args_is_help=True, help="The boards' firmware: build it, and see how big it is.")

app.command()(curve)

DEFAULT_OUT = Path("build/firmware")
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the files of a board's flash.")]


@app.command()
def build(
    out: OutOption = DEFAULT_OUT,
    key: Annotated[
        Path | None, typer.Option("--key", help="RSA private key in PEM: also make a signed update, OUT.bundle.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Bring the register table up to date with the profiles and compile the firmware to .mpy files."""
    from provisioning import firmware_build, register_page

    changed = firmware_build.write_table()
    register_page.write(tuple(firmware_build.ROLES.values()))
    files = firmware_build.build(out)
    names = out.with_name(out.name + ".names")
    names.write_text(firmware_build.names(), encoding="ascii")
    bundle = None if key is None else firmware_build.sign(files, key, out.with_name(out.name + ".bundle"))
    if json_output:
        print_json(
            {
                "out": str(out),
                "table_changed": changed,
                "files": [path.name for path in files],
                "names": str(names),
                "bundle": None if bundle is None else str(bundle),
            }
        )
        return
    if bundle is not None:
        plain.print(f"{bundle}: {bundle.stat().st_size} bytes, signed")
    if changed:
        plain.print(f"{firmware_build.TABLE}: written anew from the profiles")
    plain.print(f"{names}: what the short names in a traceback stand for")
    plain.print(f"{out}: {len(files)} files, {sum(firmware_build.size(out).values())} bytes")


@app.command()
def size(json_output: JsonFlag = False) -> None:
    """Compile the firmware and list the bytes of each file on the flash."""
    from provisioning import firmware_build

    with tempfile.TemporaryDirectory() as folder:
        firmware_build.build(Path(folder))
        sizes = firmware_build.size(Path(folder))
    total = sum(sizes.values())
    if json_output:
        print_json({"files": sizes, "total": total})
        return
    for name, count in sizes.items():
        plain.print(f"{count:7d}  {name}")
    plain.print(f"{total:7d}  together")
