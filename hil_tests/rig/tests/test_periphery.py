"""What is fitted beside the metering chip, as the pins see it."""

import pytest

from hil_tests.rig.circuit import Circuit
from hil_tests.rig.periphery import (
    Periphery,
    ResidualModule,
    crc8,
    crc8_dallas,
    ds18b20_scratchpad,
    sht3x_answer,
    thermistor_uv,
)
from hil_tests.rig.site import Board
from provisioning.settings import PINS

SENSOR = ("ds18b20", "sht3x", "smoke", "water", "door", "sos", "motion", "gas")


def world(**keys: object) -> Circuit:
    return Circuit(Board.model_validate({"id": "b1", "address": 1, **keys}))


def test_checksums_are_those_of_the_data_sheets() -> None:
    """Sensirion: BEEFh gives 92h. Maxim's application note 27: the ROM 02 1C B8 01 00 00 00 has A2h."""
    assert crc8(b"\xbe\xef") == 0x92
    assert crc8_dallas(bytes.fromhex("021cb801000000")) == 0xA2


def test_answers_read_back_by_the_data_sheets_formulas() -> None:
    """SHT3x: -45 + 175 raw / 65535 and 100 raw / 65535. DS18B20: sixteenths; 85 and -10.125 as in its table."""
    answer = sht3x_answer(21.5, 63.0)
    assert -45 + 175 * int.from_bytes(answer[:2], "big") / 65535 == pytest.approx(21.5, abs=0.01)
    assert 100 * int.from_bytes(answer[3:5], "big") / 65535 == pytest.approx(63.0, abs=0.01)
    assert (answer[2], answer[5]) == (crc8(answer[:2]), crc8(answer[3:5]))
    assert ds18b20_scratchpad(85.0)[:2] == b"\x50\x05"
    assert ds18b20_scratchpad(-10.125)[:2] == b"\x5e\xff"
    assert crc8_dallas(ds18b20_scratchpad(21.0)) == 0


def test_a_thermistor_divides_the_supply() -> None:
    """10 kohm at 25 degrees over 2200 ohm; hotter is higher."""
    assert thermistor_uv(25.0) == pytest.approx(3_300_000 * 2200 / 12200, abs=2)
    assert thermistor_uv(0.0) < thermistor_uv(25.0) < thermistor_uv(120.0)


def test_only_what_is_fitted_is_on_the_pins() -> None:
    """Contacts close to ground; the door's opens with the door."""
    lines = Periphery(PINS, SENSOR).lines(world(smoke=1, door=1, profile="gewu-sensor"))
    assert b"I %d 0" % PINS["smoke"] in lines
    assert b"I %d 1" % PINS["water"] in lines
    assert b"I %d 1" % PINS["door"] in lines
    assert not [line for line in lines if line.startswith(b"A %d " % PINS["ntc"])]
    assert Periphery(PINS, ()).lines(world()) == []


def test_a_probe_that_is_open_or_shorted_shows_it() -> None:
    """0 V open, the supply shorted; nobody answers on a 1-Wire bus without its sensor."""
    pins = Periphery(PINS, ("ntc", "ds18b20"))
    assert b"A 39 0" in pins.lines(world(probe_fault=1))
    assert b"A 39 3300000" in pins.lines(world(probe_fault=2))
    assert b"O 4 =" in pins.lines(world(probe_fault=1))


def test_the_module_trips_sooner_the_more_flows() -> None:
    """Nothing below 30 mA; then after 0.15, 0.075 and 0.02 s; released below 10 mA for 1.2 s."""
    for milliampere, seconds in ((30.0, 0.15), (60.0, 0.075), (150.0, 0.02)):
        module = ResidualModule()
        assert module.see(29.0, 0.0) is None
        assert module.see(milliampere, 1.0) == pytest.approx(seconds)
        assert not module.tripped
        module.see(milliampere, 1.0 + seconds + 0.001)
        assert module.tripped
        assert module.analogue_mv(0.0) == 4850
        assert module.see(5.0, 2.0) == pytest.approx(1.2)
        module.see(5.0, 3.3)
        assert not module.tripped


def test_a_short_surge_does_not_trip_the_module() -> None:
    """Gone before its time: it starts from nothing."""
    module = ResidualModule()
    module.see(30.0, 0.0)
    module.see(5.0, 0.1)
    assert module.see(30.0, 0.2) == pytest.approx(0.15)
    assert not module.tripped


def test_the_analogue_output_is_proportional_and_ends() -> None:
    """500 mV and 1000 / 7 mV for a milliampere; 4.85 V from 30 mA on; nothing without power."""
    assert ResidualModule().analogue_mv(7.0) == pytest.approx(1500)
    assert ResidualModule().analogue_mv(31.0) == 4850
    lines = Periphery(PINS, ("residual", "residual_output")).lines(world(module_fault=1))
    assert b"A 36 0" in lines
    assert b"I 23 1" in lines
