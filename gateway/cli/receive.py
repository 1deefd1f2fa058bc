"""`gewu receive`: the reference receiver, an independent judge of what a gateway has delivered, and its export."""

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import ConfigurationError, GewuError

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.receiver.receiver import Receiver


app = typer.Typer(
    help="The reference receiver, and what it has received.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
STREAMS = ("events", "cases", "readings")


@app.callback()
def receive(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option("--url", help="The broker: mqtt://HOST:PORT, mqtts, ws or wss.", show_default=False)
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(
            "--into",
            help="The folder or the database (postgresql://..., sqlite:///FILE) that keeps what came. Without it "
            "nothing is acknowledged.",
        ),
    ] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="A file that always holds the latest report (JSON).")
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
    if context.invoked_subcommand is not None:
        return
    from gateway.clock import SystemClock
    from gateway.receiver.into import opened
    from gateway.receiver.receiver import Receiver
    from gateway.receiver.subscriber import Access, Subscriber

    if url is None:
        raise ConfigurationError("--url is missing: the broker to receive from, such as mqtt://127.0.0.1:1883.")
    if cert is not None and key is None:
        raise ConfigurationError("--cert needs --key, the private key that belongs to it.")
    logging.basicConfig(level=logging.WARNING, format="gewu: %(message)s")
    subscriber = Subscriber(Access(url, client_id, ca, cert, key, username, password_file), _once())
    keep = opened(into) if into is not None else None
    if keep is None:
        say("nothing is kept (no --into), so nothing is acknowledged")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    receiver = Receiver(subscriber, keep, file=report_file, wall=_known_time(SystemClock()))
    subscriber.start()
    try:
        report = _serve(receiver, stop, seconds)
    finally:
        subscriber.stop()
        if keep is not None:
            keep.close()
    print_json(report) if json_output else show(report)
    if not subscriber.connections:
        raise GewuError(f"{url} was never reached, so nothing is proved.")
    raise typer.Exit(1 if report["lost"] else 0)


def _known_time(clock: "Clock") -> Callable[[], int | None]:
    return lambda: clock.wall_ms() if clock.state() == "trusted" else None


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


def show(report: dict[str, Any]) -> None:
    """The report for people."""
    for name, found in report["gateways"].items():
        counts = ", ".join(_counted(count, stream) for stream, count in found["delivered"].items() if count)
        state = found["state"] or "unknown"
        plain.print(f"{name} ({state}): {counts or 'nothing'}; {_counted(found['duplicates'], 'duplicate messages')}")
    holes = [
        (name, epoch["epoch"], hole)
        for name, found in report["gateways"].items()
        for epoch in found["epochs"]
        for hole in epoch["holes"]
    ]
    if holes:
        _show_holes(holes)
    for damaged in report["damaged"]:
        plain.print(f"{_counted(damaged['count'], 'messages')} refused on {damaged['topic']}: {damaged['why']}")
    verdict = "nothing is missing" if not report["lost"] else f"{_counted(report['lost'], 'records')} missing"
    plain.print(f"{_counted(report['delivered'], 'records')} received; {verdict}.")


def _counted(count: int, what: str) -> str:
    return f"{count} {what.removesuffix('s') if count == 1 else what}"


def _show_holes(holes: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Aligned, and never cut off however narrow the terminal: epochs and times are there to be copied."""
    rows = [("gateway", "epoch", "missing", "from", "to", "after", "before")]
    for name, epoch, hole in holes:
        times = (hole["after"] or "?", hole["before"] or "?")
        rows.append((name, epoch, hole["stream"], str(hole["first"]), str(hole["last"]), *times))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        plain.print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def export(
    into: Annotated[str, typer.Option("--into", help="The folder or the database of a receiver.")],
    access: Annotated[Path, typer.Option("--access", help="The file that says who may see what (TOML).")],
    who: Annotated[str, typer.Option("--as", help="On whose behalf: a `who` of the access file.")],
    stream: Annotated[
        list[str] | None, typer.Option("--stream", help="readings, events or cases; all that may be seen when absent.")
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Print what somebody may see of what was received, as JSON lines (with --json: one JSON array)."""
    from gateway.receiver.access import load
    from gateway.receiver.into import opened

    unknown = [name for name in stream or () if name not in STREAMS]
    if unknown:
        raise ConfigurationError(f"--stream {unknown[0]}: there are {', '.join(STREAMS)}.")
    rules = load(access)
    reader = rules.reader(who)
    keep = opened(into, reading=True)
    try:
        rules.learn(keep.records("events"))
        wanted = [name for name in STREAMS if name in (stream or STREAMS) and name in reader.streams]
        lines = (line for name in wanted for line in _lines(rules.seen(reader, keep.records(name))))
        _write(lines, json_output)
    finally:
        keep.close()


def _lines(records: Iterator[dict[str, Any]]) -> Iterator[str]:
    for record in records:
        yield json.dumps(record, ensure_ascii=False)


def _write(lines: Iterator[str], as_array: bool) -> None:
    if not as_array:
        for line in lines:
            typer.echo(line)
        return
    opening = "["
    for line in lines:
        typer.echo(opening + line)
        opening = ","
    typer.echo("]" if opening == "," else "[]")
