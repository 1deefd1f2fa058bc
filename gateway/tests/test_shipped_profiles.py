"""Every profile of another maker's device against a slave of another implementation (pymodbus).

The raw words are written out here, from the sources' examples or as IEEE 754 has them, and never by our own encoder.
"""

from collections.abc import Iterator

import pytest
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway import shipped as shipped_files
from gateway.bus.contact import read_all, recognise
from gateway.bus.transport import Line
from gateway.bus.wire import Wire
from gateway.profile import load, shipped
from gateway.profile.model import Head, Register
from gateway.records import Mark, Value
from gateway.tests.pymodbus_slave import serving

Words = dict[int, tuple[int, ...]]
BITS = ("coil", "discrete")

V230_2 = (0x4366, 0x3333)
A5_25 = (0x40A8, 0x0000)
W1207_5, MINUS_W1207_5 = (0x4496, 0xF000), (0xC496, 0xF000)
HZ50_01 = (0x4248, 0x0A3D)
KWH1234_56 = (0x449A, 0x51EC)
V2302, A5250, W12075, HZ5001, PF980 = (
    (0x450F, 0xE000),
    (0x45A4, 0x1000),
    (0x463C, 0xAC00),
    (0x459C, 0x4800),
    (0x4475, 0),
)
NOTHING: Words = {0: (0,)}
ZEROS: tuple[int, ...] = (0,) * 342

# profile: raw words by kind and address, then some of the values that they are, to the unit
DEVICES: dict[str, tuple[dict[str, Words], dict[str, Value], dict[str, Mark]]] = {
    "eastron-sdm120": (
        {
            "input": {0: V230_2 + ZEROS}
            | {6: A5_25, 12: MINUS_W1207_5, 30: (0x3F7A, 0xE148), 70: HZ50_01}
            | {72: KWH1234_56, 342: KWH1234_56}
        },
        {
            "voltage": 230.2,
            "current": 5.25,
            "power": -1207.5,
            "power_factor": 0.98,
            "frequency": 50.01,
            "energy_import": 1234.56,
            "energy_export": 0.0,
            "energy": 1234.56,
        },
        {},
    ),
    "eastron-sdm630": (
        {"input": {0: V230_2 + ZEROS} | {4: V230_2, 8: A5_25, 16: W1207_5, 52: W1207_5, 74: KWH1234_56}},
        {
            "voltage_l1": 230.2,
            "voltage_l2": 0.0,
            "voltage_l3": 230.2,
            "current_l1": 0.0,
            "current_l2": 5.25,
            "power_l3": 1207.5,
            "power": 1207.5,
            "energy_export": 1234.56,
        },
        {},
    ),
    "chint-dtsu666": (
        {
            "holding": {0: (204, 701, 0, 0, 0, 0, 1, 10), 0x101E: (0,) * 12, 0x2000: (0,) * 80}
            | {
                0x101E: KWH1234_56,
                0x1028: A5_25,
                0x2006: V2302,
                0x200E: A5250,
                0x2012: W12075,
                0x202A: PF980,
                0x2044: HZ5001,
            }
        },
        {
            "version": 204,
            "current_ratio": 1,
            "voltage_l1": 230.2,
            "current_l2": 5.25,
            "power": 1207.5,
            "power_l1": 0.0,
            "power_factor": 0.98,
            "frequency": 50.01,
            "energy_import": 1234.56,
            "energy_export": 5.25,
        },
        {},
    ),
    "peacefair-pzem-016": (
        # the low register comes first: 0001 86A0h mA is 100 A; FFFFh in register 9 is the alarm
        {
            "input": {0: (2302, 0x86A0, 0x0001, 0x2B67, 0x0000, 0x86A1, 0x0001, 500, 98, 0xFFFF)},
            "holding": {1: (2300,)},
        },
        {
            "voltage": 230.2,
            "current": 100.0,
            "power": 1111.1,
            "energy": 100.001,
            "frequency": 50.0,
            "power_factor": 0.98,
            "power_alarm": True,
            "power_limit": 2300,
        },
        {},
    ),
    "xy-md02": (
        {"input": {1: (0xFF33, 0x0222)}, "holding": {0x103: (0xFFF6, 5)}},
        {"temperature": -20.5, "humidity": 54.6, "temperature_correction": -1.0, "humidity_correction": 0.5},
        {},
    ),
    "bender-rcmb300": (
        {
            "holding": {
                8000: (0x3C4C, 0xCCCD, 0xBBC4, 0x9BA6, 0x3C4C, 0xCCCD),
                8008: (0x0001, 0x0002),
                8014: (0x0010, 0x0022),
            }
        },
        {
            "residual_ac": 0.0125,
            "residual_dc": -0.006,
            "residual_rms": 0.0125,
            "alarms": 65538,
            "relay_2_dc": True,
            "relay_2_ac": False,
            "relay_1_rms": True,
            "relay_1_device_error": True,
            "relay_1_dc": False,
        },
        {},
    ),
    "circutor-rgu-100a": (
        {"input": {0x1388: (0x4D52, 0x4344), 0x0FA0: (17,), 0x0FC8: (31,)}, "discrete": {1: (1, 1, 0, 0, 1)}},
        {
            "equipment_type": "MRCD",
            "residual": 0.017,
            "trip_residual": 0.031,
            "prealarm": True,
            "tripped": True,
            "tripped_by_leakage": False,
            "transformer_error": False,
            "tripped_by_test": True,
        },
        {},
    ),
    "honeywell-sensepoint-xcd": (
        {"holding": {0: (0x2508, 0x2508, 0x4148, 0x0000, 0, 0b010001, 1, 0, 0, 0, 5, 0x41C4, 0x0000)}},
        {
            "gas": 12.5,
            "fault_code": 0,
            "alarm_1": True,
            "alarm_2": False,
            "warning": True,
            "fault": False,
            "monitoring": 1,
            "unit_code": 5,
            "gas_peak": 24.5,
        },
        {},
    ),
    "wirenboard-mwac": (
        {
            "discrete": {3: (0, 1, 0)},
            "coil": {0: (1, 0, 1)},
            "input": {316: (0x0001, 0x0000, 0x0000, 0x0007), 121: (11980,), 270: (0x0012, 0xD687)},
        },
        {
            "leak_1": False,
            "leak_2": True,
            "output_1": True,
            "output_2": False,
            "alarm": True,
            "pulses_1": 65536,
            "pulses_2": 7,
            "supply": 11.98,
            "serial_number": 1234567,
        },
        {},
    ),
    "tuf-2000": (
        # the lower word comes first: 7.25 is 40E8 0000h
        {"holding": {0: (0x0000, 0x40E8, 0, 0, 0x0000, 0x3FE0, 0x4000, 0x44B9)}},
        {"flow": 7.25, "velocity": 1.75, "sound_speed": 1482.0},
        {},
    ),
    "wirenboard-msw3": (
        {
            "input": {
                0: (0xFFF6, 455),
                3: (4150,),
                8: (0xFFFF, 0x0001, 0x86A0, 300),
                280: (540,),
                283: (25,),
                270: (0, 9),
            },
            "coil": {0: (0,)},
        },
        {
            "temperature": -1.0,
            "humidity": 45.5,
            "noise": 41.5,
            "co2": 65535,
            "light": 1000.0,
            "voc": 300,
            "motion_max": 540,
            "motion": 25,
            "buzzer": False,
            "serial_number": 9,
        },
        {"co2": "bad"},
    ),
    "icpdas-pir-130": ({"discrete": {0: (1,), 272: (0,)}}, {"presence": True, "was_read": False}, {}),
    "truebner-smt100": (
        {"holding": {0: (0x31FD, 0x0D70, 0x05F0, 4711)}},
        {"temperature": 27.97, "water_content": 34.4, "permittivity": 15.2, "counts": 4711},
        {},
    ),
    "yosemitech-y532": (
        # the lowest byte comes first: 7.25 is 40E8 0000h, 24.5 is 41C4 0000h
        {
            "holding": {
                0x2800: (0x0000, 0xE840),
                0x2400: (0x0000, 0xC441),
                0x0900: (0x5957, 0x3433, 0x3137, 0x3031, 0x3233, 0x3435, 0x0000),
            }
        },
        {"ph": 7.25, "temperature": 24.5, "serial_number": "YW4317012345"},
        {},
    ),
    "wirenboard-map3e": (
        # FFFF FF9Ch is -100, times 0.00512 W; 0000 0001 0000 0000h * 1e-5, the low register first, is 42949.67296 kWh
        {
            "input": {
                0x1410: (0x59EC, 0x0558) + (0,) * 4 + (0x0140, 0x0004) + (0,) * 4,
                0x1300: (0xFFFF, 0xFF9C) + (0,) * 6,
                0x10BD: (980, 0, 0xFFFF),
                0x10F8: (5001,),
                0x1200: (0, 0, 1, 0) + (1, 0, 0, 0) + (0,) * 8,
            }
        },
        {
            "power": -0.512,
            "frequency": 50.01,
            "power_factor_l1": 0.98,
            "power_factor_l3": -0.001,
            "energy": 42949.67296,
            "energy_l1": 1e-05,
        },
        {},
    ),
}


def block(words: Words, bits: bool) -> list[SimData]:
    """Registers or bits that exist exactly where `words` says, later entries over earlier ones."""
    cells = {at + index: word for at, run in words.items() for index, word in enumerate(run)}
    if bits:
        return [SimData(at, values=bool(value), datatype=DataType.BITS) for at, value in sorted(cells.items())]
    return [SimData(at, values=value, datatype=DataType.REGISTERS) for at, value in sorted(cells.items())]


def slave(unit: int, tables: dict[str, Words]) -> SimDevice:
    kinds = ("coil", "discrete", "holding", "input")
    parts = [block(tables.get(kind, NOTHING), kind in BITS) for kind in kinds]
    return SimDevice(unit, simdata=(parts[0], parts[1], parts[2], parts[3]))


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    """One bus with all those devices, at addresses 1, 2, ... in the order of DEVICES."""
    slaves = [slave(unit, tables) for unit, (tables, _, _) in enumerate(DEVICES.values(), 1)]
    with serving(slaves, "Bender GmbH & Co. KG", "B74043122") as port:
        line = Line("test", port.port, Wire(115200), patience=2.0)
        yield line
        line.close()


@pytest.mark.integration
@pytest.mark.parametrize("name", DEVICES)
def test_a_device_of_another_maker_is_read_to_the_unit(line: Line, name: str) -> None:
    """It is recognised where it can be, nothing it has is refused, and the values are those of the raw words."""
    profile, unit = load(name), list(DEVICES).index(name) + 1
    recognise(line, unit, profile)
    values, marks, refused = read_all(line, unit, profile)
    _, wanted, bad = DEVICES[name]
    assert not refused
    assert set(values) == set(profile.by_value)
    assert {key: values[key] for key in wanted} == wanted
    assert {key: type(values[key]) for key in wanted} == {key: type(value) for key, value in wanted.items()}
    assert {key: mark for key, mark in marks.items() if key in wanted} == bad


def test_every_profile_of_another_maker_is_tried() -> None:
    """A new one without raw words here fails; ten at least are shipped, each with its source in its first lines."""
    others = [name for name in shipped() if load(name).head.vendor != "Gewu"]
    assert set(others) == set(DEVICES)
    assert len(others) >= 10
    for name in others:
        text = (shipped_files.PROFILES / f"{name}.toml").read_text(encoding="utf-8")
        assert "# Source" in text.split("[profile]")[0], name


def test_every_key_of_a_profile_is_used_by_some() -> None:
    """Contract section 3: no key exists for nobody."""
    used: set[str] = set()
    for name in shipped():
        profile = load(name)
        used |= profile.head.model_fields_set
        for register in profile.registers:
            used |= register.model_fields_set
    assert used == set(Head.model_fields) | set(Register.model_fields)
