"""`gewu receive`: the reference receiver, an independent judge of what a gateway has delivered."""

import logging
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError, GewuError

if TYPE_CHECKING:
    from gateway.receiver.receiver import Receiver


def receive(
    url: Annotated[str, typer.Option("--url", help="The broker: mqtt://HOST:PORT, mqtts, ws or wss.")],
    into: Annotated[
        str | None, typer.Option("--into", help="The folder that keeps what came. Without it nothing is acknowledged.")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--for", min=0, help="End after so many seconds.")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="The CA's certificate (PEM).")] = None,
    cert: Annotated[Path | None, typer.Option("--cert", help="Our certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Our private key (PEM).")] = None,
    username: Annotated[str | None, typer.Option("--username", help="The user name at the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option("--password-file", help="The file with the password.")] = None,
    client_id: Annotated[str, typer.Option("--client-id", help="Ours at the broker, one a receiver.")] = "gewu-receive",
    json_output: JsonFlag = False,
) -> None:
    """Receive from every gateway of a broker, prove that nothing is missing, and acknowledge what is safe.

    Ends on Ctrl-C, SIGTERM or after --for with a report; the exit status is 1 when records are missing, or when
    the broker was never reached.
    """
    from gateway.receiver.files import Files
    from gateway.receiver.receiver import Receiver
    from gateway.receiver.subscriber import Access, Subscriber

    if into is not None and "://" in into:
        raise ConfigurationError(f"--into {into}: writing to a database is not in this version yet; name a folder.")
    if cert is not None and key is None:
        raise ConfigurationError("--cert needs --key, the private key that belongs to it.")
    logging.basicConfig(level=logging.WARNING, format="gewu: %(message)s")
    subscriber = Subscriber(Access(url, client_id, ca, cert, key, username, password_file), _once())
    files = Files(Path(into)) if into is not None else None
    if files is None:
        say("nothing is kept (no --into), so nothing is acknowledged")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    receiver = Receiver(subscriber, files)
    subscriber.start()
    try:
        report = _serve(receiver, stop, seconds)
    finally:
        subscriber.stop()
        if files is not None:
            files.close()
    print_json(report) if json_output else _show(report)
    if not subscriber.connections:
        raise GewuError(f"{url} was never reached, so nothing is proved.")
    raise typer.Exit(1 if report["lost"] else 0)


def _serve(receiver: "Receiver", stop: threading.Event, seconds: float | None) -> dict[str, Any]:
    deadline = None if seconds is None else time.monotonic() + seconds
    while not stop.is_set() and (deadline is None or time.monotonic() < deadline):
        receiver.step()
    return receiver.finish()


def _once() -> Any:
    """Say a sentence only when it differs from the one before: a broker that is away says the same for hours."""
    last = ""

    def hear(sentence: str) -> None:
        nonlocal last
        if sentence != last:
            last = sentence
            say(sentence)

    return hear


def _show(report: dict[str, Any]) -> None:
    for name, found in report["gateways"].items():
        counts = ", ".join(f"{count} {stream}" for stream, count in found["delivered"].items() if count)
        state = found["state"] or "unknown"
        plain.print(f"{name} ({state}): {counts or 'nothing'}; {found['duplicates']} duplicate messages")
        for stream, first, last in found["missing"]:
            plain.print(f"  missing: {stream} {first} to {last}")
    verdict = "nothing is missing" if not report["lost"] else f"{report['lost']} records are missing"
    plain.print(f"{report['delivered']} records received; {verdict}.")
