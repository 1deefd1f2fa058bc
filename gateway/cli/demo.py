"""`gewu demo`: the main job with no hardware, told as a story and judged by an independent receiver."""

import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import JsonFlag, print_json, say

if TYPE_CHECKING:
    from hil_tests.brokers import Amqtt, Mosquitto

    BrokerProcess = Amqtt | Mosquitto


class Broker(StrEnum):
    """Which broker stands between the gateway and the receiver."""

    auto = "auto"
    amqtt = "amqtt"
    mosquitto = "mosquitto"


def demo(
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=10.0, help="End after SECONDS (default: Ctrl-C).")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON summary here.")] = None,
    broker: Annotated[
        Broker, typer.Option(help="The broker: mosquitto when it is installed, else the embedded amqtt.")
    ] = Broker.auto,
    console: Annotated[bool, typer.Option("--console/--no-console", help="Serve the web console (to come).")] = True,
    json_output: JsonFlag = False,
) -> None:
    """A virtual village with a real gateway and a broker: an overload, an outage, a kill, and nothing lost."""
    from rich.console import Console

    from hil_tests.demo.cast import Cast
    from hil_tests.demo.play import Play
    from hil_tests.demo.view import Lines, LiveTable

    began = time.monotonic()
    if report is not None:
        _check_writable(report)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    screen = Console(stderr=True, highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="gewu-demo-"))
    view = LiveTable(screen) if screen.is_terminal and not json_output else Lines(screen)
    cast = Cast(folder, _broker(broker))
    try:
        summary = Play(cast, view, began).perform(seconds, stop.is_set)
    except BaseException:
        say(f"the logs of the demo are kept in {folder}")
        raise
    finally:
        view.close()
        cast.close()
    if report is not None:
        report.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if json_output:
        print_json(summary)
    else:
        _tell(summary)
    if summary["lost"]:
        say(f"{summary['lost']} records were lost; the logs of the demo are kept in {folder}")
        raise typer.Exit(1)
    shutil.rmtree(folder, ignore_errors=True)


def _broker(choice: Broker) -> "BrokerProcess":
    from hil_tests.brokers import Amqtt, Mosquitto, best

    return {Broker.auto: best, Broker.amqtt: Amqtt, Broker.mosquitto: Mosquitto}[choice]()


def _check_writable(report: Path) -> None:
    """Before a minute is spent, not after it."""
    from gateway.errors import ConfigurationError

    if not report.resolve().parent.is_dir():
        raise ConfigurationError(f"The report cannot be written to {report}: its folder does not exist; make it first.")


def _tell(summary: dict[str, Any]) -> None:
    """The report in words, on stdout."""
    out = sys.stdout.write
    out(f"\n{summary['boards']} boards, {summary['seconds']} s, first reading after {summary['first_reading_s']} s\n")
    out(
        f"records: {summary['accepted']} accepted = {summary['delivered']} delivered + {summary['queued']} queued + "
        f"{summary['dropped']} dropped; lost {summary['lost']}; {summary['duplicates']} messages came twice\n"
    )
    for event in summary["events"]:
        out(f"event {event['kind']} of {event['device']}: {event['latency_ms']} ms to the receiver\n")
    camera = summary["camera"]
    if camera["missing"]:
        out(f"no camera: {camera['missing']}\n")
    elif camera["event"]:
        proof = "each the one its event names" if camera["verified"] else "NOT the ones that the event names"
        out(f"the camera saw {camera['event']}: {len(camera['evidence'])} blurred stills, {proof}\n")
    else:
        out("the camera raised nothing in this time\n")
    outage = summary["outage"]
    out(f"outage {outage['seconds']} s, at most {outage['queued_peak']} records waited; ")
    out(f"the gateway was killed {summary['kills']} time(s)\n")
    for bus in summary["bus"]:
        out(
            f"bus {bus['name']}: {bus['baud']} baud, {bus['polls']} polls, {bus['errors']} errors, "
            f"utilisation {bus['utilisation']:.0%}\n"
        )
