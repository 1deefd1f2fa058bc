"""The instruments of a bench for the paper: what each is, and how well it knows. It reads no instrument."""

from pathlib import Path
from typing import Any

from hil_tests.hil.bench_file import BenchFile
from hil_tests.hil.hands import Person
from hil_tests.hil.reference import open_reference
from hil_tests.injectors.choice import open_injector


def instruments(bench: BenchFile) -> list[dict[str, Any]]:
    """`use` beside what each says of itself (`maker`, `model`, `serial`, `uncertainty`)."""
    rig = Path(bench.rig) if bench.rig else None
    found: list[dict[str, Any]] = []
    if bench.injector is not None:
        injector = open_injector(bench.injector, rig)
        try:
            found.append({"use": "injector"} | injector.describe())
        finally:
            injector.close()
    if bench.reference_meter is not None:
        reference = open_reference(bench.reference_meter, rig, Person(bench.people.technician))
        found.append({"use": "reference meter"} | reference.describe())
    return found
