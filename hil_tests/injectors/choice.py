"""The injector that a bench file names, opened. The only place that knows all drivers."""

from pathlib import Path

from gateway.errors import ConfigurationError
from hil_tests.hil.bench_file import InjectorTable
from hil_tests.injectors.injector import Injector


def open_injector(table: InjectorTable, rig: Path | None) -> Injector:
    """Ready to inject. `rig`: the folder of the rig of a virtual bench. ConfigurationError, InstrumentTrouble."""
    if table.kind == "rig":
        from hil_tests.injectors.rig import RigInjector

        if rig is None:
            raise ConfigurationError('`kind = "rig"` needs the folder of a running rig in `rig`.')
        return RigInjector(rig)
    raise ConfigurationError(f"No driver for an injector of kind {table.kind!r} is in this version.")
