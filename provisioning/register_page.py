"""The register tables of docs/firmware.md, from the profiles; `gewu firmware build` writes them anew. Pure text."""

import re
from pathlib import Path

from gateway import profile, shipped
from gateway.profile import Profile, Register

PAGE = Path("docs/firmware.md")
_KINDS = ("input", "holding", "discrete", "coil")
_BETWEEN = r"(<!-- registers {name} -->\n).*?(<!-- end -->)"


def table(source: Profile) -> str:
    """Markdown rows by kind and address: address, name, type, unit, access."""
    lines = ["| kind | address | name | type | unit | access |", "|---|---|---|---|---|---|"]
    for kind in _KINDS:
        rows = sorted((row for row in source.registers if row.kind == kind), key=lambda row: row.address)
        lines += [_row(row) for row in rows]
    return "\n".join(lines) + "\n"


def _row(register: Register) -> str:
    address = str(register.address) if register.size == 1 else f"{register.address} to {register.end - 1}"
    scale = "" if register.scale == 1 else f" × {register.scale:g}"
    names = "".join(f", {number} `{name}`" for number, name in register.bits)
    return (
        f"| {register.kind} | {address} | `{register.name}` | {register.type}{scale}{names} | {register.unit} | "
        f"{register.access} |"
    )


def filled(page: str, names: tuple[str, ...]) -> str:
    """The page with the table of each profile between its marks."""
    for name in names:
        found = re.search(_BETWEEN.format(name=re.escape(name)), page, re.DOTALL)
        if found is not None:
            page = page[: found.start()] + found[1] + table(profile.load(name)) + found[2] + page[found.end() :]
    return page


def write(names: tuple[str, ...]) -> bool:
    """Bring the page of this checkout up to date; True when it changed, False also where there is no checkout."""
    root = shipped.checkout()
    path = None if root is None else root / PAGE
    if path is None or not path.is_file():
        return False
    before = path.read_text(encoding="utf-8")
    after = filled(before, names)
    if after == before:
        return False
    path.write_text(after, encoding="utf-8")
    return True
