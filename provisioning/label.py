"""What stands on a board's label: texts, the QR's address, the check digit of its serial number. Pure.

Setting them on paper is `label_sheet`'s.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from gateway.errors import ConfigurationError
from provisioning.plan import BREAKER, PlanRow

# Digits and capitals of ISO 7064, MOD 37,36.
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
UPSTREAM = ("上级须装认证断路器", "Certified MCB/RCBO upstream")
_SMALLEST, _STEP = 0.55, 0.05  # of the size that a line should have
_CUT = "…"


@dataclass(frozen=True, slots=True)
class _Words:
    """What stands on every label."""

    critical: str
    check: str
    address: str
    upstream: tuple[str, ...]


_BOTH = _Words("关键负荷!", "校验", "地址 Address", UPSTREAM)
_LATIN = _Words("CRITICAL!", "check", "Address", UPSTREAM[1:])


def unspelled(text: str) -> bool:
    """Whether `text` has letters that a Latin font has not."""
    return any(ord(character) > 0x17F for character in text)


@dataclass(frozen=True, slots=True)
class Label:
    """One device. `check` is empty and `serial` None where no board is known for the row yet."""

    id: str
    address: int
    place: str
    circuit: str
    rated: str
    critical: bool
    serial: str | None
    check: str
    url: str

    def as_json(self) -> dict[str, Any]:
        """What the label carries."""
        return {
            "id": self.id,
            "serial": self.serial,
            "check": self.check or None,
            "address": self.address,
            "place": self.place,
            "url": self.url,
        }

    def lines(
        self, measure: Callable[[str, float], float], width: float, size: float, latin: bool = False
    ) -> list[tuple[str, float]]:
        """(text, its size) from the top; `measure(text, size)` is a text's width, `width` the room, in one unit.

        A place or a circuit that is too long loses its beginning: its end is what tells neighbours apart. All else is
        set smaller. `latin` is for a font without Chinese: what it cannot spell is left out whole, for half misleads.
        """
        words = _LATIN if latin else _BOTH
        places = [] if latin and unspelled(self.place) else _wrapped(self.place, _Room(measure, width, size))
        circuit = "" if latin and unspelled(self.circuit) else self.circuit
        cut = [(_cut(text, _Room(measure, width, size)), size) for text in (*places, circuit)]
        address = f"{words.address} {self.address}" + (f"  {words.critical}" if self.critical else "")
        serial = f"SN {self.serial}  {words.check} {self.check}" if self.serial else "SN ________________"
        small = [(address, size), (serial, size), *((text, size * 0.75) for text in words.upstream)]
        head = " ".join(part for part in (self.id, self.rated) if part)
        below = [_fitted(text, at, measure, width) for text, at in small]
        return [row for row in (_fitted(head, size * 1.2, measure, width), *cut, *below) if row[0]]


@dataclass(frozen=True, slots=True)
class _Room:
    """Whether a text fits into `width` at this size."""

    measure: Callable[[str, float], float]
    width: float
    size: float

    def __call__(self, text: str) -> bool:
        return self.measure(text, self.size) <= self.width


def check_digit(serial: str) -> str:
    """ISO 7064 MOD 37,36 over the letters and digits of `serial`: one wrong or two swapped characters show."""
    product = 36
    for character in serial.upper():
        if character in _ALPHABET:
            total = (product + _ALPHABET.index(character)) % 36 or 36
            product = total * 2 % 37
    return _ALPHABET[(37 - product) % 36]


def label_of(row: PlanRow, serial: str | None, console: str) -> Label:
    """The label of a row; `serial` of the board that has it, `console` the address of the gateway's console."""
    rated = f"{row.curve or ''}{row.rating} A" if row.profile == BREAKER and row.rating else ""
    if row.residual:
        rated += f" {row.residual} mA"
    return Label(
        id=row.id,
        address=row.address,
        place=row.place,
        circuit=row.circuit,
        rated=rated,
        critical=row.critical,
        serial=serial,
        check=check_digit(serial) if serial else "",
        url=f"{console.rstrip('/')}/devices/{quote(row.id)}",
    )


def checked_console(url: str) -> str:
    """`url` as it is; ConfigurationError unless it is http or https with a host."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(f'--console "{url}" is no address of a console; give one such as http://gewu.local.')
    return url


def _wrapped(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Two lines at most, broken at the last slash that fits; one where there is none."""
    if fits(text):
        return [text]
    breaks = [at + 1 for at, character in enumerate(text) if character == "/"]
    first = max((at for at in breaks if fits(text[:at])), default=0)
    return [text[:first], text[first:]] if first else [text]


def _fitted(text: str, size: float, measure: Callable[[str, float], float], width: float) -> tuple[str, float]:
    """The line in the largest size that fits; cut only where even the smallest is too wide."""
    share = 1.0
    while share > _SMALLEST and measure(text, size * share) > width:
        share -= _STEP
    return _cut(text, _Room(measure, width, size * share)), size * share


def _cut(text: str, fits: Callable[[str], bool]) -> str:
    if fits(text):
        return text
    for begin in range(1, len(text)):
        if fits(_CUT + text[begin:]):
            return _CUT + text[begin:]
    return ""
