"""What must hold between the parts of a profile. Pure: raw tables in, sentences out.

It works on the raw tables and not on the model, so that one wrong key does not hide the next mistake.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from gateway.profile.model import BIT_KINDS, MOST_REGISTERS, WORDS
from gateway.tomlfile import rows

Row = dict[str, Any]


def sentences(raw: Row) -> list[str]:
    """Everything that is wrong between the keys of a profile's raw tables."""
    registers = rows(raw, "register")
    head = raw.get("profile")
    most = head.get("max_registers") if isinstance(head, dict) else None
    return [
        *_each(registers, most if isinstance(most, int) else MOST_REGISTERS),
        *_names(registers),
        *_overlaps(registers),
        *_events(raw, registers),
        *_proofs(registers),
        *_identity(head, registers),
    ]


def _size(row: Row) -> int | None:
    if row.get("kind") in BIT_KINDS:
        return 1
    if row.get("type") == "string":
        length = row.get("length")
        return length if isinstance(length, int) and length > 0 else None
    return WORDS.get(str(row.get("type")))


def _called(row: Row) -> str:
    return f'"{row["name"]}"' if isinstance(row.get("name"), str) else "without a name"


def _each(registers: list[tuple[int, Row]], most: int) -> Iterator[str]:
    for index, row in registers:
        for complaint in (*_shape(row), *_reach(row, most)):
            yield f"register[{index}] {_called(row)}: {complaint}."


def _shape(row: Row) -> Iterator[str]:
    kind, type_, access = row.get("kind"), row.get("type"), row.get("access", "r")
    if kind in BIT_KINDS and type_ in (*WORDS, "string") and type_ != "bool":
        yield f'a {kind} holds one bit, so its type must be "bool" and not "{type_}"'
    if kind in ("input", "discrete") and access in ("rw", "w"):
        yield f'{"an" if kind == "input" else "a"} {kind} cannot be written, so access must be "r" and not "{access}"'
    if type_ == "string" and "length" not in row:
        yield "a string needs its length in registers"
    if type_ != "string" and "length" in row:
        yield f'length belongs to a string; the length of type "{type_}" is fixed'
    if type_ == "bits" and not row.get("bits"):
        yield 'type "bits" needs the list bits, such as bits = [[0, "overload"]]'
    if type_ != "bits" and "bits" in row:
        yield f'bits belong to type "bits" and not to type "{type_}"'
    if type_ in ("string", "bits", "bool"):
        for needless in ("scale", "offset", "valid"):
            if needless in row:
                yield f'{needless} has no meaning for type "{type_}"'
    if row.get("scale") == 0:
        yield "scale is 0, which would make every value the same"
    valid = row.get("valid")
    if (
        isinstance(valid, list)
        and len(valid) == 2
        and all(isinstance(v, int | float) for v in valid)
        and valid[0] > valid[1]
    ):
        yield f"valid must go from the lowest to the highest, but is {valid}"
    if access == "w" and row.get("poll", "never") != "never":
        yield 'it can only be written, so poll must be "never"'
    yield from _bit_numbers(row)


def _bit_numbers(row: Row) -> Iterator[str]:
    seen: set[int] = set()
    for pair in row.get("bits", []) if isinstance(row.get("bits"), list) else []:
        number = pair[0] if isinstance(pair, list) and pair else None
        if not isinstance(number, int):
            continue
        if not 0 <= number <= 15:
            yield f"bit {number} does not exist in a register; bits are 0 to 15"
        if number in seen:
            yield f"bit {number} is named twice"
        seen.add(number)


def _reach(row: Row, most: int) -> Iterator[str]:
    address, size = row.get("address"), _size(row)
    if not isinstance(address, int) or size is None:
        return
    if address <= 65535 < address + size - 1:
        yield f"it takes {size} registers from {address} and so goes beyond the last address 65535"
    if size > most and row.get("kind") not in BIT_KINDS:
        yield f"it takes {size} registers, more than the profile's max_registers = {most} lets one request read"


def _values(row: Row) -> list[str]:
    if row.get("type") == "bits" and isinstance(row.get("bits"), list):
        return [pair[1] for pair in row["bits"] if isinstance(pair, list) and len(pair) == 2]
    return [row["name"]] if isinstance(row.get("name"), str) else []


def _names(registers: list[tuple[int, Row]]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for index, row in registers:
        own = [row["name"]] if isinstance(row.get("name"), str) else []
        for name in dict.fromkeys([*own, *_values(row)]):
            if name in seen:
                yield f'register[{index}]: the name "{name}" is taken by register[{seen[name]}]; each needs its own.'
            seen.setdefault(name, index)
        bits = [name for name in _values(row) if row.get("type") == "bits"]
        for name in sorted({name for name in bits if bits.count(name) > 1}, key=str):
            yield f'register[{index}] {_called(row)}: two of its bits are called "{name}".'


def _overlaps(registers: list[tuple[int, Row]]) -> Iterator[str]:
    spans = sorted(
        (row["kind"], row["address"], row["address"] + size, index, row)
        for index, row in registers
        if isinstance(row.get("kind"), str) and isinstance(row.get("address"), int) and (size := _size(row))
    ) if all(isinstance(row.get("kind"), str | None) for _, row in registers) else []  # fmt: skip
    furthest: dict[str, tuple[int, int, Row]] = {}
    for kind, start, end, index, row in spans:
        last = furthest.get(kind)
        if last and start < last[0]:
            yield (
                f"register[{index}] {_called(row)} overlaps register[{last[1]}] {_called(last[2])}: "
                f"{kind} {start} to {end - 1} meets {last[2]['address']} to {last[0] - 1}; correct address or type."
            )
        if not last or end > last[0]:
            furthest[kind] = (end, index, row)


def _events(raw: Row, registers: list[tuple[int, Row]]) -> Iterator[str]:
    polled = {name for _, row in registers if row.get("poll") != "never" for name in _values(row)}
    known = {name for _, row in registers for name in _values(row)}
    for index, rule in rows(raw, "event"):
        if "when" not in rule and "counter" not in rule:
            yield f"event[{index}] needs when, the value that decides, or counter, the value that counts such events."
        named = {"when": rule.get("when"), "age": rule.get("age"), "counter": rule.get("counter")}
        listed = rule.get("values") if isinstance(rule.get("values"), list) else []
        for key, name in [*named.items(), *(("values", name) for name in listed or [])]:
            if name is None or not isinstance(name, str):
                continue
            where = f"event[{index}].{key}"
            if name not in known:
                yield f'{where} names "{name}", but no register gives such a value; {_known(known)}'
            elif name not in polled and key != "values":
                yield f'{where} names "{name}", which is never polled (poll = "never").'


def _proofs(registers: list[tuple[int, Row]]) -> Iterator[str]:
    """`age` and `counter` of a register name numbers that are polled."""
    numbers = {row.get("name") for _, row in registers if row.get("type") not in ("bool", "bits", "string")}
    polled = {name for _, row in registers if row.get("poll") not in ("never", "once") for name in _values(row)}
    for index, row in registers:
        for key in ("age", "counter"):
            name = row.get(key)
            if not isinstance(name, str):
                continue
            if name not in numbers:
                yield f'register[{index}].{key} names "{name}", but no register gives such a number.'
            elif name not in polled:
                yield f'register[{index}].{key} names "{name}", which is not polled again and again.'


def _known(names: Iterable[str]) -> str:
    return f"known are {', '.join(sorted(map(str, names)))}." if names else "the profile has no registers."


def _identity(head: object, registers: list[tuple[int, Row]]) -> Iterator[str]:
    identity = head.get("identity") if isinstance(head, dict) else None
    if not isinstance(identity, dict):
        return
    name = identity.get("register")
    if ("register" in identity) != ("value" in identity):
        yield "profile.identity needs register and value together."
    if not identity:
        yield "profile.identity is empty; give object0 to object2, or a register and its value."
    if name is not None and name not in {row.get("name") for _, row in registers if row.get("access") != "w"}:
        yield f'profile.identity.register names "{name}", but there is no such register to read.'
