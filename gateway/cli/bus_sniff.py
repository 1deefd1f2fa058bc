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
from gateway.cli.output import JsonFlag, plain, print_json
from gateway.errors import GewuError

if TYPE_CHECKING:
    from gateway.bus.sniffer import Exchange, Sniffer

# A pause inside a frame ends it. Adapters hand bytes over late (FTDI after 16 ms), so t3.5 is not what can be seen.
_PAUSE_S = 0.04
_KEPT = 100_000


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

    if port.startswith("tcp://"):
        raise GewuError("Modbus TCP has no line to listen on: capture its network with tcpdump instead.")
    holder = find_holder(port, config)
    if holder is not None:
        raise GewuError(
            f"{port} is held by the gateway in {holder.data_dir}, and one adapter cannot be heard by two: listen with "
            "a second adapter on the same pair, or stop the gateway. What the gateway hears: gewu bus watch."
        )
    bus = bus_model(port, baud, parity, stopbits, 0.3)
    sniffer, heard = Sniffer(), list["Exchange"]()
    wire = Wire(bus.baud, bus.parity, bus.stopbits)
    source = open_serial(bus.port, wire)
    try:
        _listen(source, sniffer, heard, seconds, max(_PAUSE_S, 5 * wire.t_char), not json_output)
    except KeyboardInterrupt:
        pass
    finally:
        source.close()
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
        heard += new
        del heard[:-_KEPT]
        for exchange in new if show else []:
            plain.print(f"{exchange.at:9.3f}  {exchange.sentence()}")
