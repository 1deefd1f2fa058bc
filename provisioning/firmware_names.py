"""Short names for what is private to the firmware's modules: they fill a sixth of a board's heap otherwise.

A name with one leading underscore is nobody's business outside its module and the modules whose classes inherit from
it, so the build may call it anything: `_a` in one module and `_a` in another share one place in the board's heap. The
sources keep the names that people read; `report` says what each short name stands for. Parameters that no call names
become `a_`, `b_`, ... by their place, and `const` is not imported where nothing of it is left to run. It changes
nothing else.
"""

import ast
import io
import itertools
import string
import tokenize
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

_Node = TypeVar("_Node", bound=ast.AST)
_IMPORT = "\nfrom micropython import const\n"  # of `const` the compiler leaves nothing


def shorten(sources: dict[str, str]) -> dict[str, tuple[str, dict[str, str]]]:
    """The same modules with short private names, by module: (source, {private name: short name})."""
    named = {keyword.arg for text in sources.values() for keyword in _nodes(text, ast.keyword)}
    sources = {module: _short_parameters(text, named).replace(_IMPORT, "\n") for module, text in sources.items()}
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


def _nodes(text: str, kind: type[_Node]) -> list[_Node]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, kind)]


def _short_parameters(text: str, named: set[str | None]) -> str:
    """Parameters by their place. One whose name a call says, and `self`, keep theirs."""
    places: dict[tuple[int, int], tuple[str, str]] = {}
    for function in _nodes(text, ast.FunctionDef):
        short = {
            arg.arg: f"{letter}_"
            for arg, letter in zip(function.args.args, string.ascii_letters, strict=False)
            if arg.arg not in named and arg.arg != "self"
        }
        for node in ast.walk(function):
            if isinstance(node, ast.arg | ast.Name):
                name = node.arg if isinstance(node, ast.arg) else node.id
                if name in short:
                    places.setdefault((node.lineno, node.col_offset), (name, short[name]))
    return _replaced(text, places)


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
        name = token.string
        if token.type == tokenize.NAME and name.startswith("_") and not name.startswith("__") and name != "_":
            yield token.start, name


def _renamed(text: str, names: dict[str, str]) -> str:
    return _replaced(text, {at: (name, names[name]) for at, name in _private(text)})


def _replaced(text: str, places: dict[tuple[int, int], tuple[str, str]]) -> str:
    """`text` with (old, new) names at (row, column)."""
    lines = text.splitlines(keepends=True)
    for (row, column), (old, new) in sorted(places.items(), reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + new + line[column + len(old) :]
    return "".join(lines)


def _short_names() -> Iterator[str]:
    """_a to _z, _A to _Z, then two letters each."""
    for size in itertools.count(1):
        for letters in itertools.product(string.ascii_letters, repeat=size):
            yield "_" + "".join(letters)
