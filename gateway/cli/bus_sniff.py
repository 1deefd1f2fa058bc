"""`gewu bus sniff`: everybody's traffic on a line, decoded, without sending a byte."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.bus_line import (
    BaudOption,
    ConfigOption,
    ParityOption,
    PortOption,
    StopbitsOption,
    bus_model,
    find_holder,
)
from gateway.cli.output import JsonFlag, plain, print_json, say
from gateway.errors import GewuError

if TYPE_CHECKING:
    from gateway.bus.sniffer import Exchange, Sniffer
    from gateway.lent import Holder

# A pause inside a frame ends it. Adapters hand bytes over late (FTDI after 16 ms), so t3.5 is not what can be seen.
_PAUSE_S = 0.04
_KEPT = 100_000
_ASK_S = 0.25  # how often a gateway is asked what it heard


def sniff(
    port: PortOption,
    baud: BaudOption = 9600,
    parity: ParityOption = "N",
    stopbits: StopbitsOption = 1,
    seconds: Annotated[float | None, typer.Option("--for", min=0, help="Seconds to listen; else until Ctrl-C.")] = None,
    config: ConfigOption = None,
    json_output: JsonFlag = False,
) -> None:
    """Decode what others say on a line: requests paired with replies, garbled bursts counted. It sends nothing."""
    from gateway.bus.port import open_serial
    from gateway.bus.sniffer import Sniffer
    from gateway.bus.wire import Wire

    holder = find_holder(port, config)
    if holder is None and port.startswith("tcp://"):
        raise GewuError("Modbus TCP has no line to listen on: capture its network with tcpdump instead.")
    bus = bus_model(port, baud, parity, stopbits, 0.3) if holder is None else None
    sniffer, heard = Sniffer(), list["Exchange"]()
    try:
        if holder is not None:
            say(f"The gateway in {holder.data_dir} holds {port} (bus {holder.bus['name']}): what it asks and hears.")
            _overhear(holder, sniffer, heard, seconds, not json_output)
        elif bus is not None:
            wire = Wire(bus.baud, bus.parity, bus.stopbits)
            with open_serial(bus.port, wire) as source:
                _listen(source, sniffer, heard, seconds, max(_PAUSE_S, 5 * wire.t_char), not json_output)
    except KeyboardInterrupt:
        pass
    heard += sniffer.close()
    if json_output:
        print_json(
            {
                "exchanges": [asdict(one) for one in heard], "frames": sniffer.frames, "garbled": sniffer.garbled,
                "units": {str(unit): count for unit, count in sorted(sniffer.units.items())},
            }
        )  # fmt: skip
        return
    said = ", ".join(f"{unit} ({count})" for unit, count in sorted(sniffer.units.items())) or "nobody"
    plain.print(f"{sniffer.frames} frames, {sniffer.garbled} garbled bursts. Answers by unit: {said}.")


def _listen(
    source: Any, sniffer: "Sniffer", heard: "list[Exchange]", seconds: float | None, pause: float, show: bool
) -> None:
    began = last = time.monotonic()
    while seconds is None or time.monotonic() - began < seconds:
        data = source.read(1)
        now = time.monotonic()
        if data:
            data += source.read(source.in_waiting)
            last = now
            new = sniffer.feed(data, now - began)
        elif now - last > pause:
            new = sniffer.silence(now - began)
        else:
            continue
        _note(new, heard, show)


def _overhear(holder: "Holder", sniffer: "Sniffer", heard: "list[Exchange]", seconds: float | None, show: bool) -> None:
    """What the gateway's own adapter sends and hears, as the gateway tells it."""
    began, first = time.monotonic(), None
    number, _ = holder.heard(0)
    while seconds is None or time.monotonic() - began < seconds:
        time.sleep(_ASK_S)
        number, fresh = holder.heard(number)
        for one in fresh:
            first = one.asked_at if first is None else first
            _note(sniffer.feed(one.request, one.asked_at - first), heard, show)
            _note(sniffer.feed(one.answer, one.answered_at - first), heard, show)
            _note(sniffer.silence(one.answered_at - first), heard, show)


def _note(new: "list[Exchange]", heard: "list[Exchange]", show: bool) -> None:
    heard += new
    del heard[:-_KEPT]
    for exchange in new if show else []:
        plain.print(f"{exchange.at:9.3f}  {exchange.sentence()}")
