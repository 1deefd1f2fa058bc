"""Short names: what is private becomes short, everything else stays as it is written, and the code does the same."""

import ast
from typing import Any

from gateway import shipped
from provisioning import firmware_names

BASE = '''"""A base."""

from micropython import const

_LIMIT = const(3)
_table = [1, 2, 3]


class Base:
    def __init__(self, first, second=2):
        self._held = first
        self.total = first + second

    def _private(self, by):
        return self._held * by + len(_table) + _LIMIT
'''
HEIR = '''"""An heir."""

from base import Base


class Heir(Base):
    def __init__(self, first):
        super().__init__(first, second=5)
        self._own = 10

    def all(self, times):
        return [self._private(times) + self._own + index for index in range(times)]
'''
OTHER = "_alone = 1\n\n\ndef read(offset):\n    _, found = (0, offset + _alone)\n    return found\n"


def run(base: str, heir: str) -> Any:
    scope: dict[str, Any] = {"const": int}
    exec(base.replace("from micropython import const", ""), scope)
    exec(heir.replace("from base import Base", ""), scope)
    return scope["Heir"](4).all(3)


def test_private_names_and_parameters_are_short_and_the_code_does_the_same() -> None:
    """An heir shares the names of its base; a module that inherits from nobody begins anew."""
    short = firmware_names.shorten({"base": BASE, "heir": HEIR, "other": OTHER})
    base, heir, other = (short[name][0] for name in ("base", "heir", "other"))
    assert run(base, heir) == run(BASE, HEIR)
    for name in ("_held", "_private", "_own", "_table", "times", "by", "first"):
        assert name not in base + heir
    assert "second" in base  # a call says its name
    assert "total" in base
    assert "import const" not in base
    assert "_a = 1" in other
    assert "_, found" in other
    assert len(set(short["base"][1].values())) == len(short["base"][1])


def test_the_report_says_what_a_traceback_means() -> None:
    """Module, short name, name of the source; constants are no names of the board."""
    lines = firmware_names.report({"base": BASE, "heir": HEIR, "other": OTHER}).splitlines()
    assert "other _a _alone" in lines
    assert any(line.startswith("heir _") and line.endswith(" _private") for line in lines)
    assert not any("_LIMIT" in line for line in lines)


def test_the_firmware_keeps_its_public_names() -> None:
    """Classes, functions and attributes that other modules and tools use are those of the sources."""
    sources = {path.stem: path.read_text() for path in shipped.firmware().glob("*.py")}
    for module, (text, _names) in firmware_names.shorten(sources).items():
        assert public(text) == public(sources[module]), module


def public(text: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        name = getattr(node, "name", getattr(node, "attr", "_"))
        if isinstance(name, str) and not name.startswith("_") and name != "const":
            found.append(name)
    return found
