"""One line of JSON from a board: checked, and turned into values and marks by the device's profile. Pure.

    {"v":1,"seq":7,"profile":"gewu-breaker","serial":"GW-000001","role":"breaker","address":1,"values":{...},"crc":"0a1b2c3d"}

`crc` is the CRC-32 of the bytes of the line before `,"crc"`. See docs/firmware.md, "On USB".
"""

from binascii import crc32
from typing import Any, Literal

import msgspec

from gateway.prepared import prepared
from gateway.profile import Profile, Register
from gateway.profile.decode import absent_value
from gateway.records import Mark, Value

VERSION = 1
LONGEST_LINE = 16384
Cause = Literal["crc", "cut", "version"]
_MARK = b',"crc":"'


class BadLine(ValueError):
    """A line that cannot be used; `cause` is what counts it."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause: Cause = cause


@prepared
class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `values` are in their units, bits under their own names."""

    v: int
    seq: int
    profile: str
    serial: str
    role: str
    address: int
    values: dict[str, Any]
    crc: str
    trouble: str | None = None


def parse(line: bytes) -> Report | None:
    """The report in `line` (without its end); None for a line that is none, such as what a REPL prints.

    Raises BadLine for one that was garbled, cut, or made by firmware with another schema.
    """
    line = line.strip()
    if not line.startswith(b'{"v":'):
        return None
    body, mark, tail = line.rpartition(_MARK)
    if not mark or not tail.endswith(b'"}'):
        raise BadLine("cut")
    if tail[:-2] != b"%08x" % crc32(body):
        raise BadLine("crc")
    try:
        head = msgspec.json.decode(line)
        if head.get("v") != VERSION:
            raise BadLine("version")
        return msgspec.convert(head, Report)
    except (msgspec.DecodeError, msgspec.ValidationError, AttributeError, RecursionError) as error:
        raise BadLine("version") from error


def values_of(report: Report, profile: Profile) -> tuple[dict[str, Value], dict[str, Mark]]:
    """Those of its values that the profile knows and that are of the right type, and which of them are impossible."""
    values: dict[str, Value] = {}
    marks: dict[str, Mark] = {}
    for name, value in report.values.items():
        register = profile.by_value.get(name)
        if register is None or not _fits(register, value) or value == absent_value(register):
            continue
        values[name] = value
        if register.valid and not isinstance(value, str) and not register.valid[0] <= value <= register.valid[1]:
            marks[name] = "bad"
    return values, marks


def _fits(register: Register, value: object) -> bool:
    if register.type in ("bool", "bits") or register.kind in ("coil", "discrete"):
        return isinstance(value, bool)
    if register.type == "string":
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)
