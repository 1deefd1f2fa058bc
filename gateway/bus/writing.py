"""One value into one register of a device: from what a person typed to the words, and onto the line."""

from gateway.bus.transport import Line
from gateway.errors import ConfigurationError, DeviceRefused
from gateway.profile import Profile, Register
from gateway.profile.decode import decode, encode
from gateway.profile.model import BIT_KINDS
from gateway.records import Value

_YES, _NO = ("on", "true", "yes", "1"), ("off", "false", "no", "0")
_UNKNOWN_FUNCTION = 1


def writable(profile: Profile, name: str) -> Register:
    """The register called `name`; ConfigurationError when there is none or it can only be read."""
    register = next((register for register in profile.registers if register.name == name), None)
    choice = ", ".join(register.name for register in profile.registers if register.access != "r") or "none"
    if register is None:
        raise ConfigurationError(
            f'The profile "{profile.name}" has no register "{name}"; it lets be written: {choice}.'
        )
    if register.access == "r":
        raise ConfigurationError(f"{name} can only be read; {profile.name} lets be written: {choice}.")
    return register


def words(register: Register, typed: str) -> tuple[Value, list[int]]:
    """What a person typed, as the register's value and as raw words; ConfigurationError when it does not fit."""
    value = _value(register, typed)
    return value, encode(register, value)


def _value(register: Register, typed: str) -> Value:
    if register.kind in BIT_KINDS or register.type == "bool":
        if typed.lower() in (*_YES, *_NO):
            return typed.lower() in _YES
        raise ConfigurationError(f'{register.name} takes on or off, not "{typed}".')
    if register.type == "string":
        return typed
    try:
        return int(typed) if typed.lstrip("+-").isdecimal() else float(typed)
    except ValueError:
        raise ConfigurationError(f'{register.name} takes a number, not "{typed}".') from None


def write(line: Line, unit: int, register: Register, raw: list[int]) -> None:
    """Write `raw`: function 5 for a coil, 6 for one register, 16 for more, and where a device does not know 6."""
    if register.kind == "coil":
        line.write_coil(unit, register.address, bool(raw[0]))
    elif len(raw) > 1:
        line.write_registers(unit, register.address, raw)
    else:
        try:
            line.write_register(unit, register.address, raw[0])
        except DeviceRefused as refused:
            if refused.code != _UNKNOWN_FUNCTION:
                raise
            line.write_registers(unit, register.address, raw)


def now_there(line: Line, unit: int, register: Register) -> Value | None:
    """What the register holds; None when it can only be written."""
    if not register.readable:
        return None
    return decode(register, line.read(unit, register.kind, register.address, register.size))[0][register.name]
