"""What is wrong with the copper of a line: what a UART hears of swapped wires, missing bias, reflections, wrong speeds.

`observe` asks and listens, `judge` says what it means and what to do (pure). A UART sees no copper, only its marks:

- A and B swapped at this adapter, on a line with bias: nobody understands us, and each time our driver lets go, the
  line falls to what is a break on our side: one zero byte.
- no bias: bytes in silence, and answers that are lost because a stray byte came before them.
- no termination, or too much of it: answers that are damaged, the longer the more.
- swapped at one device, or its speed is another one: that device alone is silent.

It reads one register of each device and writes nothing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from gateway.bus.sniffer import Sniffer
from gateway.bus.transport import Line, fault

QUIET_S = 1.5
_PIECE_S = 0.05
_ASKS = 12
# Input registers 0 to 19: most devices give them or refuse them, and both is an answer.
_QUESTION, _LENGTH = bytes((4, 0, 0, 0, 20)), 45
_FEW = 8  # devices in a row at which nothing but a break came: the others would say the same
STRAYS = 3  # bytes in silence; one or two are the plug, or a driver that was switched
_DAMAGE = 0.02  # of the answers


@dataclass
class Asked:
    """How often a unit was asked and what came: good (an exception is one), damaged, late or lost ones of it."""

    address: int
    good: int = 0
    damaged: int = 0
    silent: int = 0
    breaks: int = 0
    echoes: int = 0

    @property
    def times(self) -> int:
        """How often it was asked."""
        return self.good + self.damaged + self.silent + self.breaks + self.echoes


@dataclass
class Observed:
    """All that was heard. `elsewhere`: settings at which an expected, silent unit answers, such as "19200 8E1"."""

    strays: int = 0
    frames: int = 0
    units: list[Asked] = field(default_factory=list)
    elsewhere: dict[int, str] = field(default_factory=dict)
    shared: dict[int, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """What is wrong, what shows it, and what to do."""

    what: str
    why: str
    do: str


def observe(line: Line, units: Iterable[int], wanted: Collection[int], progress: Callable[[], None]) -> Observed:
    """Listen to silence, ask each of `units` once and who answers, or is `wanted`, again. Raises PortTrouble."""
    seen = Observed()
    sniffer = Sniffer()
    for piece in range(round(QUIET_S / _PIECE_S)):
        data = line.listen(_PIECE_S)
        seen.strays += len(data)
        sniffer.feed(data, piece * _PIECE_S)
    sniffer.close()
    seen.frames = sniffer.frames
    for unit in units:
        one = Asked(unit)
        _ask(line, one)
        progress()
        if one.silent and unit not in wanted:
            continue
        seen.units.append(one)
        if len(seen.units) >= _FEW and all(other.breaks for other in seen.units):
            return seen
    for one in seen.units:
        while one.times < _ASKS and not (one.breaks or one.echoes) and one.silent < 3 + one.good:
            _ask(line, one)
    return seen


def _ask(line: Line, one: Asked) -> None:
    request = bytes((one.address,)) + _QUESTION
    frame = line.call(request, _LENGTH)
    if not frame:
        one.silent += 1
    elif not any(frame):
        one.breaks += 1
    elif frame[: len(request)] == request:
        one.echoes += 1
    elif fault(frame, one.address, _QUESTION[0], _LENGTH) in (None, "exception"):
        one.good += 1
    else:
        one.damaged += 1


def judge(seen: Observed, wanted: Collection[int]) -> list[Finding]:
    """What is wrong, the gravest first; empty where nothing is."""
    found = []
    if seen.units and all(one.breaks for one in seen.units):
        return [_SWAPPED]
    if any(one.echoes for one in seen.units):
        found.append(_ECHO)
    if seen.frames:
        found.append(
            Finding(
                "another master",
                f"{seen.frames} whole frames came in {QUIET_S:g} s in which nobody was asked",
                "one master a line: stop or unplug the other one (`gewu bus sniff` shows what it says), then repeat",
            )
        )
    elif seen.strays >= STRAYS:
        found.append(_no_bias(seen.strays))
    found += [_shared(address, serials) for address, serials in sorted(seen.shared.items())]
    found += _damage(seen, bool(found))
    heard = {one.address for one in seen.units if one.times > one.silent}
    if not heard and not found:
        settings = sorted(set(seen.elsewhere.values()))
        found.append(_wrong_speed(settings) if settings else _NOBODY)
    elif heard:
        found += [_elsewhere(address, where) for address, where in sorted(seen.elsewhere.items())]
        found += [_dumb(address) for address in wanted if address not in heard and address not in seen.elsewhere]
    return found


_SWAPPED = Finding(
    "A and B are swapped at this adapter",
    "after each question the line fell to a break (a zero byte), and nobody answered",
    "mains off, then exchange the two wires at the adapter",
)
_ECHO = Finding(
    "the adapter hears itself",
    "our own questions come back",
    "switch off the adapter's local echo (its jumper or driver), or take another adapter",
)


_NOBODY = Finding(
    "nobody answers",
    "there was no answer at any of the usual speeds (the first addresses were tried)",
    "look at the power of the devices, at the wire between them and the adapter, and at A and B (swapped?); "
    "`gewu bus scan` tries all addresses",
)


def _no_bias(strays: int) -> Finding:
    return Finding(
        "no bias on the line",
        f"{strays} bytes came in {QUIET_S:g} s of silence, none of them a frame",
        "mains off, then fit one pair of bias resistors at one place of the line (such as 680 ohm from A to 5 V and "
        "from B to ground, or the adapter's jumper), and connect the grounds of all devices",
    )


def _shared(address: int, serials: list[str]) -> Finding:
    return Finding(
        f"{len(serials)} boards share address {address}",
        f"they say that they are {', '.join(serials)}",
        "give each its own: `gewu bus address`, or `gewu provision commission` over USB",
    )


def _elsewhere(address: int, settings: str) -> Finding:
    return Finding(
        f"address {address} has another speed or parity",
        f"it answers at {settings} and is silent here",
        f"set it, or this line, so that both are the same ({settings})",
    )


def _wrong_speed(settings: list[str]) -> Finding:
    at = " and ".join(settings)
    return Finding(
        "the line has another speed or parity",
        f"nobody answers here, and its devices answer at {at}",
        f"use --baud and --parity for {at}, in the gateway's configuration as well",
    )


def _damage(seen: Observed, explained: bool) -> list[Finding]:
    """Answers that came damaged, or only now and then; nothing where bias or another master explains it."""
    heard = [one for one in seen.units if one.times > one.silent and one.address not in seen.shared]
    bad = [one for one in heard if one.damaged + (one.silent if one.good else 0)]
    count = sum(one.damaged + one.silent for one in bad)
    times = sum(one.times for one in heard)
    if explained or count < 2 or count < _DAMAGE * times:
        return []
    why = f"{count} of {times} answers came damaged or not at all, and nothing came in silence"
    if len(bad) == 1 and len(heard) > 2:
        return [
            Finding(
                f"the way to address {bad[0].address} is bad",
                f"{why}; all of them are of this device",
                "mains off, then look at its terminals and at its branch of the cable: short, twisted, and both wires "
                "tight; a second device may have its address",
            )
        ]
    return [
        Finding(
            "reflections or disturbance: termination",
            why,
            "mains off, then measure between A and B: 60 ohm is right. 120: one end has no terminator; far more: none "
            "has; less: there are too many. Then shorten branches, keep off mains cables, or take a lower speed",
        )
    ]


def _dumb(address: int) -> Finding:
    return Finding(
        f"address {address} is silent",
        "others answer, and it does not, at none of the usual speeds",
        "look at its power, at A and B of this one device (swapped?), and at its address",
    )


def answers(line: Line, unit: int) -> bool:
    """Whether somebody answers cleanly at `unit`. Raises PortTrouble."""
    one = Asked(unit)
    _ask(line, one)
    return one.good == 1


def as_json(seen: Observed, found: Iterable[Finding]) -> Mapping[str, object]:
    """The document of `gewu bus wiring`."""
    rows = [
        {"address": one.address, "asked": one.times, "good": one.good, "damaged": one.damaged, "silent": one.silent}
        for one in seen.units
    ]
    findings = [{"what": one.what, "why": one.why, "do": one.do} for one in found]
    return {"ok": not findings, "findings": findings, "stray_bytes": seen.strays, "units": rows}
