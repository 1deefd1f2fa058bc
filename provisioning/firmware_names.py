"""Short names for what is private to the firmware's modules: they fill a sixth of a board's heap otherwise.

A name with one leading underscore is nobody's business outside its module and the modules whose classes inherit from
it, so the build may call it anything: `_a` in one module and `_a` in another share one place in the board's heap. The
sources keep the names that people read; `report` says what each short name stands for. It changes nothing else.
"""

import ast
import io
import itertools
import string
import tokenize
from collections import Counter
from collections.abc import Iterator


def shorten(sources: dict[str, str]) -> dict[str, tuple[str, dict[str, str]]]:
    """The same modules with short private names, by module: (source, {private name: short name})."""
    result = {}
    for family in _families(sources):
        counted: Counter[str] = Counter()
        constants: set[str] = set()
        for module in family:
            counted.update(text for _at, text in _private(sources[module]))
            constants |= _constants(sources[module])
        # Those that the compiler folds away come last: they need no place on the board.
        order = sorted(counted, key=lambda name: (name in constants, -counted[name], name))
        names = dict(zip(order, _short_names(), strict=False))
        result.update({module: (_renamed(sources[module], names), names) for module in family})
    return result


def report(sources: dict[str, str]) -> str:
    """A line for each module and each of its names on the board: what to read a traceback with."""
    lines = []
    for module, (_text, names) in sorted(shorten(sources).items()):
        own = {text for _at, text in _private(sources[module])} - _constants(sources[module])
        lines += [f"{module} {short} {name}" for name, short in names.items() if name in own]
    return "\n".join(lines) + "\n"


def _families(sources: dict[str, str]) -> list[list[str]]:
    """Modules by inheritance: private names of a base class live in the objects of its heirs."""
    heads = {module: module for module in sources}

    def head(module: str) -> str:
        while heads[module] != module:
            module = heads[module]
        return module

    for module, text in sources.items():
        for base in _bases(text) & sources.keys():
            heads[head(base)] = head(module)
    families: dict[str, list[str]] = {}
    for module in sorted(sources):
        families.setdefault(head(module), []).append(module)
    return list(families.values())


def _bases(text: str) -> set[str]:
    """The modules from which this one takes base classes."""
    tree = ast.parse(text)
    bases = {base.id for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases
             if isinstance(base, ast.Name)}  # fmt: skip
    return {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name in bases for alias in node.names)
    }


def _constants(text: str) -> set[str]:
    """Private names that are `const(...)`."""
    return {
        target.id
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
        for value, target in _pairs(node)
        if isinstance(target, ast.Name)
        and target.id.startswith("_")
        and isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id == "const"
    }


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(node.value.elts, target.elts, strict=True)
        else:
            yield node.value, target


def _private(text: str) -> Iterator[tuple[tuple[int, int], str]]:
    """(row, column) and text of every private name, in order."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string[0] == "_" and token.string.strip("_") and token.string[1] != "_":
            yield token.start, token.string


def _renamed(text: str, names: dict[str, str]) -> str:
    lines = text.splitlines(keepends=True)
    for (row, column), name in reversed(list(_private(text))):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + names[name] + line[column + len(name) :]
    return "".join(lines)


def _short_names() -> Iterator[str]:
    """_a to _z, _A to _Z, then two letters each."""
    for size in itertools.count(1):
        for letters in itertools.product(string.ascii_letters, repeat=size):
            yield "_" + "".join(letters)
