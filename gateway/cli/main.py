"""`gewu`: the table of commands. Each group lives in its own module; this one only names them."""

import sys

import typer

from gateway.cli.output import say
from gateway.errors import GewuError

app = typer.Typer(
    name="gewu",
    help="Gewu (格物): the edge gateway of a village, its breakers and sensors, and their test bench.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Entry point: errors become one sentence and an exit status, never a traceback."""
    try:
        app()
    except GewuError as error:
        say(str(error))
        sys.exit(error.exit_status)
    except BrokenPipeError:
        # The reader of our output went away (`gewu ... | head`): that is no error of ours.
        sys.stderr.close()
        sys.exit(1)
