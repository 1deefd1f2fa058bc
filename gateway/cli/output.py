"""How a command speaks: one JSON document or plain lines on stdout, sentences on stderr."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

# soft_wrap: a path or a sentence is never broken in the middle, so that it can be copied.
plain = Console(soft_wrap=True, highlight=False)


def print_json(document: Any) -> None:
    """One JSON document on stdout, Chinese as it is written."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def say(sentence: str) -> None:
    """A sentence for the person at the terminal, on stderr."""
    typer.echo(f"gewu: {sentence}", err=True)
