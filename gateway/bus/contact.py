"""Asking a device who it is, and reading all of it once. Drives a Line; keeps no state."""

from collections.abc import Callable, Sequence

from gateway.bus.planner import Planner
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble, WrongDevice
from gateway.errors import DeviceRefused
from gateway.profile import Identity, Profile, Register
from gateway.profile.decode import decode
from gateway.records import Mark, Value

_BUSY = (5, 6)


def recognise(line: Line, unit: int, profile: Profile) -> None:
    """Return when the device at `unit` answers as `profile` says; a profile without identity takes any answer.

    Raises WrongDevice when something else answers, BusTrouble or PortTrouble when nothing usable does.
    """
    identity = profile.identity
    if identity is None:
        _any_answer(line, unit, profile)
        return
    if identity.objects:
        _objects(line, unit, profile, identity)
    _by_register(line, unit, profile, identity)


def read_all(
    line: Line, unit: int, profile: Profile, progress: Callable[[int, int], None] | None = None
) -> tuple[dict[str, Value], dict[str, Mark], dict[str, str]]:
    """Values, marks, and the names of the values that the device refuses with the reason, of all that is readable.

    Raises BusTrouble and PortTrouble.
    """
    values: dict[str, Value] = {}
    marks: dict[str, Mark] = {}
    refused: dict[str, str] = {}
    requests, _ = Planner(profile, line.wire).plan(r for r in profile.registers if r.readable)
    for done, request in enumerate(requests):
        for register, raw in read_each(line, unit, request.kind, request.address, request.count, request.registers):
            if isinstance(raw, DeviceRefused):
                refused |= dict.fromkeys(register.value_names, str(raw))
                continue
            found, wrong = decode(register, raw)
            values |= found
            marks |= wrong
        if progress:
            progress(done + 1, len(requests))
    return values, marks, refused


def read_values(line: Line, unit: int, profile: Profile, names: Sequence[str]) -> dict[str, Value]:
    """Those of the values `names` that the profile has, read now. Raises BusTrouble, PortTrouble, DeviceRefused."""
    known = [profile.by_value[name] for name in names if name in profile.by_value]
    values: dict[str, Value] = {}
    requests, _ = Planner(profile, line.wire).plan({register.name: register for register in known}.values())
    for request in requests:
        found = line.read(unit, request.kind, request.address, request.count)
        for register in request.registers:
            start = register.address - request.address
            values |= decode(register, found[start : start + register.size])[0]
    return {name: values[name] for name in names if name in values}


def look_up(line: Line, unit: int, known: Sequence[Profile]) -> tuple[str | None, dict[str, str], str | None] | None:
    """Who answers at `unit`: the name of the profile that fits, its identification, and what is wrong with it.

    None when nobody answers. Raises PortTrouble.
    """
    try:
        objects = line.identity(unit)
    except DeviceRefused:
        objects = {}  # somebody is there, but does not know the function
    except BusTrouble as trouble:
        if trouble.cause != "no-answer":
            return None, {}, str(trouble)
        if not _answers_a_read(line, unit):
            return None
        objects = {}  # it is there, and silent where it should refuse
    identity = {f"object{number}": text for number, text in sorted(objects.items())}
    for profile in known:
        if profile.identity is None or (profile.identity.objects and not objects):
            continue
        try:
            if any(objects.get(number) != text for number, text in profile.identity.objects.items()):
                continue
            _by_register(line, unit, profile, profile.identity)
            return profile.name, identity, None
        except (WrongDevice, BusTrouble):
            continue
    says = " / ".join(identity.values())
    return None, identity, f'no known profile fits "{says}"' if says else "it answers, but gives no identification"


def _answers_a_read(line: Line, unit: int) -> bool:
    try:
        line.read(unit, "holding", 0, 1)
    except DeviceRefused:
        pass
    except BusTrouble as trouble:
        return trouble.cause != "no-answer"
    return True


def read_each(
    line: Line, unit: int, kind: str, address: int, count: int, registers: tuple[Register, ...]
) -> list[tuple[Register, list[int] | DeviceRefused]]:
    """The raw words of `registers` by one request; one by one when the device refuses that."""
    try:
        words = line.read(unit, registers[0].kind, address, count)
        return [(r, words[r.address - address : r.end - address]) for r in registers]
    except DeviceRefused as refusal:
        if len(registers) == 1 and registers[0].size == count:
            return [(registers[0], refusal)]
    found: list[tuple[Register, list[int] | DeviceRefused]] = []
    for register in registers:
        found += read_each(line, unit, kind, register.address, register.size, (register,))
    return found


def _any_answer(line: Line, unit: int, profile: Profile) -> None:
    register = next((r for r in profile.registers if r.readable and r.poll != "never"), None)
    if register is None:
        return
    try:
        line.read(unit, register.kind, register.address, register.size)
    except DeviceRefused:
        pass  # a refusal is an answer: somebody is there


def _objects(line: Line, unit: int, profile: Profile, identity: Identity) -> None:
    wanted = identity.objects
    try:
        found = line.identity(unit)
    except DeviceRefused as refusal:
        if refusal.code in _BUSY:
            raise BusTrouble(str(refusal), "exception", unit) from refusal
        raise _wrong(line, unit, profile, "does not give its identification") from refusal
    if any(found.get(number) != text for number, text in wanted.items()):
        says = " / ".join(found[number] for number in sorted(found)) or "nothing"
        raise _wrong(line, unit, profile, f'answers as "{says}"')


def _by_register(line: Line, unit: int, profile: Profile, identity: Identity) -> None:
    if identity.register_name is None:
        return
    register = next(r for r in profile.registers if r.name == identity.register_name)
    wanted = identity.value
    try:
        words = line.read(unit, register.kind, register.address, register.size)
    except DeviceRefused as refusal:
        raise _wrong(line, unit, profile, f"has no register {register.name}") from refusal
    found = decode(register, words)[0].get(register.name)
    if found != wanted:
        raise _wrong(line, unit, profile, f"holds {found!r} in {register.name} and not {wanted!r}")


def _wrong(line: Line, unit: int, profile: Profile, what: str) -> WrongDevice:
    return WrongDevice(
        f'Bus {line.name}: the device at address {unit} {what}, which is no "{profile.name}"; '
        "correct its profile or address in the configuration, or look for a second device with this address."
    )
