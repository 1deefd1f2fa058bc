"""`gewu`: the table of commands. Each lives in its own module; this one only names them and speaks their errors."""

import os
import sys
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import (
    audit,
    backup,
    bench,
    bus,
    camera,
    check,
    commands,
    decode,
    demo,
    doctor,
    firmware,
    hil,
    outbox,
    patrol,
    profile,
    provision,
    receive,
    rig,
    run,
    schema,
    test,
)
from gateway.cli.output import say
from gateway.errors import GewuError

app = typer.Typer(
    name="gewu",
    help="Gewu (格物): the edge gateway of a village, its breakers and sensors, and their test bench.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"gewu {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


app.command()(demo.demo)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
    test.test
)
app.command()(run.run)
app.command()(hil.hil)
app.command()(check.check)
app.command()(schema.schema)
app.command()(doctor.doctor)
app.command()(decode.decode)
app.command()(backup.backup)
app.command()(backup.restore)
app.add_typer(receive.app, name="receive")
app.add_typer(bus.app, name="bus")
app.add_typer(profile.app, name="profile")
app.add_typer(outbox.app, name="outbox")
app.add_typer(commands.app, name="commands")
app.add_typer(audit.app, name="audit")
app.add_typer(camera.app, name="camera")
app.add_typer(patrol.app, name="patrol")
app.add_typer(provision.app, name="provision")
app.add_typer(rig.app, name="rig")
app.add_typer(firmware.app, name="firmware")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Entry point: errors become one sentence and an exit status, never a traceback."""
    try:
        app(prog_name="gewu")
    except GewuError as error:
        say(str(error))
        sys.exit(error.exit_status)
    except BrokenPipeError:
        # The reader of our output went away (`gewu ... | head`): that is no error of ours. What is still
        # buffered goes nowhere, so that the interpreter does not stumble over it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        say(f"{error.filename or 'the system'}: {error.strerror or error}")
        sys.exit(1)
    except Exception as error:
        if os.environ.get("GEWU_DEBUG"):
            raise
        say(f"this should not have happened ({type(error).__name__}: {error}); with GEWU_DEBUG=1 it shows where.")
        sys.exit(1)
