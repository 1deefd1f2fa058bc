"""The instruments of a bench for the paper: what each is, and how well it knows.

An instrument that answers no more at the end of a run does not cost the paper: the bench file's words stand then.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.errors import GewuError
from hil_tests.hil.bench_file import BenchFile, InjectorTable, ReferenceTable
from hil_tests.hil.hands import Person
from hil_tests.hil.reference import open_reference
from hil_tests.injectors.choice import open_injector


def instruments(bench: BenchFile) -> list[dict[str, Any]]:
    """`use` beside what each says of itself (`maker`, `model`, `serial`, `uncertainty`)."""
    rig = Path(bench.rig) if bench.rig else None
    found: list[dict[str, Any]] = []
    if (injector := bench.injector) is not None:
        found.append({"use": "injector"} | _asked(injector, lambda: _injector(injector, rig)))
    if (reference := bench.reference_meter) is not None:
        person = Person(bench.people.technician)
        told = _asked(reference, lambda: open_reference(reference, rig, person).describe())
        found.append({"use": "reference meter"} | told)
    return found


def _injector(table: InjectorTable, rig: Path | None) -> dict[str, Any]:
    injector = open_injector(table, rig)
    try:
        return injector.describe()
    finally:
        injector.close()


def _asked(table: InjectorTable | ReferenceTable, describe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return describe()
    except GewuError as error:
        about = f"{table.uncertainty_percent:g} % (k = 2), by the bench file; asked at the end: {error}"
        return {"maker": "", "model": table.name or table.kind, "serial": table.serial or "-", "uncertainty": about}
