"""The injector that a bench file names, opened. The only place that knows all drivers."""

from pathlib import Path

from gateway.bus.trouble import PortTrouble
from gateway.errors import ConfigurationError
from hil_tests.hil.bench_file import InjectorTable
from hil_tests.hil.hands import Person
from hil_tests.injectors.injector import Injector, InstrumentTrouble
from hil_tests.injectors.person import Console


def open_injector(table: InjectorTable, rig: Path | None, person: Console | None = None) -> Injector:
    """Ready to inject. `rig`: the folder of the rig of a virtual bench; `person`: who is at the terminal, if anybody.

    ConfigurationError, InstrumentTrouble.
    """
    match table.kind:
        case "rig":
            return _rig(rig)
        case "scpi":
            return _scpi(table)
        case "modbus":
            return _modbus(table)
        case "person":
            from hil_tests.injectors.person import PersonInjector

            return PersonInjector(table, person or Person("the technician"))


def _rig(rig: Path | None) -> Injector:
    from hil_tests.injectors.rig import RigInjector

    if rig is None:
        raise ConfigurationError('`kind = "rig"` needs the folder of a running rig in `rig`.')
    return RigInjector(rig)


def _scpi(table: InjectorTable) -> Injector:
    from hil_tests.injectors.itech import ItechLoad
    from hil_tests.injectors.visa import VisaInstrument

    return ItechLoad(table, VisaInstrument(_resource(table)))


def _modbus(table: InjectorTable) -> Injector:
    from gateway.bus.transport import Line
    from gateway.bus.wire import wire_of
    from gateway.profile import load
    from hil_tests.injectors.modbus_set import ModbusSet

    if not table.profile:
        raise ConfigurationError('An injector of kind "modbus" needs a `profile` that says which register is what.')
    profile, port = load(table.profile), _resource(table)
    try:
        line = Line("injector", port, wire_of(port, table.baud, "N", 1))
    except PortTrouble as error:
        raise InstrumentTrouble(str(error)) from error
    return ModbusSet(table, profile, line)


def _resource(table: InjectorTable) -> str:
    if not table.resource:
        raise ConfigurationError(f'An injector of kind "{table.kind}" needs a `resource`: where it is.')
    return table.resource
